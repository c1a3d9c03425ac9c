/** The cases that sanitizers run one by one (check.ts), as tests. */
import { afterAll, expect, it } from 'vitest';
import { describeOnGpu } from '../../device/cuda/testing/on-gpu.js';
import { compareModel } from './compare-model.js';
import { MODEL_CASES } from './model-cases.js';
import { type CudaTools, openCudaTools } from './open-test-executor.js';

let tools: CudaTools | undefined;
afterAll(() => tools?.dispose());

describeOnGpu('a model computes on a GPU what the reference computes', () => {
  it.each(MODEL_CASES.map((test) => [test.name, test] as const))('%s', async (_, test) => {
    tools ??= openCudaTools();
    expect(await compareModel(test, tools)).toEqual([]);
  });
});
