/** A device that fails in the middle of a step. The file has one test, because its process cannot use the device afterwards. */
import { expect, it } from 'vitest';
import { buildStep } from '../../core/build-step.js';
import { GREEDY } from '../../core/sampling.js';
import { describeOnGpu } from '../../device/cuda/testing/on-gpu.js';
import { createTestModel } from '../../run/executor/testing/test-model.js';
import { MIXED_LOAD } from './loads.js';
import { openCudaTools, openTestExecutor } from './open-test-executor.js';
import { F16 } from './test-shapes.js';

/** A quarter of the time after which the batcher gives up a step that does not end. */
const SOON_MS = 30_000;

describeOnGpu('a device that fails', () => {
  it('fails the step that is waited for, long before the watchdog', async () => {
    const setting = { model: createTestModel(F16), useGraphs: false, lostTensor: 'embedding' };
    const executor = openTestExecutor(openCudaTools(), setting, MIXED_LOAD.limits);
    executor.attachSlot({
      slot: 0,
      sampling: GREEDY,
      isBeam: false,
      endIds: [],
      promptTokenIds: Int32Array.of(1, 2),
      outputTokenIds: new Int32Array(0),
    });
    const step = buildStep([{ slot: 0, tokenIds: [1, 2], firstPosition: 0, blocks: [0] }]);
    const startMs = performance.now();
    const run = async () => {
      executor.submit(step);
      return executor.collect();
    };
    await expect(run()).rejects.toMatchObject({ code: 'DEVICE_FAILED' });
    expect(performance.now() - startMs).toBeLessThan(SOON_MS);
  });
});
