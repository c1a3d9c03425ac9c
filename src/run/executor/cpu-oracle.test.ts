/** Checkpoints built for the CPU and run by the CPU executor, against what transformers computed for them. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { buildEngine } from '../../build/builder.js';
import { openCheckpoint } from '../../build/checkpoint/open.js';
import { openSafetensorsFile } from '../../build/checkpoint/safetensors-file.js';
import { resolveBuildOptions } from '../../build/resolve-options.js';
import { floatsOf } from '../../build/testing/row-major-layout.js';
import { buildStep } from '../../core/build-step.js';
import { SILENT_LOG } from '../../core/log.js';
import { GREEDY, type SamplingParams } from '../../core/sampling.js';
import { createCpuWeightLayout } from '../../device/cpu/cpu-weight-layout.js';
import { createCpuPool } from '../../device/cpu/kernel-library.js';
import type { Executor } from './executor.js';
import { openExecutor } from './open-cpu.js';

const ORACLE = fileURLToPath(new URL('../../../oracle/', import.meta.url));
const DEMO = fileURLToPath(new URL('../../../models/demo', import.meta.url));
const MAX_TOKENS = 256;
const BLOCKS = Array.from({ length: MAX_TOKENS / 16 }, (_, block) => block);
const END_ID = 2;

const root = mkdtempSync(join(tmpdir(), 'aloft-oracle-'));
afterAll(() => rmSync(root, { recursive: true }));

function readOracle(file: string): unknown {
  return JSON.parse(readFileSync(join(ORACLE, file), 'utf8'));
}

/** Builds a float32 engine of a checkpoint and opens it. */
async function openModel(checkpointDirectory: string): Promise<Executor> {
  const engineDirectory = mkdtempSync(join(root, 'engine-'));
  const pool = createCpuPool();
  const flags = {
    model_dir: checkpointDirectory,
    output_dir: engineDirectory,
    dtype: 'float32',
    max_batch_size: '1',
    max_input_len: String(MAX_TOKENS / 2),
    max_output_len: String(MAX_TOKENS / 2),
  };
  const { options } = resolveBuildOptions(new Map(Object.entries(flags)));
  const checkpoint = openCheckpoint(checkpointDirectory);
  const target = {
    layout: createCpuWeightLayout(pool),
    deviceName: '',
    deviceArchitecture: null,
    createdBy: 'test',
  };
  await buildEngine(checkpoint, target, options, { log: SILENT_LOG, onProgress() {} });
  checkpoint.tensors.dispose();
  pool.dispose();
  return openExecutor({ engineDirectory, threadCount: 1 });
}

interface Sequence {
  readonly prompt: readonly number[];
  readonly sampling?: Partial<SamplingParams>;
}

function attach(executor: Executor, { prompt, sampling }: Sequence): void {
  executor.attachSlot({
    slot: 0,
    sampling: { ...GREEDY, ...sampling },
    endIds: [END_ID],
    promptTokenIds: Int32Array.from(prompt),
    outputTokenIds: new Int32Array(0),
  });
}

/** Logits of every token of a prompt. */
async function promptLogits(executor: Executor, prompt: readonly number[]): Promise<readonly Float32Array[]> {
  attach(executor, { prompt });
  const { vocabulary, maxLogits } = executor.limits;
  const rows: Float32Array[] = [];
  for (let firstPosition = 0; firstPosition < prompt.length; firstPosition += maxLogits) {
    const tokenIds = prompt.slice(firstPosition, firstPosition + maxLogits);
    const wanted = tokenIds.map((_, index) => ({ index, target: 0 }));
    const row = { slot: 0, tokenIds, firstPosition, blocks: BLOCKS, wanted };
    executor.submit(buildStep([row], { returnLogits: true }));
    const { logits } = await executor.collect();
    for (const index of tokenIds.keys())
      rows.push(logits!.subarray(index * vocabulary, (index + 1) * vocabulary));
  }
  executor.detachSlot(0);
  return rows;
}

async function generate(executor: Executor, sequence: Sequence, count: number): Promise<number[]> {
  attach(executor, sequence);
  const tokens: number[] = [];
  const { prompt } = sequence;
  for (let i = 0; i < count; i++) {
    const chunk = { tokenIds: i === 0 ? prompt : [-1], firstPosition: i === 0 ? 0 : prompt.length + i - 1 };
    executor.submit(buildStep([{ slot: 0, ...chunk, blocks: BLOCKS }]));
    tokens.push((await executor.collect()).tokenIds[0]!);
  }
  executor.detachSlot(0);
  return tokens;
}

/** Largest difference relative to the range of the expected values. */
function errorOf(actual: Float32Array, expected: Float32Array): number {
  const range = Math.max(...expected) - Math.min(...expected);
  return Math.max(...expected.map((value, i) => Math.abs(value - actual[i]!))) / range;
}

const argmax = (values: Float32Array): number => values.indexOf(Math.max(...values));

/** How far two implementations may drift apart before a choice between near-equal tokens may differ. */
const SAFE_MARGIN = 1e-3;

/** The tokens before the first choice that rounding may decide. */
function certain(tokens: readonly number[], margins: readonly number[]): readonly number[] {
  const doubtful = margins.findIndex((margin) => margin < SAFE_MARGIN);
  return doubtful === -1 ? tokens : tokens.slice(0, doubtful);
}

describe('tiny checkpoints on the CPU', () => {
  const { models } = readOracle('logits-tiny.json') as {
    models: Record<string, { ids: number[]; argmax: number[] }>;
  };

  it.each(Object.entries(models))(
    '%s has the logits of transformers',
    async (name, { ids, argmax: expectedArgmax }) => {
      const file = openSafetensorsFile(join(ORACLE, 'logits-tiny.safetensors'));
      const expected = floatsOf(file.read(name));
      const executor = await openModel(join(ORACLE, 'tiny', name));
      const logits = await promptLogits(executor, ids);
      const { vocabulary } = executor.limits;
      for (const [position, row] of logits.entries()) {
        const error = errorOf(row, expected.subarray(position * vocabulary, (position + 1) * vocabulary));
        expect(error, `position ${position}`).toBeLessThan(1e-4);
      }
      expect(logits.map(argmax)).toEqual(expectedArgmax);
      await executor.dispose();
      file.dispose();
    },
  );
});

interface DemoLogits {
  readonly prompts: readonly {
    readonly ids: number[];
    readonly argmax: number[];
    readonly positions: number[];
  }[];
}

interface DemoTexts {
  readonly prompts: readonly {
    readonly prompt_ids: number[];
    readonly new_ids: number[];
    readonly margins: number[];
  }[];
}

interface PenaltyItem {
  readonly name: string;
  readonly options: {
    readonly repetition_penalty?: number;
    readonly presence_penalty?: number;
    readonly frequency_penalty?: number;
    readonly min_new_tokens?: number;
    readonly bad_words_ids?: number[][];
    readonly sequence_bias?: [number[], number][];
  };
  readonly prompt_ids: number[];
  readonly new_ids: number[];
  readonly margins: number[];
}

function samplingOf({ options }: PenaltyItem): Partial<SamplingParams> {
  const biases = (options.sequence_bias ?? []).filter(([ids]) => ids.length === 1);
  return {
    repetitionPenalty: options.repetition_penalty ?? 1,
    presencePenalty: options.presence_penalty ?? 0,
    frequencyPenalty: options.frequency_penalty ?? 0,
    minTokens: options.min_new_tokens ?? 0,
    badWords: options.bad_words_ids ?? [],
    logitBias: new Map(biases.map(([ids, bias]) => [ids[0]!, bias])),
  };
}

/** True unless a bias on a sequence of tokens, which only transformers has, can have acted. */
function isExpressible({ options, prompt_ids, new_ids }: PenaltyItem): boolean {
  const long = (options.sequence_bias ?? []).filter(([ids]) => ids.length > 1);
  return long.every(([ids]) => ![...prompt_ids, ...new_ids].includes(ids[0]!));
}

describe('the demo model on the CPU', async () => {
  const executor = await openModel(DEMO);
  afterAll(() => executor.dispose());

  it('has the logits of transformers, and its choice at every position', async () => {
    const file = openSafetensorsFile(join(ORACLE, 'logits-demo.safetensors'));
    for (const [index, prompt] of (readOracle('logits-demo.json') as DemoLogits).prompts.entries()) {
      const logits = await promptLogits(executor, prompt.ids);
      const expected = floatsOf(file.read(`prompt${index}.logits`));
      const { vocabulary } = executor.limits;
      for (const [i, position] of prompt.positions.entries()) {
        const error = errorOf(logits[position]!, expected.subarray(i * vocabulary, (i + 1) * vocabulary));
        expect(error, `prompt ${index}, position ${position}`).toBeLessThan(1e-4);
      }
      expect(logits.map(argmax)).toEqual(prompt.argmax);
    }
  });

  it('continues prompts with the same tokens', async () => {
    for (const { prompt_ids: prompt, new_ids, margins } of (readOracle('generate-demo.json') as DemoTexts)
      .prompts) {
      const expected = certain(new_ids, margins);
      expect(await generate(executor, { prompt }, expected.length)).toEqual(expected);
    }
  });

  it('continues them with the same tokens under penalties, biases, bad words and a minimum length', async () => {
    // Every third: all kinds come, over different prompts.
    const all = (readOracle('penalties-demo.json') as { items: PenaltyItem[] }).items;
    const items = all.filter((item, index) => index % 3 === 0 && isExpressible(item));
    expect(new Set(items.map(({ options }) => JSON.stringify(options))).size).toBeGreaterThan(8);
    for (const item of items) {
      const expected = certain(item.new_ids, item.margins);
      const tokens = await generate(
        executor,
        { prompt: item.prompt_ids, sampling: samplingOf(item) },
        expected.length,
      );
      expect(tokens, `${item.name} ${JSON.stringify(item.options)}`).toEqual(expected);
    }
  });
});
