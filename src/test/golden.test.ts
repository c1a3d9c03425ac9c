import { afterAll, beforeAll, describe } from 'vitest';
import { defineGoldenSuite } from '../run/batcher/testing/golden-suite.js';
import type { NearTies } from '../run/batcher/testing/near-ties.js';
import { mixedRequests } from '../run/batcher/testing/mixed-requests.js';
import { openExecutor } from '../run/executor/open-executor.js';
import {
  type BuildFlags,
  buildTemporaryEngine,
  DEMO_MODEL,
  type TemporaryEngine,
  withExecutor,
} from './build-and-open.js';
import { DEVICE } from './device.js';
import { referencePath } from './reference-data.js';

const BLOCK_TOKENS = 8;
const limits = {
  max_batch_size: '24',
  max_num_tokens: '128',
  max_input_len: '70',
  max_output_len: '58',
  tokens_per_block: `${BLOCK_TOKENS}`,
};

interface Model {
  readonly name: string;
  readonly flags: BuildFlags;
  /** Ids of prompts, end ids and stop lists. */
  readonly vocabulary: number;
  readonly requestCount: number;
  readonly maxPromptTokens: number;
  readonly maxOutputTokens: number;
  /** So few that the largest request just fits. */
  readonly tightBlockCount: number;
  /** Leave out requests for most likely tokens: a GPU captures no steps that report them. */
  readonly withoutTops?: boolean;
  readonly nearTies?: NearTies;
}

const demo = {
  vocabulary: 4096,
  requestCount: 200,
  maxPromptTokens: 40,
  maxOutputTokens: 32,
  tightBlockCount: 26,
} as const;
const cpuModels: readonly Model[] = [
  {
    name: 'demo model, float16',
    flags: { model_dir: DEMO_MODEL, dtype: 'float16' },
    ...demo,
  },
  {
    name: 'demo model, int8',
    flags: { model_dir: DEMO_MODEL, dtype: 'float16', use_weight_only: true },
    ...demo,
  },
  {
    name: 'demo model, int8 with a KV cache of int8',
    flags: { model_dir: DEMO_MODEL, dtype: 'float16', use_weight_only: true, kv_cache_dtype: 'int8' },
    ...demo,
  },
  {
    name: 'demo model, int8 with activations of 8 bits',
    flags: { model_dir: DEMO_MODEL, dtype: 'float16', use_weight_only: true, int8_activations: true },
    ...demo,
  },
  {
    name: 'demo model, fp8',
    flags: { model_dir: DEMO_MODEL, dtype: 'float16', quantization: 'fp8', quantize_lm_head: true },
    ...demo,
  },
  {
    name: 'demo model, int4',
    flags: { model_dir: DEMO_MODEL, dtype: 'float16', quantization: 'int4', quantize_lm_head: true },
    ...demo,
  },
  {
    name: 'demo model, int4 in groups of 32 with zeros',
    flags: { model_dir: DEMO_MODEL, dtype: 'float16', quantization: 'int4_g32_zeros' },
    ...demo,
  },
  {
    name: 'tiny random model, float32',
    flags: { model_dir: referencePath('tiny/mha-f32'), dtype: 'float32' },
    vocabulary: 96,
    requestCount: 100,
    maxPromptTokens: 70,
    maxOutputTokens: 40,
    tightBlockCount: 40,
  },
  {
    name: 'tiny random model with dynamic RoPE, float32',
    flags: { model_dir: referencePath('tiny/rope-dynamic-f32'), dtype: 'float32' },
    vocabulary: 96,
    requestCount: 100,
    maxPromptTokens: 70,
    maxOutputTokens: 40,
    tightBlockCount: 40,
  },
  ...['families/gemma2', 'families/phi3-long', 'chatglm/chatglm2'].map((path) => ({
    name: `${path}, float32`,
    flags: { model_dir: referencePath(path), dtype: 'float32' },
    vocabulary: 96,
    requestCount: 60,
    maxPromptTokens: 70,
    maxOutputTokens: 40,
    tightBlockCount: 40,
  })),
];

/**
 * On a GPU, rows are rounded by the class of a step's size (docs/guide/reproducibility.md). Random tokens as prompts leave the
 * model in doubt, so near ties are many.
 */
const ROUNDED: NearTies = { maxMargin: 0.1, maxPartingsPerToken: 0.02 };
/** Another rounding may give a key or a value the neighbouring code of 8 bits. */
const ROUNDED_TO_CODES: NearTies = { maxMargin: 0.5, maxPartingsPerToken: 0.08 };
const [float16, int8, int8Cache] = cpuModels;
const cudaModels: readonly Model[] = [
  { ...float16!, nearTies: ROUNDED },
  {
    ...float16!,
    name: 'demo model, float16, without most likely tokens',
    withoutTops: true,
    nearTies: ROUNDED,
  },
  { ...int8!, nearTies: ROUNDED },
  { ...int8Cache!, nearTies: ROUNDED_TO_CODES },
];

describe.each(DEVICE === 'cpu' ? cpuModels : cudaModels)('$name', (model) => {
  const { name, flags, requestCount, tightBlockCount } = model;
  let engine: TemporaryEngine;
  let blockBytes: number;
  beforeAll(async () => {
    engine = await buildTemporaryEngine({ ...flags, ...limits });
    blockBytes = await withExecutor(
      engine,
      { maxKvTokens: BLOCK_TOKENS },
      ({ memory }) => BLOCK_TOKENS * memory.kvBytesPerToken,
    );
  });
  afterAll(() => engine.dispose());

  defineGoldenSuite({
    name: `${name}, ${requestCount} mixed requests`,
    openExecutor: ({ blockCount, hostBlockCount }) =>
      openExecutor({
        engineDirectory: engine.directory,
        ...(DEVICE === 'cpu' ? { threadCount: 1 } : {}),
        maxKvTokens: blockCount * BLOCK_TOKENS,
        hostKvBytes: hostBlockCount * blockBytes,
      }),
    requests: mixedRequests(requestCount, 7, { ...model, withBeams: true }).filter(
      ({ sampling, beam }) =>
        model.withoutTops !== true || (sampling.logprobs === undefined && beam === undefined),
    ),
    ampleBlockCount: 400,
    tightBlockCount,
    smallStepTokens: 24,
    ways: 'essential',
    ...(model.nearTies === undefined ? {} : { nearTies: model.nearTies }),
  });
});
