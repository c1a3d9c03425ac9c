/** One request for each rank of an engine opens that rank's file, and no other. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { buildEngine } from '../builder/builder.js';
import { openCheckpoint } from '../builder/checkpoint/open.js';
import { resolveBuildOptions } from '../builder/resolve-options.js';
import { faultOf } from '../builder/testing/fault.js';
import { withDirectory, writeTinyCheckpoint } from '../builder/testing/tiny-checkpoint.js';
import { SILENT_LOG } from '../core/log.js';
import { openRank } from '../run/executor/opening/open-rank.js';
import { openBuildTarget } from '../tools/cli/build-target.js';

/** Builds an engine of the tiny checkpoint for the CPU, which a GPU would not take in several ranks. */
async function buildTiny(root: string, rankCount: number): Promise<string> {
  const engineDirectory = join(root, 'engine');
  writeTinyCheckpoint(root);
  const given = { model_dir: root, output_dir: engineDirectory, tp_size: String(rankCount) };
  const { options } = resolveBuildOptions(new Map(Object.entries(given)));
  const checkpoint = openCheckpoint(root);
  const target = openBuildTarget({ device: 'cpu' }, options.precision, SILENT_LOG);
  await buildEngine(checkpoint, target, options, { log: SILENT_LOG, onProgress() {} });
  checkpoint.tensors.dispose();
  target.dispose();
  return engineDirectory;
}

test('a request that names no rank is for the only one, on the device of the engine', async () => {
  await withDirectory(async (root) => {
    const engineDirectory = await buildTiny(root, 1);
    const engine = openRank({ engineDirectory });
    expect(engine.plan).toMatchObject({ rank: 0, worldSize: 1 });
    engine.dispose();
    const fault = faultOf(() => openRank({ engineDirectory }, { device: 'cuda' }));
    expect([fault.code, fault.message]).toEqual([
      'ENGINE_DEVICE',
      expect.stringMatching(/built for 'cpu', this is 'cuda'/) as string,
    ]);
  });
});

test('every rank of two opens its own file, and a single one is refused', async () => {
  await withDirectory(async (root) => {
    const engineDirectory = await buildTiny(root, 2);
    for (const rank of [0, 1]) {
      const engine = openRank({ engineDirectory, rank, worldSize: 2, verification: 'full' });
      expect(engine.plan).toMatchObject({ rank, worldSize: 2 });
      engine.dispose();
    }
    expect(faultOf(() => openRank({ engineDirectory })).code).toBe('WORLD_SIZE_MISMATCH');
  });
});
