/** The suite of the executor's contract on a GPU: every kind of weights and cache, with graphs and without. */
import { afterAll } from 'vitest';
import { describeOnGpu } from '../../device/cuda/testing/on-gpu.js';
import { describeExecutor } from '../../run/executor/testing/conformance.js';
import type { Subject } from '../../run/executor/testing/conformance-driver.js';
import { breakToken } from '../../run/executor/testing/break-token.js';
import { createTestModel, type TestModelShape } from '../../run/executor/testing/test-model.js';
import { type CudaSetting, type CudaTools, openCudaTools, openTestExecutor } from './open-test-executor.js';
import { CACHE_TOLERANCE, TOLERANCE } from './tolerances.js';
import { BF16, F16, GEMMA, HEADS_OF_128, HEADS_OF_64, INT8, ODD } from './test-shapes.js';

let tools: CudaTools | undefined;
afterAll(() => tools?.dispose());

/** Opened by the first test: where the suite is skipped there is nothing to open. */
const toolsOnce = (): CudaTools => (tools ??= openCudaTools());

function subject(shape: TestModelShape, setting: Partial<CudaSetting> = {}): Subject {
  const model = createTestModel(shape);
  const cacheTolerance = setting.kvDtype === undefined ? 0 : CACHE_TOLERANCE[setting.kvDtype];
  return {
    // Two steps that both keep to the reference by this much can be twice as far from each other.
    tolerance: 2 * (TOLERANCE[shape.dense] + cacheTolerance),
    create(limits, fault) {
      const change: CudaSetting['change'] = (tensor, bytes) => {
        if (fault !== undefined && tensor === 'embedding')
          breakToken(bytes, model.plan.dims.vocabulary, fault.nanTokenId);
      };
      return openTestExecutor(toolsOnce(), { model, useGraphs: true, change, ...setting }, limits);
    },
  };
}

describeOnGpu('on a GPU', () => {
  describeExecutor('CUDA executor, f16', subject(F16));
  describeExecutor('CUDA executor, f16, no graphs', subject(F16, { useGraphs: false }));
  describeExecutor('CUDA executor, bf16, grouped queries, odd sizes', subject(ODD));
  describeExecutor('CUDA executor, int8', subject(INT8));
  describeExecutor('CUDA executor, f16, heads of 64', subject(HEADS_OF_64));
  describeExecutor('CUDA executor, bf16 activations, int8, heads of 128', subject(HEADS_OF_128));
  describeExecutor('CUDA executor, f16, cache int8', subject(F16, { kvDtype: 'i8' }));
  describeExecutor('CUDA executor, f16, cache fp8', subject(F16, { kvDtype: 'f8e4m3' }));
  describeExecutor(
    'CUDA executor, int8, cache int8, no graphs, kernels for compute capability 8.0',
    subject(INT8, { kvDtype: 'i8', useGraphs: false, isOldDevice: true }),
  );
  describeExecutor('CUDA executor, bf16, windows and soft caps', subject(GEMMA));
  describeExecutor(
    'CUDA executor, bf16, kernels for compute capability 8.0',
    subject(BF16, { isOldDevice: true }),
  );
});
