/** Logits of a prompt are millions of numbers for a request of some kilobytes: JSON refuses them, raw bytes carry them. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { REQUEST_LIMITS } from '../core/request-limits.js';
import { startDemoServer, type DemoServer } from './demo-server.js';

let demo: DemoServer;
beforeAll(async () => (demo = await startDemoServer()));
afterAll(() => demo.close());

const VOCABULARY = 4096;
/** Tokens whose logits are one row more than JSON carries. */
const TOO_MANY = REQUEST_LIMITS.jsonElements.max / VOCABULARY + 1;
const ids = (count: number) => Array.from({ length: count }, (_, i) => 300 + i);
const REFUSAL = { error: expect.stringMatching(/'context_logits' has \d+ elements.*'binary_data'/) };

const input = (name: string, datatype: string, values: readonly (number | boolean)[]) => ({
  name,
  datatype,
  shape: [1, values.length],
  data: values,
});

function infer(tokenCount: number, isBinary: boolean): Promise<Response> {
  return demo.post('/v2/models/tensorrt_llm/infer', {
    inputs: [
      input('input_ids', 'INT32', ids(tokenCount)),
      input('input_lengths', 'INT32', [tokenCount]),
      input('request_output_len', 'INT32', [1]),
      input('return_context_logits', 'BOOL', [true]),
    ],
    outputs: [{ name: 'context_logits', parameters: { binary_data: isBinary } }],
  });
}

test('infer answers as many as the limit in JSON, and refuses one row more', async () => {
  const fitting = await infer(TOO_MANY - 1, false);
  expect(fitting.status).toBe(200);
  const { outputs } = (await fitting.json()) as { outputs: { data: number[] }[] };
  expect(outputs[0]?.data.length).toBe(REQUEST_LIMITS.jsonElements.max);
  const refused = await infer(TOO_MANY, false);
  expect([refused.status, await refused.json()]).toEqual([400, REFUSAL]);
});

test('infer carries them as raw bytes', async () => {
  const answer = await infer(200, true);
  expect(answer.status).toBe(200);
  const bytes = await answer.arrayBuffer();
  const jsonBytes = Number(answer.headers.get('inference-header-content-length'));
  expect(bytes.byteLength - jsonBytes).toBe(200 * VOCABULARY * 4);
});

test.each(['generate', 'generate_stream'])('%s refuses them', async (route) => {
  const body = { text_input: 'word '.repeat(100), max_tokens: 1, return_context_logits: true };
  const answer = await demo.post(`/v2/models/ensemble/${route}`, body);
  const text = await answer.text();
  expect(text).toMatch(/context_logits' has \d+ elements.*'binary_data'/);
  expect(text.length).toBeLessThan(1000);
});
