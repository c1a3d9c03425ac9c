/**
 * Host time of a prompt's step on a GPU, whose kernels are launched one by one: `node bench/step/prompt-launches.mjs`. LLaMA-2-7B's
 * shape in INT8, 32 layers, on a stand-in for a driver that does nothing, so neither CUDA's time nor that of native calls counts.
 * Prints milliseconds of the first step, after all graphs have been captured, and of later ones.
 */
import { benchmarkPlan } from '../../dist/builder/testing/benchmark-plans.js';
import { namedShape } from '../../dist/builder/random-weights/shapes.js';
import { buildStep } from '../../dist/core/build-step.js';
import { GREEDY } from '../../dist/core/sampling.js';
import { openCudaExecutor } from '../../dist/run/executor/cuda/cuda-executor.js';
import { FAKE_UNITS, fakeOptions } from '../../dist/run/executor/cuda/testing/fake-executor.js';
import { createFakeGpu, createFakeLibraries } from '../../dist/run/executor/cuda/testing/fake-gpu.js';

const TOKENS = 128;
const STEPS = 200;
const libraries = createFakeLibraries();
const { gpu } = createFakeGpu(90);
let launchCount = 0;
const driver = {
  ...gpu.driver,
  raw: (name) => (name === 'cuLaunchKernelEx' ? () => (launchCount++, 0) : gpu.driver.raw(name)),
};
const options = fakeOptions(libraries.folder, FAKE_UNITS);
const executor = openCudaExecutor({
  plan: benchmarkPlan({ shape: namedShape('llama2_7b'), dtype: 'f16', weights: 'int8' }),
  gpu: { ...gpu, driver },
  ...options,
  limits: { ...options.limits, maxStepTokens: 2048, maxRows: 64, maxSequenceTokens: 4096 },
});
const prompt = new Int32Array(TOKENS);
executor.attachSlot({
  ...{ slot: 0, sampling: GREEDY, isBeam: false, endIds: [] },
  promptTokenIds: prompt,
  outputTokenIds: new Int32Array(0),
});
executor.prepareSteps();
launchCount = 0;
const step = buildStep([
  { slot: 0, tokenIds: [...prompt], firstPosition: 0, blocks: Array.from({ length: 8 }, (_, i) => i) },
]);
const times = [];
for (let i = 0; i < STEPS; i++) {
  const startMs = performance.now();
  executor.submit(step);
  times.push(performance.now() - startMs);
  await executor.collect();
}
const [first, ...later] = times;
const median = later.toSorted((a, b) => a - b)[later.length >> 1];
const each = ((1000 * median) / (launchCount / STEPS)).toFixed(2);
console.log(
  `${launchCount / STEPS} launches: first step ${first.toFixed(2)} ms, later ones ${median.toFixed(2)} ms, ${each} us each`,
);
await executor.dispose();
libraries.dispose();
