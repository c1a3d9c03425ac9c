/** What upstream's own clients and tests expect of a repository of ours, on the real engine. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startDemoServer, type DemoServer } from './demo-server.js';

let demo: DemoServer;
beforeAll(async () => {
  demo = await startDemoServer({ build: { max_beam_width: '4' } });
});
afterAll(() => demo.close());

interface Output {
  readonly name: string;
  readonly shape: number[];
  readonly data: number[];
}
const VOCABULARY = 4096;
const IDS = [1, 593, 260, 262, 300];

const tensor = (name: string, datatype: string, data: unknown[], shape = [1, data.length]) => ({
  name,
  datatype,
  shape,
  data,
});
async function inferIds(...more: object[]): Promise<{ status: number; outputs: Output[]; error?: string }> {
  const inputs = [
    tensor('input_ids', 'INT32', IDS),
    tensor('input_lengths', 'INT32', [IDS.length]),
    tensor('request_output_len', 'INT32', [4]),
    ...more,
  ];
  const response = await demo.post('/v2/models/tensorrt_llm/infer', { inputs });
  const body = (await response.json()) as { outputs?: Output[]; error?: string };
  return {
    status: response.status,
    outputs: body.outputs ?? [],
    ...(body.error === undefined ? {} : { error: body.error }),
  };
}
const find = (outputs: readonly Output[], name: string) => outputs.find((output) => output.name === name);
const YES = (name: string) => tensor(name, 'BOOL', [true]);

describe('generation_logits of token ids', () => {
  test('have the shape [1, beams, output tokens, vocabulary], with the prompt in the output or not', async () => {
    for (const exclude of [true, false]) {
      const { outputs } = await inferIds(
        YES('return_generation_logits'),
        tensor('exclude_input_in_output', 'BOOL', [exclude]),
      );
      expect(find(outputs, 'output_ids')!.shape).toEqual([1, 1, exclude ? 4 : 9]);
      const logits = find(outputs, 'generation_logits')!;
      expect(logits.shape).toEqual([1, 1, 4, VOCABULARY]);
      expect(logits.data).toHaveLength(4 * VOCABULARY);
      // Greedy took the most likely: rows are whole.
      const last = find(outputs, 'output_ids')!.data.at(-1);
      const row = logits.data.slice(3 * VOCABULARY);
      expect(row.indexOf(Math.max(...row))).toBe(last);
    }
  });
});

describe('several sequences', () => {
  const body = {
    text_input: 'Once',
    max_tokens: 12,
    num_return_sequences: 3,
    top_k: 20,
    temperature: 1.5,
    random_seed: 1,
  };

  test('are one response each over a stream, with their index', async () => {
    const response = await demo.post('/v2/models/ensemble/generate_stream', {
      ...body,
      exclude_input_in_output: true,
    });
    const events = (await response.text())
      .trim()
      .split('\n\n')
      .map(
        (event) =>
          JSON.parse(event.slice(6)) as { sequence_index: number; batch_index: number; text_output: string },
      );
    expect(events.map(({ sequence_index: index }) => index)).toEqual([0, 1, 2]);
    expect(events.map(({ batch_index: index }) => index)).toEqual([0, 0, 0]);
    expect(new Set(events.map(({ text_output: text }) => text)).size).toBeGreaterThan(1);
  });

  test('are one response of a call that carries one', async () => {
    const response = await demo.post('/v2/models/ensemble/generate', body);
    expect(((await response.json()) as { text_output: string[] }).text_output).toHaveLength(3);
  });
});

describe('beams', () => {
  const beams = tensor('beam_width', 'INT32', [2]);

  test('have the log probability of each token', async () => {
    const { outputs } = await inferIds(
      beams,
      YES('return_log_probs'),
      tensor('exclude_input_in_output', 'BOOL', [true]),
    );
    const lengths = find(outputs, 'sequence_length')!.data;
    const each = find(outputs, 'output_log_probs')!;
    const sums = find(outputs, 'cum_log_probs')!.data;
    expect(each.shape).toEqual([1, 2, Math.max(...lengths)]);
    for (const [i, sum] of sums.entries()) {
      const row = each.data.slice(i * each.shape[2]!, (i + 1) * each.shape[2]!);
      expect(row.every((value) => value <= 0)).toBe(true);
      if (lengths[i] === 4) expect(row.reduce((total, value) => total + value, 0)).toBeCloseTo(sum, 3);
    }
  });

  test('have no logits, which is said by name', async () => {
    const { status, error } = await inferIds(beams, YES('return_generation_logits'));
    expect([status, error]).toEqual([
      400,
      expect.stringMatching(/return_generation_logits is not supported with beams/),
    ]);
  });
});

describe('sampling as upstream reads it', () => {
  const ask = async (fields: object) => {
    const response = await demo.post('/v2/models/ensemble/generate', {
      text_input: 'Once upon a time',
      max_tokens: 12,
      ...fields,
    });
    return ((await response.json()) as { text_output: string }).text_output;
  };

  test('a temperature of 1 alone is not set, so greedy', async () => {
    const greedy = await ask({ top_k: 1 });
    for (let i = 0; i < 4; i++) expect(await ask({ temperature: 1 })).toBe(greedy);
  });

  test.each([
    { temperature: 1.3 },
    { temperature: 1, top_p: 0.99 },
    { temperature: 1, top_k: 50 },
    { temperature: 1, min_p: 0.001 },
  ])('%j samples', async (fields) => {
    const texts = await Promise.all([1, 2, 3, 4, 5, 6].map((seed) => ask({ ...fields, random_seed: seed })));
    expect(new Set(texts).size).toBeGreaterThan(1);
  });

  test('the OpenAI interface samples with a temperature of 1', async () => {
    const texts = await Promise.all(
      [1, 2, 3, 4, 5, 6].map(async (seed) => {
        const response = await demo.post('/v1/completions', {
          model: 'ensemble',
          prompt: 'Once upon a time',
          max_tokens: 12,
          temperature: 1,
          seed,
        });
        return ((await response.json()) as { choices: { text: string }[] }).choices[0]!.text;
      }),
    );
    expect(new Set(texts).size).toBeGreaterThan(1);
  });
});

describe('outputs that are always there upstream', () => {
  test('counts of speculative decoding are 0', async () => {
    const { outputs } = await inferIds(YES('return_perf_metrics'));
    for (const name of ['acceptance_rate', 'total_accepted_draft_tokens', 'total_draft_tokens'])
      expect(find(outputs, name)).toMatchObject({ shape: [1, 1], data: [0] });
    expect(find((await inferIds()).outputs, 'acceptance_rate')).toBeUndefined();
  });

  test('preprocessing makes the start of a decoder, and the engine takes it', async () => {
    const inputs = [
      tensor('QUERY', 'BYTES', ['a', 'b'], [2, 1]),
      tensor('REQUEST_OUTPUT_LEN', 'INT32', [4, 4], [2, 1]),
      tensor('PAD_ID', 'INT32', [7, 7], [2, 1]),
    ];
    const response = await demo.post('/v2/models/preprocessing/infer', { inputs });
    const { outputs } = (await response.json()) as { outputs: Output[] };
    expect(find(outputs, 'DECODER_INPUT_ID')).toMatchObject({ shape: [2, 1], data: [7, 7] });
    expect(find(outputs, 'REQUEST_DECODER_INPUT_LEN')).toMatchObject({ shape: [2, 1], data: [1, 1] });
    expect((await inferIds(tensor('decoder_input_ids', 'INT32', [7]))).status).toBe(200);
  });
});

test('a repository of an engine with beams says how many', async () => {
  const response = await fetch(`${demo.httpUrl}/v2/models/tensorrt_llm/config`);
  const { parameters } = (await response.json()) as { parameters: Record<string, { string_value: string }> };
  expect(parameters['max_beam_width']).toEqual({ string_value: '4' });
});
