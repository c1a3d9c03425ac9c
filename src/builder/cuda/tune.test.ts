import { expect, test } from 'vitest';
import { namedShape } from '../random-weights/shapes.js';
import { chooseLinear, kernelCandidates } from '../../ops/linear/cuda/choose.js';
import { configKey, problemKey } from '../../ops/linear/cuda/keys.js';
import type { LinearConfig } from '../../ops/linear/cuda/methods.js';
import { benchmarkPlan } from '../testing/benchmark-plans.js';
import { type LinearCall, linearProblems, tuneLinears, type LinearTimer } from './tune.js';

const H200 = { computeCapability: 90, multiprocessorCount: 132 };
const A100 = { computeCapability: 80, multiprocessorCount: 108 };
const VERSION = 130100;
const plan = benchmarkPlan({ shape: namedShape('llama2_7b'), dtype: 'f16', weights: 'int8' });
const key = (problem: Parameters<typeof problemKey>[0]): string => problemKey(problem);

type Microseconds = (config: LinearConfig, index: number) => number | undefined;

/** Times by configuration, by itself and in a row; every call by itself is counted. */
function fakeTimer(microseconds: Microseconds, inRow: Microseconds = microseconds) {
  const calls: string[] = [];
  const candidates: LinearTimer['candidates'] = (problem) => {
    const first = chooseLinear(problem, H200);
    return [first, ...kernelCandidates(problem, H200), { method: 'matmul', algorithm: 5 }];
  };
  const indexOf = ({ problem, config }: LinearCall): number =>
    candidates(problem)
      .map((one) => configKey(one, VERSION))
      .indexOf(configKey(config, VERSION));
  const rows: string[] = [];
  const timer: LinearTimer = {
    libraryVersion: VERSION,
    candidates,
    microseconds(problem, config) {
      calls.push(problemKey(problem));
      return microseconds(config, indexOf({ problem, config }));
    },
    microsecondsInRow(row) {
      rows.push(row.map(({ problem }) => `${problem.n}x${problem.k} ${problem.m}`).join(', '));
      return row.reduce((sum, call) => sum + inRow(call.config, indexOf(call))!, 0);
    },
  };
  return { timer, calls, rows };
}

test('the problems of LLaMA-2-7B: four layers and the head, rows by class up to a step', () => {
  const keys = linearProblems(plan, H200, 1024).map(key);
  expect(keys.filter((name) => name.includes('12288x4096'))).toEqual(
    [8, 16, 32, 64, 128, 192, 256, 384, 512, 768, 1024].map(
      (rows) => `linear int8 12288x4096 store rows <=${rows}`,
    ),
  );
  expect(keys.filter((name) => name.includes('22016x4096 swiglu'))).toHaveLength(11);
  expect(keys.filter((name) => name.includes('22016x4096 store'))).toHaveLength(0);
  // The head sees one row a sequence.
  expect(keys.filter((name) => name.includes('dense 32000x4096 f32'))).toHaveLength(4);
  expect(new Set(keys).size).toBe(keys.length);
});

test('a step of any tokens is in a class that is timed', () => {
  const rowsOf = (maxStepTokens: number) =>
    linearProblems(plan, H200, maxStepTokens)
      .map(key)
      .filter((name) => name.includes('12288x4096'))
      .map((name) => name.replace(/.* rows /, ''));
  expect(rowsOf(100).at(-1)).toBe('<=128');
  expect(rowsOf(8192).at(-1)).toBe('<=8192');
  expect(rowsOf(32768).at(-1)).toBe('>8192');
});

test('only what a kernel can fuse is fused', () => {
  const fused = linearProblems(plan, A100, 64).filter(({ epilogue }) => epilogue === 'swiglu');
  expect(fused.map(({ m }) => m)).toEqual([8, 16]);
  // 16-bit weights of 64 rows are cuBLASLt's, which has no SwiGLU: gate and up are a product by themselves.
  const dense = benchmarkPlan({ shape: namedShape('llama2_7b'), dtype: 'f16', weights: 'dense' });
  const gates = linearProblems(dense, H200, 64).filter(({ n }) => n === 22016);
  expect(gates.map(({ m, epilogue }) => `${m} ${epilogue}`)).toEqual([
    '8 swiglu',
    '16 swiglu',
    '32 swiglu',
    '64 store',
  ]);
  for (const problem of linearProblems(dense, H200, 8192))
    if (problem.epilogue === 'swiglu') expect(chooseLinear(problem, H200).method).not.toBe('matmul');
});

test('the fastest wins, and what does not give the same result never does', () => {
  const problems = linearProblems(plan, H200, 128).slice(0, 1);
  const { timer } = fakeTimer((_, index) => (index === 2 ? undefined : index === 3 ? 40 : 60 + index));
  const timings = tuneLinears(problems, {}, timer);
  const winner = timer.candidates(problems[0]!)[3]!;
  expect(timings[key(problems[0]!)]).toEqual({ config: configKey(winner, VERSION), microseconds: 40 });
});

test('a gain below the noise leaves the built-in choice', () => {
  const problems = linearProblems(plan, H200, 128).filter(({ m }) => m === 64);
  const { timer } = fakeTimer((_, index) => (index === 0 ? 100 : 99));
  const expected = configKey(chooseLinear(problems[0]!, H200), VERSION);
  expect(tuneLinears(problems, {}, timer)[key(problems[0]!)]!.config).toBe(expected);
});

test('layers of few rows get what is fastest in a row, whatever is by itself; all others what is by itself', () => {
  const problems = linearProblems(plan, H200, 128);
  const { timer, rows } = fakeTimer(
    (_, index) => (index === 1 ? 50 : 100),
    (_, index) => (index === 2 ? 90 : 100),
  );
  const timings = tuneLinears(problems, {}, timer);
  for (const problem of problems) {
    const isInRow = problem.m <= 16 && problem.epilogue !== 'f32';
    const winner = timer.candidates(problem)[isInRow ? 2 : 1];
    expect(timings[key(problem)]!.config, key(problem)).toBe(configKey(winner!, VERSION));
  }
  // The fewest and the most rows of both classes, of all layers in order.
  const row = (m: number) =>
    ['12288x4096', '4096x4096', '22016x4096', '4096x11008'].map((size) => `${size} ${m}`);
  expect(new Set(rows)).toEqual(new Set([1, 8, 9, 16].map((m) => row(m).join(', '))));
});

test('in a row, the built-in choice stays where others gain no more than noise', () => {
  const problems = linearProblems(plan, H200, 128);
  const { timer } = fakeTimer(
    (_, index) => (index === 0 ? 100 : 50),
    (_, index) => (index === 0 ? 100 : 99.9),
  );
  const timings = tuneLinears(problems, {}, timer);
  for (const problem of problems.filter(({ m, epilogue }) => m <= 16 && epilogue !== 'f32'))
    expect(timings[key(problem)]!.config).toBe(configKey(chooseLinear(problem, H200), VERSION));
});

test('in a row, the built-in choice stays where others gain less than a step may lose', () => {
  const problems = linearProblems(plan, H200, 128).filter(({ m, epilogue }) => m <= 16 && epilogue !== 'f32');
  const configsWith = (microseconds: number) => {
    const { timer } = fakeTimer(
      () => 100,
      (_, index) => (index === 2 ? microseconds : 100),
    );
    const timings = tuneLinears(problems, {}, timer);
    return { timer, configs: problems.map((problem) => timings[key(problem)]!.config) };
  };
  const built = configsWith(96).configs;
  expect(built).toEqual(problems.map((problem) => configKey(chooseLinear(problem, H200), VERSION)));
  const { timer, configs } = configsWith(94);
  expect(configs).toEqual(problems.map((problem) => configKey(timer.candidates(problem)[2]!, VERSION)));
});

test('in a row, small gains that are gone when it is timed once more are given up', () => {
  const problems = linearProblems(plan, H200, 128);
  let calls = 0;
  const { timer } = fakeTimer(
    () => 100,
    () => (calls++ < 1000 ? 100 - calls / 12 : 100),
  );
  const timings = tuneLinears(problems, {}, timer);
  for (const problem of problems.filter(({ m, epilogue }) => m === 8 && epilogue !== 'f32'))
    expect(timings[key(problem)]!.config).toBe(configKey(chooseLinear(problem, H200), VERSION));
});

test('what gives another result is not tried in a row either', () => {
  const problems = linearProblems(plan, H200, 128);
  const { timer } = fakeTimer(
    (_, index) => (index === 2 ? undefined : 100),
    (_, index) => (index === 2 ? 10 : index === 3 ? 90 : 100),
  );
  const problem = problems[0]!;
  const winner = timer.candidates(problem)[3]!;
  expect(tuneLinears(problems, {}, timer)[key(problem)]!.config).toBe(configKey(winner, VERSION));
});

test('what is known is not measured again, unless this version cannot run it', () => {
  const problems = linearProblems(plan, H200, 128);
  const first = fakeTimer(() => 10);
  const timings = tuneLinears(
    problems,
    { other: { config: 'ring 1 1 1 1 1 1 1', microseconds: 1 } },
    first.timer,
  );
  expect(timings['other']).toBeDefined();
  const again = fakeTimer(() => 5);
  expect(tuneLinears(problems, timings, again.timer)).toEqual(timings);
  expect(again.calls).toEqual([]);
  const name = key(problems[0]!);
  const stale = { ...timings, [name]: { config: `cublasLt ${VERSION + 1} algorithm 2`, microseconds: 1 } };
  expect(tuneLinears(problems, stale, again.timer)[name]!.microseconds).toBe(5);
  expect(new Set(again.calls)).toEqual(new Set([name]));
});

test('a problem that nothing solved has no entry', () => {
  const problems = linearProblems(plan, H200, 128).slice(0, 1);
  expect(tuneLinears(problems, {}, fakeTimer(() => undefined).timer)).toEqual({});
});

test('a device that fails is an error that names the configurations, by itself and in a row', () => {
  const problems = linearProblems(plan, H200, 128);
  const broken = (): number => {
    throw new Error('an illegal address.');
  };
  const failed =
    /^Timing 'ring [\d ]+' for 'linear int8 12288x4096 store rows <=8' failed: an illegal address\. Build with --no_tune/;
  expect(() => tuneLinears(problems, {}, fakeTimer(broken).timer)).toThrow(failed);
  const inRow = /^Timing 'ring .* <=8', then 'ring .* 4096x11008 store rows <=8' failed: .* --no_tune/;
  expect(() => tuneLinears(problems, {}, fakeTimer(() => 100, broken).timer)).toThrow(inRow);
});
