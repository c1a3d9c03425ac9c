import { afterAll, describe, expect, test } from 'vitest';
import { buildStep, type StepRow } from '../../../core/build-step.js';
import { GREEDY } from '../../../core/sampling.js';
import type { TimedCall } from '../opening/timed-call.js';
import type { CudaExecutorOptions } from './cuda-executor-options.js';
import { graphSizes } from './decode-graphs.js';
import {
  callCount,
  decodingRows,
  DECODE_LAUNCHES,
  fakePlan as plan,
  openOnFakeGpu,
  FAKE_UNITS as UNITS,
} from './testing/fake-executor.js';
import { createFakeLibraries, FAKE_WORK_MS } from './testing/fake-gpu.js';

const libraries = createFakeLibraries();
afterAll(() => libraries.dispose());
const open = (more: Partial<CudaExecutorOptions> = {}) => openOnFakeGpu(libraries.folder, more);

describe('a decode step', () => {
  test('is captured once a size and then launched whole', async () => {
    const { attach, run } = open();
    [0, 1, 2].forEach((slot) => attach(slot));
    const first = await run(decodingRows([0, 1]));
    expect(callCount(first.made, 'cuLaunchKernelEx')).toBe(DECODE_LAUNCHES);
    const between = first.made.slice(
      first.made.indexOf('cuStreamBeginCapture_v2'),
      first.made.indexOf('cuStreamEndCapture') + 1,
    );
    expect(callCount(between, 'cuLaunchKernelEx')).toBe(DECODE_LAUNCHES);
    const again = await run(decodingRows([1, 2], 41));
    expect(callCount(again.made, 'cuLaunchKernelEx')).toBe(0);
    expect(again.made.filter((call) => /Graph|Capture/.test(call))).toEqual(['cuGraphLaunch']);
    // The descriptor goes before the graph, the results after it.
    expect(again.made.map((call) => call.split(' ')[0])).toEqual([
      ...['cuEventRecord', 'copy_words', 'cuGraphLaunch', 'copy_words', 'cuEventRecord'],
      // Another stream signals the end to the host.
      ...['cuStreamWaitEvent', 'cuStreamAddCallback'],
      // Duration of the step, and of the device's wait before it.
      ...['cuEventQuery', 'cuEventElapsedTime', 'cuEventElapsedTime'],
    ]);
    const three = await run(decodingRows([0, 1, 2]));
    expect(callCount(three.made, 'cuStreamBeginCapture_v2')).toBe(1);
    expect(three.output).toMatchObject({ logitCount: 3, topCount: 0 });
  });

  test('that reports log probabilities runs launch by launch, and more results come back', async () => {
    const { attach, run } = open();
    attach(0);
    attach(1, { ...GREEDY, logprobs: 4 });
    const plain = await run(decodingRows([0]));
    const top = await run(decodingRows([0, 1]));
    expect(callCount(top.made, 'cuGraphLaunch')).toBe(0);
    expect(callCount(top.made, 'cuLaunchKernelEx')).toBe(DECODE_LAUNCHES);
    expect(top.output.topCount).toBe(4);
    expect(top.output.topTokenIds).toHaveLength(8);
    const resultBytes = ({ made }: typeof top): number =>
      Number(/\d+$/.exec(made.findLast((call) => call.startsWith('copy_words'))!)![0]);
    expect(resultBytes(top)).toBeGreaterThan(resultBytes(plain));
  });
});

test('a step or a slot that leads out of bounds is refused before anything reaches the device', async () => {
  const { executor, calls, attach, run } = open();
  attach(0);
  const before = calls.length;
  const [row] = decodingRows([0]);
  const { blockCount } = executor.limits;
  const faulty: readonly (readonly [StepRow, Parameters<typeof buildStep>[1]?])[] = [
    [{ ...row!, blocks: [0, blockCount, 1] }],
    [{ ...row!, slot: 1 }],
    [{ ...row!, tokenIds: [plan.dims.vocabulary] }],
    [row!, { blocksToHost: Int32Array.of(0, executor.limits.hostBlockCount) }],
    [row!, { blockCopies: Int32Array.of(0, blockCount) }],
  ];
  for (const [faultyRow, options] of faulty)
    expect(() => executor.submit(buildStep([faultyRow], options))).toThrowError(/Broken invariant/);
  const manyBiases = new Map(Array.from({ length: 2100 }, (_, id) => [id, 1]));
  for (const sampling of [
    { ...GREEDY, logprobs: 33 },
    { ...GREEDY, logitBias: manyBiases },
  ])
    expect(() => attach(1, sampling)).toThrowError(/Broken invariant/);
  for (const slot of [0, 12, -1]) expect(() => attach(slot)).toThrowError(/Broken invariant/);
  expect(calls.slice(before)).toEqual([]);
  expect((await run([row!])).output.logitCount).toBe(1);
});

test('a step reports the time that the device worked on it, and that it had nothing to do before', async () => {
  const { fake, attach, run } = open();
  attach(0);
  attach(1, { ...GREEDY, logprobs: 0 });
  const { cuMemcpyHtoDAsync_v2: upload, copy_words: copy } = FAKE_WORK_MS;
  const first = await run(decodingRows([0]));
  expect(first.output).toMatchObject({ deviceMs: FAKE_WORK_MS['cuGraphLaunch']! + 2 * copy!, idleMs: 0 });
  fake.idle(3);
  const scored = await run(decodingRows([1]), { returnLogits: false });
  expect(scored.output).toMatchObject({ deviceMs: FAKE_WORK_MS['cuGraphLaunch']! + 2 * copy!, idleMs: 3 });
  const prompt = { slot: 0, tokenIds: [1, 2], firstPosition: 0, blocks: [0] };
  const { made, output } = await run([prompt]);
  const launches = callCount(made, 'cuLaunchKernelEx');
  expect(launches).toBeGreaterThan(DECODE_LAUNCHES);
  expect(output).toMatchObject({
    deviceMs: launches * FAKE_WORK_MS['cuLaunchKernelEx']! + upload! + copy!,
    idleMs: 0,
  });
});

test('a step that is not done is waited for without asking, and its signal ends the wait', async () => {
  const { fake, executor, calls, attach } = open();
  attach(0);
  attach(1);
  fake.hold();
  executor.submit(buildStep(decodingRows([0]), { stepId: 1 }));
  executor.submit(buildStep(decodingRows([1]), { stepId: 2 }));
  let collected = 0;
  const both = [1, 2].map(async (stepId) => {
    expect((await executor.collect()).stepId).toBe(stepId);
    collected++;
  });
  const asked = callCount(calls, 'cuEventQuery');
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect([collected, callCount(calls, 'cuEventQuery')]).toEqual([0, asked]);
  fake.release();
  await Promise.all(both);
  expect(callCount(calls, 'cuEventQuery')).toBe(asked + 2);
});

test('blocks move before the step: to the host, from it, on the device', async () => {
  const { executor, attach, run } = open();
  attach(0);
  const moves = {
    blocksToHost: Int32Array.of(3, 0, 4, 1),
    blocksFromHost: Int32Array.of(5, 0),
    blockCopies: Int32Array.of(1, 2),
  };
  const { made } = await run(decodingRows([0]), moves);
  const blockBytes = 16 * executor.memory.kvBytesPerToken;
  expect(made.filter((call) => call.endsWith(` ${blockBytes}`)).map((call) => call.split(' ')[0])).toEqual([
    ...['cuMemcpyDtoHAsync_v2', 'cuMemcpyDtoHAsync_v2', 'cuMemcpyHtoDAsync_v2', 'cuMemcpyDtoDAsync_v2'],
  ]);
  expect(made.indexOf(`cuMemcpyDtoDAsync_v2 ${blockBytes}`)).toBeLessThan(made.indexOf('cuGraphLaunch'));
});

test('prepared steps need no capture later', async () => {
  const { executor, calls, attach, run } = open();
  executor.prepareSteps!();
  // The longest sequence has 1,024 tokens, in pieces of 512 where rows are few, else of 256.
  const most = (rows: number): number => (rows <= 8 ? 2 : 4);
  expect(callCount(calls, 'cuStreamBeginCapture_v2')).toBe(graphSizes(12, most).length);
  for (let slot = 0; slot < 12; slot++) attach(slot);
  for (const slots of [[0], [0, 1, 2], Array.from({ length: 12 }, (_, i) => i)])
    for (const position of [10, 300, 1000]) {
      const { made } = await run(decodingRows(slots, position));
      expect(made.filter((call) => /Graph|Capture/.test(call))).toEqual(['cuGraphLaunch']);
    }
});

test('a profiled step runs without a graph and names the op of every launch', async () => {
  const heard: TimedCall[] = [];
  const { attach, run } = open({ profile: (call) => heard.push(call) });
  attach(0);
  const { made } = await run(decodingRows([0]));
  expect(callCount(made, 'cuGraphLaunch')).toBe(0);
  expect(heard).toHaveLength(DECODE_LAUNCHES);
  const kinds = heard.map(({ opIndex }) => plan.ops[opIndex]?.kind ?? 'sample');
  expect(kinds.slice(0, 8)).toEqual([
    ...['embedding', 'rmsNorm', 'linear', 'pagedAttention', 'linear', 'linear', 'linear', 'linear'],
  ]);
  expect(kinds.at(-1)).toBe('sample');
  expect(heard[5]!.kernel).toMatch(/^ring_.*_swiglu$/);
});

test('the device is given back', async () => {
  const { executor, calls, attach, run } = open();
  attach(0);
  await run(decodingRows([0]));
  await executor.dispose();
  expect(callCount(calls, 'cuGraphExecDestroy')).toBe(1);
  expect(callCount(calls, 'cuModuleUnload')).toBe(UNITS.length);
  expect(calls.at(-1)).toBe('dispose');
});
