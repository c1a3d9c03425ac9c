import { afterAll, describe, expect, test } from 'vitest';
import { buildStep } from '../../../core/build-step.js';
import { GREEDY } from '../../../core/sampling.js';
import type { StepInput } from '../../../core/step.js';
import type { CudaExecutorOptions } from './cuda-executor-options.js';
import {
  callCount,
  decodingRows,
  DECODE_LAUNCHES,
  fakePlan as plan,
  openOnFakeGpu,
} from './testing/fake-executor.js';
import { createFakeLibraries, FAKE_WORK_MS } from './testing/fake-gpu.js';

const libraries = createFakeLibraries();
afterAll(() => libraries.dispose());

describe('a step with masks', () => {
  const WORDS = Math.ceil(plan.dims.vocabulary / 32);
  /** Decode steps of three rows, of which two have masks. */
  const step = (stepId: number): StepInput => {
    const mask = new Int32Array(WORDS).fill(-1);
    const rows = decodingRows([0, 1, 2], 40 + stepId).map((row, i) =>
      i === 0 ? row : { ...row, wanted: [{ index: 0, target: -1, mask }] },
    );
    return buildStep(rows, { stepId });
  };
  const late = (stepId: number): StepInput => ({
    ...step(stepId),
    masks: new Int32Array(0),
    masksFollow: true,
  });
  const opened = (more: Partial<CudaExecutorOptions> = {}) => {
    const all = openOnFakeGpu(libraries.folder, more);
    [0, 1, 2].forEach((slot) => all.attach(slot));
    const made = (act: () => void): string[] => {
      const first = all.calls.length;
      act();
      return all.calls.slice(first);
    };
    return { ...all, made };
  };
  const upload = `cuMemcpyHtoDAsync_v2 ${2 * WORDS * 4}`;
  const graph = 'cuGraphLaunch';
  const [descriptor, results] = ['copy_words', 'copy_words'];
  const signal = 'cuStreamAddCallback';
  const launchesOf = (calls: readonly string[]) =>
    calls
      .filter((call) => /Launch|HtoD|copy_words|Callback/.test(call))
      .map((call) => call.replace(/^copy_words.*/, 'copy_words'));

  test('runs its forward pass as a graph, and sampling as another when they come', async () => {
    const { executor, made } = opened();
    const first = made(() => executor.submit(late(1)));
    expect(callCount(first, 'cuLaunchKernelEx')).toBe(DECODE_LAUNCHES - 1);
    const firstSampling = made(() => executor.supplyMasks(1, step(1).masks));
    expect(callCount(firstSampling, 'cuLaunchKernelEx')).toBe(1);
    await executor.collect();
    const forward = made(() => executor.submit(late(2)));
    expect(launchesOf(forward)).toEqual([descriptor, graph]);
    expect(forward).not.toContain(upload);
    const sampling = made(() => executor.supplyMasks(2, step(2).masks));
    expect(launchesOf(sampling)).toEqual([upload, graph, results, signal]);
    expect(await executor.collect()).toMatchObject({ stepId: 2, logitCount: 3 });
    // Masks that are known from the beginning go the same way.
    const known = made(() => executor.submit(step(3)));
    expect(launchesOf(known)).toEqual([upload, descriptor, graph, graph, results, signal]);
    await executor.collect();
  });

  test('that is too special for a graph is sampled launch by launch, too', async () => {
    const { executor, made, attach } = opened();
    executor.detachSlot(0);
    attach(0, { ...GREEDY, logprobs: 2 });
    const forward = made(() => executor.submit(late(1)));
    const sampling = made(() => executor.supplyMasks(1, step(1).masks));
    expect(callCount([...forward, ...sampling], graph)).toBe(0);
    expect(callCount(sampling, 'cuLaunchKernelEx')).toBe(1);
    expect((await executor.collect()).topCount).toBe(2);
  });

  test.each([{ useGraphs: false }, { profile: () => undefined }])(
    'does the same launch by launch: %o',
    async (more) => {
      const { executor, made } = opened(more);
      const forward = made(() => executor.submit(late(1)));
      const sampling = made(() => executor.supplyMasks(1, step(1).masks));
      expect([forward, sampling].map((calls) => callCount(calls, 'cuLaunchKernelEx'))).toEqual([
        DECODE_LAUNCHES - 1,
        1,
      ]);
      expect((await executor.collect()).stepId).toBe(1);
    },
  );

  test('gets them while its forward pass computes, and the device waits for nothing', async () => {
    const { executor, fake } = opened();
    executor.submit(late(1));
    executor.supplyMasks(1, step(1).masks);
    expect((await executor.collect()).idleMs).toBe(0);
    const [forward, sampling] = fake.work.filter(({ call }) => call === graph);
    const masks = fake.work.find(({ call }) => call === upload)!;
    expect(masks.endMs).toBeLessThan(forward!.endMs);
    expect(sampling!.startMs).toBe(forward!.endMs);
  });

  test('is sampled with its own masks: they come after the sampling of the step before, which has others', async () => {
    const { executor, fake } = opened();
    // Both at once, so that only the device's own waits keep the order.
    executor.submit(step(1));
    executor.submit(step(2));
    await executor.collect();
    await executor.collect();
    const [, samplingBefore, forward, sampling] = fake.work.filter(({ call }) => call === graph);
    const [, masks] = fake.work.filter(({ call }) => call === upload);
    expect(masks!.startMs).toBeGreaterThanOrEqual(samplingBefore!.endMs);
    expect(masks!.startMs).toBeLessThan(forward!.endMs);
    expect(sampling!.startMs).toBeGreaterThanOrEqual(masks!.endMs);
  });

  test('has its wait for masks among what the device waited for', async () => {
    const { executor, fake } = opened();
    executor.submit(step(0));
    const { deviceMs } = await executor.collect();
    fake.idle(1);
    executor.submit(late(1));
    fake.idle(2);
    executor.supplyMasks(1, step(1).masks);
    const output = await executor.collect();
    const [, masks] = fake.work.filter(({ call }) => call === upload);
    const sampling = fake.work.findLast(({ call }) => call === graph);
    expect(sampling!.startMs).toBe(masks!.endMs);
    expect(output.idleMs).toBe(1 + 2 + FAKE_WORK_MS['cuMemcpyHtoDAsync_v2']!);
    expect(output.deviceMs).toBe(deviceMs);
  });

  test('takes the masks from memory that the caller may change at once', () => {
    const { executor, fake } = opened();
    executor.submit(late(1));
    const masks = Int32Array.from({ length: 2 * WORDS }, (_, i) => i);
    executor.supplyMasks(1, masks);
    const areas = fake.pinned.map(
      ({ buffer }) => new Int32Array(buffer, 0, Math.min(2 * WORDS, buffer.byteLength >> 2)),
    );
    expect(areas).toContainEqual(masks.slice());
  });

  test('keeps nobody from ending: without masks nothing of it waits on the device', async () => {
    const { executor, calls } = opened();
    executor.submit(late(1));
    await executor.dispose();
    expect(calls.at(-1)).toBe('dispose');
  });
});
