/** Tiny checkpoints of the model families: their references, how far logits are from them, and which of them a GPU runs. */
import { readdirSync } from 'node:fs';
import type { ModelConfig } from '../builder/checkpoint/model-config.js';
import { openCheckpoint } from '../builder/checkpoint/open.js';
import { type BuildFlags, withModel } from './build-and-open.js';
import { allLogits } from './logits.js';
import { referenceJson, referencePath, referenceTensors } from './reference-data.js';

interface Prompt {
  readonly ids: readonly number[];
  readonly argmax: readonly number[];
  readonly continuation: readonly number[];
}

export interface Family {
  /** Folder of `oracle/`. */
  readonly path: string;
  readonly config: ModelConfig;
  readonly prompts: readonly Prompt[];
  /** [tokens, vocabulary] f32 of each prompt. */
  readonly logits: readonly Float32Array[];
}

export const FAMILIES: readonly Family[] = ['families', 'chatglm'].flatMap((folder) =>
  readdirSync(referencePath(folder)).map((name) => openFamily(`${folder}/${name}`)),
);

function openFamily(path: string): Family {
  const { prompts } = referenceJson(`${path}/reference.json`) as { prompts: readonly Prompt[] };
  const logits = referenceTensors(`${path}/logits.safetensors`);
  const { config, tensors } = openCheckpoint(referencePath(path));
  tensors.dispose();
  return { path, config, prompts, logits: prompts.map((_, i) => logits.get(`prompt${i}.logits`)!) };
}

/** Longest prompt of engines for a GPU, in tokens: longer than all of the references. */
const GPU_INPUT_TOKENS = 64;

export const GPU_LIMITS = { max_input_len: String(GPU_INPUT_TOKENS) } as const;

/** Why a GPU refuses engines with {@link GPU_LIMITS}; undefined: it runs them. */
export function gpuRefusal({ headDim, rope: { scaling } }: ModelConfig): string | undefined {
  const refused = (why: string) => `The CUDA device cannot run this model: ${why}.`;
  if (headDim % 16 !== 0) return refused(`head size ${headDim} is not a multiple of 16 up to 256`);
  if (scaling.type !== 'dynamic' && scaling.type !== 'longrope') return undefined;
  const { type, originalMaxPositions: limit } = scaling;
  if (limit >= GPU_INPUT_TOKENS) return undefined;
  return refused(
    `its rotary scaling '${type}' depends on the length of prompts over ${limit} tokens; build with --max_input_len ${limit} or less, or with --device cpu`,
  );
}

/** Logits of all prompts of an engine that is built for them, each [tokens, vocabulary]. */
export function familyLogits(
  { path, prompts }: Family,
  flags: BuildFlags,
  chunkTokens?: number,
): Promise<Float32Array[]> {
  return withModel({ model_dir: referencePath(path), ...flags }, { maxKvTokens: 64 }, async (executor) => {
    const logits: Float32Array[] = [];
    for (const { ids } of prompts) logits.push(await allLogits(executor, ids, chunkTokens));
    return logits;
  });
}

/** Largest error of each row, as a share of the range of all; NaN where a value is not a number. */
export function errorsOfRows(actual: Float32Array, expected: Float32Array, columns: number): number[] {
  const range = expected.reduce((a, b) => Math.max(a, b)) - expected.reduce((a, b) => Math.min(a, b));
  return Array.from({ length: expected.length / columns }, (_, row) => {
    const errors = expected
      .subarray(row * columns, (row + 1) * columns)
      .map((value, i) => Math.abs(actual[row * columns + i]! - value));
    return Math.max(...errors) / range;
  });
}

/** Tokens of a prompt that may get another expert where two are almost equally likely, and logits of their own with it. */
export function maxRerouted({ config }: Family, { ids }: Prompt): number {
  return config.experts === undefined ? 0 : Math.ceil(0.15 * ids.length);
}
