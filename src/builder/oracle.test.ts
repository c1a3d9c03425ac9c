/** Real checkpoints that transformers wrote, built and run by the reference executor, against transformers' logits. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { buildStep } from '../core/build-step.js';
import { SILENT_LOG } from '../core/log.js';
import { GREEDY } from '../core/sampling.js';
import { type EngineRank, openEngineRank } from '../engine/rank-file-reader.js';
import { ReferenceExecutor } from '../run/executor/reference/reference-executor.js';
import type { RankModel } from '../run/executor/reference/reference-rank.js';
import { buildEngine } from './builder.js';
import { openCheckpoint } from './checkpoint/open.js';
import { openSafetensorsFile } from './checkpoint/safetensors-file.js';
import { resolveBuildOptions } from './resolve-options.js';
import { floatsOf, ROW_MAJOR_LAYOUT } from './testing/row-major-layout.js';
import { withDirectory } from './testing/tiny-checkpoint.js';

const ORACLE = fileURLToPath(new URL('../../oracle/', import.meta.url));

interface TinyModel {
  readonly ids: readonly number[];
  readonly argmax: readonly number[];
}
const { models } = JSON.parse(readFileSync(join(ORACLE, 'logits-tiny.json'), 'utf8')) as {
  models: Record<string, TinyModel>;
};

/** Logits of all positions of one prompt, [tokens, vocabulary]. @param ranks opened with the row-major layout, dense */
async function promptLogits(ranks: readonly EngineRank[], ids: readonly number[]): Promise<Float32Array> {
  const [first, ...otherRanks] = ranks.map(rankModel);
  const count = ids.length;
  const executor = new ReferenceExecutor({
    ...first!,
    otherRanks,
    limits: {
      maxStepTokens: count,
      maxRows: 1,
      maxLogits: count,
      blockTokens: count,
      blockCount: 1,
      hostBlockCount: 0,
      maxSequenceTokens: count,
    },
    kvDtype: 'f32',
  });
  executor.attachSlot({
    slot: 0,
    sampling: GREEDY,
    isBeam: false,
    endIds: [],
    promptTokenIds: Int32Array.from(ids),
    outputTokenIds: new Int32Array(0),
  });
  const wanted = ids.map((_, index) => ({ index, target: 0 }));
  const row = { slot: 0, tokenIds: ids, firstPosition: 0, blocks: [0], wanted };
  executor.submit(buildStep([row], { returnLogits: true }));
  return (await executor.collect()).logits!;
}

function rankModel(rank: EngineRank): RankModel {
  return {
    plan: rank.plan,
    weight(name) {
      const tensor = rank.tensor(name);
      const { dtype, shape } = tensor;
      return { shape, data: floatsOf({ dtype, shape, bytes: tensor.bytes() }) };
    },
  };
}

async function builtLogits(
  checkpointPath: string,
  ids: readonly number[],
  worldSize: number,
): Promise<Float32Array> {
  return withDirectory(async (root) => {
    const directory = join(root, 'engine');
    const given = {
      model_dir: checkpointPath,
      output_dir: directory,
      dtype: 'float32',
      tp_size: String(worldSize),
    };
    const { options } = resolveBuildOptions(new Map(Object.entries(given)));
    const target = { layout: ROW_MAJOR_LAYOUT, deviceName: '', deviceArchitecture: null, createdBy: 'test' };
    const checkpoint = openCheckpoint(join(ORACLE, checkpointPath));
    await buildEngine(checkpoint, target, options, { log: SILENT_LOG, onProgress() {} });
    checkpoint.tensors.dispose();
    const ranks = Array.from({ length: worldSize }, (_, rank) =>
      openEngineRank(directory, {
        rank,
        worldSize,
        device: 'cpu',
        layoutVersion: ROW_MAJOR_LAYOUT.version,
        verification: 'full',
      }),
    );
    const logits = await promptLogits(ranks, ids);
    for (const rank of ranks) rank.dispose();
    return logits;
  });
}

/** Largest difference relative to the range of the expected logits. */
function relativeDifference(actual: Float32Array, expected: Float32Array): number {
  expect(actual.length).toBe(expected.length);
  let [low, high, largest] = [Infinity, -Infinity, 0];
  for (const [index, value] of expected.entries()) {
    low = Math.min(low, value);
    high = Math.max(high, value);
    largest = Math.max(largest, Math.abs(value - actual[index]!));
  }
  return largest / (high - low);
}

const argmax = (row: Float32Array): number => row.indexOf(row.reduce((a, b) => Math.max(a, b)));

const CASES = Object.keys(models).flatMap((name) => [1, 2].map((worldSize) => ({ name, worldSize })));

test.each(CASES)('$name on $worldSize ranks has the logits of transformers', async ({ name, worldSize }) => {
  const { ids, argmax: expectedArgmax } = models[name]!;
  const reference = openSafetensorsFile(join(ORACLE, 'logits-tiny.safetensors'));
  const expected = floatsOf(reference.read(name));
  reference.dispose();
  const logits = await builtLogits(`tiny/${name}`, ids, worldSize);
  const vocabulary = logits.length / ids.length;
  expect(relativeDifference(logits, expected)).toBeLessThan(2e-6);
  expect(ids.map((_, row) => argmax(logits.subarray(row * vocabulary, (row + 1) * vocabulary)))).toEqual(
    expectedArgmax,
  );
});

interface FamilyReference {
  readonly prompts: readonly { readonly ids: readonly number[] }[];
}

const FAMILIES = ['families', 'chatglm'].flatMap((folder) =>
  readdirSync(join(ORACLE, folder)).flatMap((name) =>
    [1, 2].map((worldSize) => ({ path: `${folder}/${name}`, worldSize })),
  ),
);

test.each(FAMILIES)(
  '$path on $worldSize ranks has the logits of its reference',
  async ({ path, worldSize }) => {
    const text = readFileSync(join(ORACLE, path, 'reference.json'), 'utf8');
    const { ids } = (JSON.parse(text) as FamilyReference).prompts[0]!;
    const reference = openSafetensorsFile(join(ORACLE, path, 'logits.safetensors'));
    const expected = floatsOf(reference.read('prompt0.logits'));
    reference.dispose();
    // chatglm3 has three key/value heads, which two ranks cannot share.
    const divides = path !== 'chatglm/chatglm3' || worldSize === 1;
    const ranks = divides ? worldSize : 3;
    expect(relativeDifference(await builtLogits(path, ids, ranks), expected)).toBeLessThan(2e-6);
  },
);
