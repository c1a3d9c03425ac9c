/** Raw tensors are small to send and large to read: each kind is refused before it is read. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { REQUEST_LIMITS } from '../../core/request-limits.js';
import { textTensor, type Tensor } from '../../protocol/kserve/tensor.js';
import { rawBytes } from '../../protocol/kserve/tensor-bytes.js';
import { startTestServer, type TestServer } from '../testing/test-server.js';

let server: TestServer;
beforeAll(async () => (server = await startTestServer()));
afterAll(() => server.close());

/** Sends tensors as raw bytes. */
async function infer(model: string, inputs: readonly Tensor[]) {
  const chunks = inputs.map(rawBytes);
  const described = inputs.map(({ name, datatype, shape }, i) => ({
    ...{ name, datatype, shape },
    parameters: { binary_data_size: chunks[i]!.length },
  }));
  const head = Buffer.from(JSON.stringify({ inputs: described, parameters: { binary_data_output: true } }));
  const answer = await fetch(`${server.httpUrl}/v2/models/${model}/infer`, {
    method: 'POST',
    headers: { 'inference-header-content-length': String(head.length) },
    body: Buffer.concat([head, ...chunks]),
  });
  return { status: answer.status, text: Buffer.from(await answer.arrayBuffer()).toString('latin1') };
}

const ids = (name: string, shape: readonly number[], value = 65): Tensor => {
  const data = new Int32Array(shape.reduce((product, dim) => product * dim, 1)).fill(value);
  return { name, datatype: 'INT32', shape, data };
};
const bias = (count: number, value: number): Tensor => ({
  name: 'embedding_bias',
  datatype: 'FP32',
  shape: [1, count],
  data: new Float32Array(count).fill(value),
});
const prompt = (count: number) => [ids('input_ids', [1, count]), ids('input_lengths', [1, 1], count), OUTPUT];
const OUTPUT = ids('request_output_len', [1, 1], 2);
const { tensorNumbers, biases, tokenListIds, codecBytes, codecIds, codecRows } = REQUEST_LIMITS;
const query = (texts: readonly string[]) => [
  textTensor('QUERY', [texts.length, 1], texts),
  ids('REQUEST_OUTPUT_LEN', [texts.length, 1], 2),
];

test.each<[string, string, number, readonly Tensor[]]>([
  ['token ids', 'tensorrt_llm', tensorNumbers.max, prompt(tensorNumbers.max)],
  ['zeros as biases', 'tensorrt_llm', tensorNumbers.max, [...prompt(3), bias(tensorNumbers.max, 0)]],
  ['biases', 'tensorrt_llm', biases.max, [...prompt(3), bias(biases.max + 1, 1)]],
  [
    'padding of token lists',
    'tensorrt_llm',
    tokenListIds.max,
    [...prompt(3), ids('bad_words_list', [1, 2, tokenListIds.max + 1], -1)],
  ],
  ['text to encode', 'preprocessing', codecBytes.max, query(['a'.repeat(codecBytes.max + 1)])],
  [
    'words to encode',
    'preprocessing',
    codecBytes.max,
    [
      ...query(['a']),
      textTensor('BAD_WORDS_DICT', [1, 2], ['b'.repeat(codecBytes.max / 2), 'c'.repeat(codecBytes.max / 2)]),
    ],
  ],
  [
    'rows as long as the longest',
    'preprocessing',
    tensorNumbers.max,
    query(['a'.repeat(tensorNumbers.max / 8), ...Array.from({ length: 7 }, () => 'b')]),
  ],
  ['ids to decode', 'postprocessing', codecIds.max, [ids('TOKENS_BATCH', [1, 1, codecIds.max + 1])]],
  ['rows to decode', 'postprocessing', codecRows.max, [ids('TOKENS_BATCH', [1, codecRows.max + 1, 1])]],
])('%s of %s: more than %i', async (_, model, max, inputs) => {
  const { status, text } = await infer(model, inputs);
  expect([status, text]).toEqual([400, expect.stringContaining(`at most ${max} are accepted`)]);
});

test('requests at the limits are answered', async () => {
  const half = 'a'.repeat(codecBytes.max / 16);
  const encoded = await infer('preprocessing', query([half, 'b']));
  expect(encoded.status).toBe(200);
  const words = textTensor('STOP_WORDS_DICT', [2, 1], ['stop', 'x,y']);
  expect((await infer('preprocessing', [...query(['a', 'bcd']), words])).status).toBe(200);
  const decoded = await infer('postprocessing', [ids('TOKENS_BATCH', [1, codecRows.max, 64])]);
  expect(decoded.status).toBe(200);
  expect((await infer('tensorrt_llm', [...prompt(3), bias(259, 1)])).status).toBe(200);
});
