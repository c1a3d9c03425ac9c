import { afterAll, beforeAll, describe } from 'vitest';
import { defineGoldenSuite } from '../run/batcher/testing/golden-suite.js';
import { mixedRequests } from '../run/batcher/testing/mixed-requests.js';
import { openExecutor } from '../run/executor/open-cpu.js';
import {
  type BuildFlags,
  buildTemporaryEngine,
  DEMO_MODEL,
  type TemporaryEngine,
  withExecutor,
} from './build-and-open.js';
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
}

const models: readonly Model[] = [
  {
    name: 'demo model, float16',
    flags: { model_dir: DEMO_MODEL, dtype: 'float16' },
    vocabulary: 4096,
    requestCount: 200,
    maxPromptTokens: 40,
    maxOutputTokens: 32,
    tightBlockCount: 26,
  },
  {
    name: 'demo model, int8',
    flags: { model_dir: DEMO_MODEL, dtype: 'float16', use_weight_only: true },
    vocabulary: 4096,
    requestCount: 200,
    maxPromptTokens: 40,
    maxOutputTokens: 32,
    tightBlockCount: 26,
  },
  {
    name: 'demo model, int8 with a KV cache of int8',
    flags: { model_dir: DEMO_MODEL, dtype: 'float16', use_weight_only: true, kv_cache_dtype: 'int8' },
    vocabulary: 4096,
    requestCount: 200,
    maxPromptTokens: 40,
    maxOutputTokens: 32,
    tightBlockCount: 26,
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
];

describe.each(models)('$name', (model) => {
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
        threadCount: 1,
        maxKvTokens: blockCount * BLOCK_TOKENS,
        hostKvBytes: hostBlockCount * blockBytes,
      }),
    requests: mixedRequests(requestCount, 7, { ...model, withBeams: true }),
    ampleBlockCount: 400,
    tightBlockCount,
    smallStepTokens: 24,
    ways: 'essential',
  });
});
