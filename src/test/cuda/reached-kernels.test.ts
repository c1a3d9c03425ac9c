/** What the model cases launch, on a stand-in for a GPU: comparisons and sanitizers see a kernel only where a case reaches it. */
import { afterAll, expect, test } from 'vitest';
import { buildStep } from '../../core/build-step.js';
import { GREEDY } from '../../core/sampling.js';
import { kernelUnits } from '../../builder/cuda/kernel-sources.js';
import { openCudaExecutor } from '../../run/executor/cuda/cuda-executor.js';
import { fakeOptions } from '../../run/executor/cuda/testing/fake-executor.js';
import { createFakeGpu, createFakeLibraries } from '../../run/executor/cuda/testing/fake-gpu.js';
import { createTestPlan } from '../../plan/testing/test-plan.js';
import { isSampled, sequencesOf, stepRow } from './loads.js';
import { MODEL_CASES, type ModelCase } from './model-cases.js';

const libraries = createFakeLibraries();
afterAll(() => libraries.dispose());

/** A kernel that is written out, or that a line of its own makes from a template. */
const KERNEL =
  /^extern "C" __global__ void (?:__launch_bounds__\((?:[^()]|\([^()]*\))*\)\s+)?(\w+)\(|^\w+_KERNEL\((\w+),/gm;
/** Measures a GPU's limits for `aloft profile`. */
const OF_TOOLS = new Set(['read_limit']);

/**
 * A kernel without the numbers of its configuration: those of linear layers are made for as many rows as no small model has, and
 * have tests of their own in every configuration.
 */
const kindOf = (kernel: string): string => kernel.replace(/(?<=_)\d+_/g, '');

/** Names of the kernels that an engine has, and of those that the steps of a case launch. */
async function kernelsOf({ shape, load, kvDtype, isOldDevice = false, useGraphs }: ModelCase) {
  const own = createTestPlan(shape);
  const plan = { ...own, kvDtype: kvDtype ?? own.kvDtype };
  const { gpu, kernels: launched } = createFakeGpu(isOldDevice ? 80 : 90);
  const units = kernelUnits(plan, gpu.properties, load.limits.blockTokens);
  const options = fakeOptions(
    libraries.folder,
    units.map(({ name }) => name),
  );
  const { limits } = load;
  const kv = { ...options.kv, maxKvTokens: limits.blockCount * limits.blockTokens };
  const executor = openCudaExecutor({ ...options, plan, limits, kv, useGraphs, gpu });
  const sequences = sequencesOf(load, plan.dims.vocabulary);
  for (const { slot, prompt } of sequences)
    executor.attachSlot({
      ...{ slot, sampling: GREEDY, isBeam: false, endIds: [] },
      promptTokenIds: Int32Array.from(prompt),
      outputTokenIds: new Int32Array(0),
    });
  for (const parts of load.steps) {
    executor.submit(buildStep(parts.map((part) => stepRow(part, sequences[part.slot]!, true))));
    await executor.collect();
    for (const part of parts) {
      const sequence = sequences[part.slot]!;
      if (isSampled(part, sequence)) sequence.history.push(0);
    }
  }
  await executor.dispose();
  const texts = units.flatMap(({ source, headers }) => [source, ...headers.values()]);
  const compiled = texts.flatMap((text) =>
    Array.from(text.matchAll(KERNEL), ([, written, made]) => written ?? made!),
  );
  return { compiled, launched };
}

test('the model cases reach every kernel', async () => {
  const compiled = new Set<string>();
  const launched = new Set<string>();
  for (const one of MODEL_CASES) {
    const kernels = await kernelsOf(one);
    for (const name of kernels.compiled) if (!OF_TOOLS.has(name)) compiled.add(kindOf(name));
    for (const name of kernels.launched) launched.add(kindOf(name));
  }
  expect([...compiled].filter((name) => !launched.has(name)).toSorted()).toEqual([]);
  // A macro puts these names together.
  expect([...launched]).toEqual(
    expect.arrayContaining(['rms_norm', 'add_rms_norm'].flatMap((name) => [`${name}_int8`, `${name}_e4m3`])),
  );
});
