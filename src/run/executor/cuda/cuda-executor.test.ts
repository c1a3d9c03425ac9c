import { afterAll, describe, expect, test } from 'vitest';
import { namedShape } from '../../../builder/random-weights/shapes.js';
import { buildStep, type StepRow } from '../../../core/build-step.js';
import { GREEDY, type SamplingParams } from '../../../core/sampling.js';
import type { StepInput } from '../../../core/step.js';
import { benchmarkPlan } from '../../../builder/testing/benchmark-plans.js';
import type { TimedCall } from '../opening/timed-call.js';
import { openCudaExecutor } from './cuda-executor.js';
import type { CudaExecutorOptions } from './cuda-executor-options.js';
import { graphSizes } from './decode-graphs.js';
import { createFakeLibraries, createFakeGpu, FAKE_WORK_MS } from './testing/fake-gpu.js';

const libraries = createFakeLibraries();
afterAll(() => libraries.dispose());

const LAYERS = 2;
const shape = { ...namedShape('tinyllama_1b'), num_hidden_layers: LAYERS };
const plan = benchmarkPlan({ shape, dtype: 'f16', weights: 'int8' });
const UNITS = ['common', 'attention', 'sample', 'linear-int8', 'linear-dense'];
/** Embedding; in a layer norm, qkv, attention, projection, norm, gate-up with SwiGLU, down; last sum, gather, norm, head, sampling. */
const DECODE_LAUNCHES = 1 + LAYERS * 7 + 5;

function open(more: Partial<CudaExecutorOptions> = {}) {
  const fake = createFakeGpu(90);
  const { gpu, calls } = fake;
  const executor = openCudaExecutor({
    plan,
    gpu,
    tensorAddress: () => 4096,
    cudaLibraryPath: libraries.folder,
    units: new Map(UNITS.map((name) => [name, new Uint8Array(8)])),
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
const decode = (slots: readonly number[], position = 40): StepRow[] =>
  slots.map((slot) => ({ slot, tokenIds: [-1], firstPosition: position, blocks: BLOCKS }));
const countOf = (calls: readonly string[], name: string): number =>
  calls.filter((call) => call.startsWith(name)).length;

describe('a decode step', () => {
  test('is captured once a size and then launched whole', async () => {
    const { attach, run } = open();
    [0, 1, 2].forEach((slot) => attach(slot));
    const first = await run(decode([0, 1]));
    expect(countOf(first.made, 'cuLaunchKernelEx')).toBe(DECODE_LAUNCHES);
    const between = first.made.slice(
      first.made.indexOf('cuStreamBeginCapture_v2'),
      first.made.indexOf('cuStreamEndCapture') + 1,
    );
    expect(countOf(between, 'cuLaunchKernelEx')).toBe(DECODE_LAUNCHES);
    const again = await run(decode([1, 2], 41));
    expect(countOf(again.made, 'cuLaunchKernelEx')).toBe(0);
    expect(again.made.filter((call) => /Graph|Capture/.test(call))).toEqual(['cuGraphLaunch']);
    // The descriptor goes before the graph, the results after it.
    expect(again.made.map((call) => call.split(' ')[0])).toEqual([
      ...['cuEventRecord', 'cuMemcpyHtoDAsync_v2', 'cuGraphLaunch', 'cuMemcpyDtoHAsync_v2', 'cuEventRecord'],
      // Another stream signals the end to the host.
      ...['cuStreamWaitEvent', 'cuStreamAddCallback'],
      // Duration of the step, and of the device's wait before it.
      ...['cuEventQuery', 'cuEventElapsedTime', 'cuEventElapsedTime'],
    ]);
    const three = await run(decode([0, 1, 2]));
    expect(countOf(three.made, 'cuStreamBeginCapture_v2')).toBe(1);
    expect(three.output).toMatchObject({ logitCount: 3, topCount: 0 });
  });

  test('that reports log probabilities runs launch by launch, and more results come back', async () => {
    const { attach, run } = open();
    attach(0);
    attach(1, { ...GREEDY, logprobs: 4 });
    const plain = await run(decode([0]));
    const top = await run(decode([0, 1]));
    expect(countOf(top.made, 'cuGraphLaunch')).toBe(0);
    expect(countOf(top.made, 'cuLaunchKernelEx')).toBe(DECODE_LAUNCHES);
    expect(top.output.topCount).toBe(4);
    expect(top.output.topTokenIds).toHaveLength(8);
    const resultBytes = ({ made }: typeof top): number =>
      Number(/\d+$/.exec(made.find((call) => call.startsWith('cuMemcpyDtoH'))!)![0]);
    expect(resultBytes(top)).toBeGreaterThan(resultBytes(plain));
  });
});

describe('a step whose masks follow', () => {
  const WORDS = Math.ceil(plan.dims.vocabulary / 32);
  /** Decode steps of three rows, of which two have masks. */
  const step = (stepId: number): StepInput => {
    const mask = new Int32Array(WORDS).fill(-1);
    const rows = decode([0, 1, 2], 40 + stepId).map((row, i) =>
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
    const all = open(more);
    [0, 1, 2].forEach((slot) => all.attach(slot));
    const made = (act: () => void): string[] => {
      const first = all.calls.length;
      act();
      return all.calls.slice(first);
    };
    return { ...all, made };
  };
  const upload = `cuMemcpyHtoDAsync_v2 ${2 * WORDS * 4}`;
  const launchesOf = (calls: readonly string[]) =>
    calls
      .filter((call) => /Launch|HtoD|DtoH|Callback/.test(call))
      .map((call) => call.replace(/DtoH.*/, 'DtoH'));

  test('runs its forward pass as a graph without sampling, and samples when they come', async () => {
    const { executor, made } = opened();
    const first = made(() => executor.submit(late(1)));
    expect(countOf(first, 'cuLaunchKernelEx')).toBe(DECODE_LAUNCHES - 1);
    executor.supplyMasks(1, step(1).masks);
    await executor.collect();
    const forward = made(() => executor.submit(late(2)));
    expect(launchesOf(forward)).toEqual([expect.stringMatching(/^cuMemcpyHtoD/), 'cuGraphLaunch']);
    expect(forward).not.toContain(upload);
    const sampling = made(() => executor.supplyMasks(2, step(2).masks));
    expect(launchesOf(sampling)).toEqual([
      ...[upload, 'cuLaunchKernelEx', 'cuMemcpyDtoH', 'cuStreamAddCallback'],
    ]);
    expect(await executor.collect()).toMatchObject({ stepId: 2, logitCount: 3 });
    // Steps that have their masks have a graph of their own, with sampling in it.
    executor.submit(step(3));
    await executor.collect();
    const whole = made(() => executor.submit(step(4)));
    expect(launchesOf(whole)).toEqual([
      ...[
        upload,
        expect.stringMatching(/^cuMemcpyHtoD/),
        'cuGraphLaunch',
        'cuMemcpyDtoH',
        'cuStreamAddCallback',
      ],
    ]);
  });

  test.each([{ useGraphs: false }, { profile: () => undefined }])(
    'does the same launch by launch: %o',
    async (more) => {
      const { executor, made } = opened(more);
      const forward = made(() => executor.submit(late(1)));
      const sampling = made(() => executor.supplyMasks(1, step(1).masks));
      expect([forward, sampling].map((calls) => countOf(calls, 'cuLaunchKernelEx'))).toEqual([
        DECODE_LAUNCHES - 1,
        1,
      ]);
      expect((await executor.collect()).stepId).toBe(1);
    },
  );

  test('has its wait for masks among what the device waited for', async () => {
    const { executor, fake } = opened();
    executor.submit(step(0));
    const { deviceMs } = await executor.collect();
    fake.idle(1);
    executor.submit(late(1));
    fake.idle(2);
    executor.supplyMasks(1, step(1).masks);
    const output = await executor.collect();
    expect(output.idleMs).toBe(3);
    expect(output.deviceMs).toBe(deviceMs + FAKE_WORK_MS['cuLaunchKernelEx']!);
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

test('a step or a slot that leads out of bounds is refused before anything reaches the device', async () => {
  const { executor, calls, attach, run } = open();
  attach(0);
  const before = calls.length;
  const [row] = decode([0]);
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
  const { cuMemcpyHtoDAsync_v2: upload, cuMemcpyDtoHAsync_v2: download } = FAKE_WORK_MS;
  const copies = upload! + download!;
  const first = await run(decode([0]));
  expect(first.output).toMatchObject({ deviceMs: FAKE_WORK_MS['cuGraphLaunch']! + copies, idleMs: 0 });
  fake.idle(3);
  const scored = await run(decode([1]), { returnLogits: false });
  expect(scored.output).toMatchObject({ deviceMs: FAKE_WORK_MS['cuGraphLaunch']! + copies, idleMs: 3 });
  const prompt = { slot: 0, tokenIds: [1, 2], firstPosition: 0, blocks: [0] };
  const { made, output } = await run([prompt]);
  const launches = countOf(made, 'cuLaunchKernelEx');
  expect(launches).toBeGreaterThan(DECODE_LAUNCHES);
  expect(output).toMatchObject({
    deviceMs: launches * FAKE_WORK_MS['cuLaunchKernelEx']! + copies,
    idleMs: 0,
  });
});

test('a step that is not done is waited for without asking, and its signal ends the wait', async () => {
  const { fake, executor, calls, attach } = open();
  attach(0);
  attach(1);
  fake.hold();
  executor.submit(buildStep(decode([0]), { stepId: 1 }));
  executor.submit(buildStep(decode([1]), { stepId: 2 }));
  let collected = 0;
  const both = [1, 2].map(async (stepId) => {
    expect((await executor.collect()).stepId).toBe(stepId);
    collected++;
  });
  const asked = countOf(calls, 'cuEventQuery');
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect([collected, countOf(calls, 'cuEventQuery')]).toEqual([0, asked]);
  fake.release();
  await Promise.all(both);
  expect(countOf(calls, 'cuEventQuery')).toBe(asked + 2);
});

test('blocks move before the step: to the host, from it, on the device', async () => {
  const { executor, attach, run } = open();
  attach(0);
  const moves = {
    blocksToHost: Int32Array.of(3, 0, 4, 1),
    blocksFromHost: Int32Array.of(5, 0),
    blockCopies: Int32Array.of(1, 2),
  };
  const { made } = await run(decode([0]), moves);
  const blockBytes = 16 * executor.memory.kvBytesPerToken;
  expect(made.filter((call) => call.endsWith(` ${blockBytes}`)).map((call) => call.split(' ')[0])).toEqual([
    ...['cuMemcpyDtoHAsync_v2', 'cuMemcpyDtoHAsync_v2', 'cuMemcpyHtoDAsync_v2', 'cuMemcpyDtoDAsync_v2'],
  ]);
  expect(made.indexOf(`cuMemcpyDtoDAsync_v2 ${blockBytes}`)).toBeLessThan(made.indexOf('cuGraphLaunch'));
});

test('prepared steps need no capture later', async () => {
  const { executor, calls, attach, run } = open();
  executor.prepareSteps!();
  // Pieces of attention have 256 tokens: four in the longest sequence.
  expect(countOf(calls, 'cuStreamBeginCapture_v2')).toBe(graphSizes(12, () => 4).length);
  for (let slot = 0; slot < 12; slot++) attach(slot);
  for (const slots of [[0], [0, 1, 2], Array.from({ length: 12 }, (_, i) => i)])
    for (const position of [10, 300, 1000]) {
      const { made } = await run(decode(slots, position));
      expect(made.filter((call) => /Graph|Capture/.test(call))).toEqual(['cuGraphLaunch']);
    }
});

test('a profiled step runs without a graph and names the op of every launch', async () => {
  const heard: TimedCall[] = [];
  const { attach, run } = open({ profile: (call) => heard.push(call) });
  attach(0);
  const { made } = await run(decode([0]));
  expect(countOf(made, 'cuGraphLaunch')).toBe(0);
  expect(heard).toHaveLength(DECODE_LAUNCHES);
  const kinds = heard.map(({ opIndex }) => plan.ops[opIndex]?.kind ?? 'sample');
  expect(kinds.slice(0, 8)).toEqual([
    ...['embedding', 'rmsNorm', 'linear', 'pagedAttention', 'linear', 'addRmsNorm', 'linear', 'linear'],
  ]);
  expect(kinds.at(-1)).toBe('sample');
  expect(heard[6]!.kernel).toMatch(/^ring_.*_swiglu$/);
});

test('the device is given back', async () => {
  const { executor, calls, attach, run } = open();
  attach(0);
  await run(decode([0]));
  await executor.dispose();
  expect(countOf(calls, 'cuGraphExecDestroy')).toBe(1);
  expect(countOf(calls, 'cuModuleUnload')).toBe(UNITS.length);
  expect(calls.at(-1)).toBe('dispose');
});
