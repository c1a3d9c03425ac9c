/** Real checkpoints that transformers wrote, built and run with the operators' references, against transformers' logits. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { SILENT_LOG } from '../core/log.js';
import { openEngineRank } from '../engine/rank-file-reader.js';
import { type Matrix, rowOf } from '../ops/matrix.js';
import { buildEngine } from './builder.js';
import { openCheckpoint } from './checkpoint/open.js';
import { openSafetensorsFile } from './checkpoint/safetensors-file.js';
import { resolveBuildOptions } from './resolve-options.js';
import { floatsOf, ROW_MAJOR_LAYOUT } from './testing/row-major-layout.js';
import { promptLogits } from './testing/run-plan.js';
import { withDirectory } from './testing/tiny-checkpoint.js';

const ORACLE = fileURLToPath(new URL('../../oracle/', import.meta.url));

interface TinyModel {
  readonly ids: readonly number[];
  readonly argmax: readonly number[];
}
const { models } = JSON.parse(readFileSync(join(ORACLE, 'logits-tiny.json'), 'utf8')) as {
  models: Record<string, TinyModel>;
};

async function builtLogits(name: string, ids: readonly number[], worldSize: number): Promise<Matrix> {
  return withDirectory(async (root) => {
    const directory = join(root, 'engine');
    const given = { model_dir: name, output_dir: directory, dtype: 'float32', tp_size: String(worldSize) };
    const { options } = resolveBuildOptions(new Map(Object.entries(given)));
    const target = { layout: ROW_MAJOR_LAYOUT, deviceName: '', deviceArchitecture: null, createdBy: 'test' };
    const checkpoint = openCheckpoint(join(ORACLE, 'tiny', name));
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
    const logits = promptLogits(ranks, ids);
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
  const logits = await builtLogits(name, ids, worldSize);
  expect(relativeDifference(logits.data, expected)).toBeLessThan(2e-6);
  expect(ids.map((_, row) => argmax(rowOf(logits, row)))).toEqual(expectedArgmax);
});
