import { benchmarkPlan } from '../../../../builder/testing/benchmark-plans.js';
import { namedShape } from '../../../../builder/random-weights/shapes.js';
import { buildStep, type StepRow } from '../../../../core/build-step.js';
import { GREEDY, type SamplingParams } from '../../../../core/sampling.js';
import { openCudaExecutor } from '../cuda-executor.js';
import type { CudaExecutorOptions } from '../cuda-executor-options.js';
import { createFakeGpu } from './fake-gpu.js';

const LAYERS = 2;
const shape = { ...namedShape('tinyllama_1b'), num_hidden_layers: LAYERS };
/** Plan of a fake executor: two layers in INT8. */
export const fakePlan = benchmarkPlan({ shape, dtype: 'f16', weights: 'int8' });
export const FAKE_UNITS = ['common', 'attention', 'sample', 'linear-int8', 'linear-dense'];
/** Launches of a decode step. Embedding, norm; in a layer qkv, attention, projection, gate-up with SwiGLU, down; last sum, gather, norm, head, sampling. */
export const DECODE_LAUNCHES = 2 + LAYERS * 5 + 5;

/** Options of an executor on a fake GPU that do not depend on its plan. @param libraryFolder that of its stand-ins for libraries */
export const fakeOptions = (libraryFolder: string, unitNames: readonly string[]) => ({
  tensorAddress: () => 4096,
  cudaLibraryPath: libraryFolder,
  units: new Map(unitNames.map((name) => [name, new Uint8Array(8)])),
  limits: {
    maxStepTokens: 512,
    maxRows: 12,
    maxLogits: 64,
    blockTokens: 16,
    blockCount: 0,
    hostBlockCount: 4,
    maxSequenceTokens: 1024,
  },
  kv: { weightBytes: 1e9, kvCacheFreeMemFraction: 0.5, maxKvTokens: undefined, maxDeviceBytes: undefined },
});

/** An executor on a GPU that computes nothing. @param libraryFolder that of its stand-ins for libraries */
export function openOnFakeGpu(libraryFolder: string, more: Partial<CudaExecutorOptions> = {}) {
  const fake = createFakeGpu(90);
  const { gpu, calls } = fake;
  const executor = openCudaExecutor({
    plan: fakePlan,
    gpu,
    ...fakeOptions(libraryFolder, FAKE_UNITS),
    ...more,
  });
  const attach = (slot: number, sampling: SamplingParams = GREEDY) =>
    executor.attachSlot({
      slot,
      sampling,
      isBeam: false,
      endIds: [],
      promptTokenIds: Int32Array.of(1, 2, 3),
      outputTokenIds: Int32Array.of(4),
    });
  /** Runs a step. @returns the driver calls that it made */
  const run = async (rows: readonly StepRow[], options: Parameters<typeof buildStep>[1] = {}) => {
    const first = calls.length;
    executor.submit(buildStep(rows, options));
    const output = await executor.collect();
    return { made: calls.slice(first), output };
  };
  return { fake, executor, calls, attach, run };
}

const BLOCKS = Array.from({ length: 64 }, (_, block) => block);
/** Rows that each bring the token that was sampled last for their slot. */
export const decodingRows = (slots: readonly number[], position = 40): StepRow[] =>
  slots.map((slot) => ({ slot, tokenIds: [-1], firstPosition: position, blocks: BLOCKS }));
/** Number of calls whose names begin in some way. */
export const callCount = (calls: readonly string[], name: string): number =>
  calls.filter((call) => call.startsWith(name)).length;
