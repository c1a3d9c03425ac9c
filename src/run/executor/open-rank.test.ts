import { join } from 'node:path';
import { expect, test } from 'vitest';
import { buildEngine } from '../../builder/builder.js';
import { openCheckpoint } from '../../builder/checkpoint/open.js';
import { resolveBuildOptions } from '../../builder/resolve-options.js';
import { BUILD_TARGETS } from '../../builder/targets.js';
import { faultOf } from '../../builder/testing/fault.js';
import { withDirectory, writeTinyCheckpoint } from '../../builder/testing/tiny-checkpoint.js';
import { SILENT_LOG } from '../../core/log.js';
import { createCpuPool } from '../../device/cpu/kernel-library.js';
import { openRank } from './open-rank.js';

/** Builds an engine of the tiny checkpoint for the CPU. */
async function buildTiny(root: string, rankCount: number): Promise<string> {
  const engineDirectory = join(root, 'engine');
  writeTinyCheckpoint(root);
  const given = { model_dir: root, output_dir: engineDirectory, tp_size: String(rankCount) };
  const { options } = resolveBuildOptions(new Map(Object.entries(given)));
  const pool = createCpuPool({ threadCount: 1 });
  const checkpoint = openCheckpoint(root);
  const target = { ...BUILD_TARGETS.cpu(pool, {}), createdBy: 'test' };
  await buildEngine(checkpoint, target, options, { log: SILENT_LOG, onProgress() {} });
  checkpoint.tensors.dispose();
  pool.dispose();
  return engineDirectory;
}

test('a request names the rank; without words it is the only one', async () => {
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
