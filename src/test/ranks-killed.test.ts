/**
 * A process of a command on two ranks is killed at some point of its life: all of them end, with one coded error. How soon is
 * measured by bench/ranks/kills.mjs, where nothing else runs.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { buildTemporaryEngine, DEMO_MODEL, type TemporaryEngine } from './build-and-open.js';
import { killFault, killRank, randomKills } from './kill-ranks.js';

let engine: TemporaryEngine;
beforeAll(async () => {
  const sizes = { max_batch_size: '4', max_input_len: '64', max_output_len: '512' };
  engine = await buildTemporaryEngine({ model_dir: DEMO_MODEL, ...sizes, tp_size: '2', world_size: '2' });
});
afterAll(() => engine.dispose());

test.each(randomKills(20, 5))('$stage: the $who is killed after $afterMs ms', async (kill) => {
  const ending = await killRank(engine.directory, kill);
  expect(killFault(kill, ending), ending.err).toBeUndefined();
});
