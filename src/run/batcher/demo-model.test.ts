/** The demo model in flight: against Hugging Face transformers (greedy, penalties, beam search), and golden. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildEngine } from '../../build/builder.js';
import { openCheckpoint } from '../../build/checkpoint/open.js';
import { resolveBuildOptions } from '../../build/resolve-options.js';
import { SYSTEM_CLOCK } from '../../core/clock.js';
import { SILENT_LOG } from '../../core/log.js';
import type { TokenRequest } from '../../core/request.js';
import { GREEDY, type SamplingParams } from '../../core/sampling.js';
import { createCpuWeightLayout } from '../../device/cpu/cpu-weight-layout.js';
import { createCpuPool } from '../../device/cpu/kernel-library.js';
import type { Executor } from '../executor/executor.js';
import { openExecutor } from '../executor/open-cpu.js';
import { Batcher } from './batcher.js';
import { DEFAULT_BATCHER_OPTIONS } from './batcher-options.js';
import { type GoldenMemory, defineGoldenSuite } from './testing/golden-suite.js';
import { mixedRequests, tokenRequest } from './testing/mixed-requests.js';
import { type OutcomeCollector, runToEnd } from './testing/outcome.js';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const END_ID = 2;

interface GreedyItem {
  readonly prompt_ids: number[];
  readonly new_ids: number[];
}
interface PenaltyItem extends GreedyItem {
  readonly name: string;
  readonly options: Record<string, unknown>;
}
interface BeamItem {
  readonly prompt_ids: number[];
  readonly num_beams: number;
  readonly length_penalty: number;
  readonly early_stopping: boolean;
  readonly sequences: readonly { readonly new_ids: number[]; readonly score: number }[];
}

const oracle = (name: string): unknown => JSON.parse(readFileSync(join(ROOT, 'oracle', name), 'utf8'));
const greedy = oracle('generate-demo.json') as { max_new_tokens: number; prompts: GreedyItem[] };
const penalties = oracle('penalties-demo.json') as { max_new_tokens: number; items: PenaltyItem[] };
const beams = oracle('beams-demo.json') as { max_new_tokens: number; items: BeamItem[] };

let directory = '';
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'aloft-test-'));
  await buildDemo('f32', { dtype: 'float32' });
  await buildDemo('int8', { dtype: 'float16', use_weight_only: 'true' });
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

async function buildDemo(name: string, flags: Record<string, string>): Promise<void> {
  const limits = { max_batch_size: '16', max_input_len: '256', max_output_len: '256' };
  const given = { model_dir: 'demo', output_dir: join(directory, name), ...limits, ...flags };
  const { options } = resolveBuildOptions(new Map(Object.entries(given)));
  const layout = createCpuWeightLayout(createCpuPool({ threadCount: 2 }));
  const target = { layout, deviceName: '', deviceArchitecture: null, createdBy: 'test' };
  const checkpoint = openCheckpoint(join(ROOT, 'models/demo'));
  await buildEngine(checkpoint, target, options, { log: SILENT_LOG, onProgress() {} });
  checkpoint.tensors.dispose();
}

const BLOCK_TOKENS = 8;
/** Layers, K and V, heads, head size of the demo model. */
const KV_ELEMENTS_PER_TOKEN = 6 * 2 * 4 * 32;

function openDemo(name: 'f32' | 'int8', { blockCount, hostBlockCount }: GoldenMemory): Promise<Executor> {
  const blockBytes = BLOCK_TOKENS * KV_ELEMENTS_PER_TOKEN * (name === 'f32' ? 4 : 2);
  return openExecutor({
    engineDirectory: join(directory, name),
    threadCount: 1,
    blockTokens: BLOCK_TOKENS,
    maxKvTokens: blockCount * BLOCK_TOKENS,
    maxStepTokens: 64,
    hostKvBytes: hostBlockCount * blockBytes,
  });
}

/** Everything at once, with so little memory that sequences are preempted and swapped. */
async function runTogether(requests: readonly TokenRequest[]): Promise<readonly OutcomeCollector[]> {
  const executor = await openDemo('f32', { blockCount: 120, hostBlockCount: 160 });
  const options = { ...DEFAULT_BATCHER_OPTIONS, policy: 'max_utilization' } as const;
  const batcher = new Batcher(executor, options, SYSTEM_CLOCK);
  const collectors = await runToEnd(batcher, requests);
  await executor.dispose();
  return collectors;
}

const promptOf = ({ prompt_ids }: { readonly prompt_ids: number[] }) => Int32Array.from(prompt_ids);
const untilEnd = (ids: readonly number[]) =>
  ids.includes(END_ID) ? ids.slice(0, ids.indexOf(END_ID)) : ids.slice();

/** Options of transformers as ours; undefined for biases of several tokens, which Aloft does not have. */
function samplingOf(options: Record<string, unknown>): SamplingParams | undefined {
  if ('sequence_bias' in options) return undefined;
  return {
    ...GREEDY,
    repetitionPenalty: (options['repetition_penalty'] as number | undefined) ?? 1,
    presencePenalty: (options['presence_penalty'] as number | undefined) ?? 0,
    frequencyPenalty: (options['frequency_penalty'] as number | undefined) ?? 0,
    minTokens: (options['min_new_tokens'] as number | undefined) ?? 0,
    badWords: (options['bad_words_ids'] as number[][] | undefined) ?? [],
  };
}

describe('demo model in flight', () => {
  test('greedy output is that of transformers', { timeout: 120_000 }, async () => {
    const outcomes = await runTogether(
      greedy.prompts.map((item, i) =>
        tokenRequest(`${i}`, {
          promptTokenIds: promptOf(item),
          maxOutputTokens: greedy.max_new_tokens,
          endIds: [END_ID],
        }),
      ),
    );
    expect(outcomes.map(({ outcome }) => outcome.sequences.get(0)?.tokenIds)).toEqual(
      greedy.prompts.map(({ new_ids }) => untilEnd(new_ids)),
    );
  });

  test('output with penalties is that of transformers', { timeout: 120_000 }, async () => {
    const items = penalties.items.flatMap((item) => {
      const sampling = samplingOf(item.options);
      return sampling === undefined ? [] : [{ ...item, sampling }];
    });
    expect(items.length).toBeGreaterThan(40);
    const outcomes = await runTogether(
      items.map((item, i) =>
        tokenRequest(`${i}`, {
          promptTokenIds: promptOf(item),
          maxOutputTokens: penalties.max_new_tokens,
          endIds: [END_ID],
          sampling: item.sampling,
        }),
      ),
    );
    for (const [i, { outcome }] of outcomes.entries())
      expect(outcome.sequences.get(0)?.tokenIds, `${items[i]!.name} ${i}`).toEqual(
        untilEnd(items[i]!.new_ids),
      );
  });

  test('beam search is that of transformers', { timeout: 120_000 }, async () => {
    const outcomes = await runTogether(
      beams.items.map((item, i) =>
        tokenRequest(`${i}`, {
          promptTokenIds: promptOf(item),
          maxOutputTokens: beams.max_new_tokens,
          endIds: [END_ID],
          beam: {
            width: item.num_beams,
            lengthPenalty: item.length_penalty,
            earlyStopping: item.early_stopping,
          },
          sequenceCount: item.num_beams,
          bestOf: 1,
        }),
      ),
    );
    for (const [i, { outcome, faults }] of outcomes.entries()) {
      const { sequences, length_penalty } = beams.items[i]!;
      expect(faults).toEqual([]);
      for (const [rank, expected] of sequences.entries()) {
        const { tokenIds, cumulativeLogprob } = outcome.sequences.get(rank)!;
        expect(tokenIds, `item ${i}, rank ${rank}`).toEqual(untilEnd(expected.new_ids));
        const length = expected.new_ids.includes(END_ID) ? tokenIds.length + 1 : tokenIds.length;
        expect(cumulativeLogprob / length ** length_penalty).toBeCloseTo(expected.score, 3);
      }
    }
  });
});

for (const name of ['f32', 'int8'] as const) {
  defineGoldenSuite({
    name: `demo model on the CPU, ${name}`,
    openExecutor: (memory) => openDemo(name, memory),
    requests: mixedRequests(60, 5, {
      vocabulary: 4096,
      maxPromptTokens: 70,
      maxOutputTokens: 30,
      withBeams: true,
    }),
    ampleBlockCount: 400,
    tightBlockCount: 40,
    smallStepTokens: 16,
    ways: 'essential',
  });
}
