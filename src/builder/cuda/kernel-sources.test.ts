import { expect, test } from 'vitest';
import { namedShape } from '../random-weights/shapes.js';
import { chooseLinear, linearChooser } from '../../ops/linear/cuda/choose.js';
import { problemKey } from '../../ops/linear/cuda/keys.js';
import { methodOf } from '../../ops/linear/cuda/methods.js';
import { expertDownLaunch, expertGateUpLaunch } from '../../ops/experts/cuda.js';
import { storedWeights } from '../../ops/linear/cuda/stored-weights.js';
import { INT8_PER_CHANNEL, NAMED_FORMATS } from '../../plan/weight-format.js';
import { asMixture, benchmarkPlan } from '../testing/benchmark-plans.js';
import { parseArchitecture } from '../../device/cuda/architecture.js';
import { kernelUnits } from './kernel-sources.js';
import { linearProblems } from './tune.js';

const H200 = { computeCapability: 90, multiprocessorCount: 132 };
const dense = benchmarkPlan({ shape: namedShape('llama2_7b'), dtype: 'f16', weights: 'dense' });

test.each([
  ['dense', dense],
  ['int8', benchmarkPlan({ shape: namedShape('llama2_7b'), dtype: 'f16', weights: 'int8' })],
])('without measurements, kernels are the built-in ones, with a GPU or by --arch (%s weights)', (_, plan) => {
  const choose = linearChooser(H200);
  for (const problem of linearProblems(plan, H200, 8192))
    for (const m of [problem.m, Math.max(1, problem.m - 3)])
      expect(choose({ ...problem, m })).toEqual(chooseLinear({ ...problem, m }, H200));
  expect(kernelUnits(plan, parseArchitecture('sm_90a'), 16)).toEqual(kernelUnits(plan, H200, 16, choose));
});

test.each([
  ['sm_90a', {}, ['attention_prefill_wgmma']],
  ['sm_90a', { kvDtype: 'i8' }, ['attention_prefill_wgmma', 'attention_prefill_expanded']],
  ['sm_100', {}, ['attention_prefill']],
  ['sm_80', {}, ['attention_prefill']],
] as const)('attention for %s with %o has %s', (arch, change, kernels) => {
  const units = kernelUnits({ ...dense, ...change }, parseArchitecture(arch), 16);
  const { headers } = units.find(({ name }) => name === 'attention')!;
  const text = [...headers.values()].join('');
  expect(text.match(/attention_prefill\w*(?=\()/g)).toEqual(kernels);
});

test('an engine has the kernel for any number of rows', () => {
  const plan = benchmarkPlan({ shape: namedShape('llama2_7b'), dtype: 'f16', weights: 'int8' });
  const { source } = kernelUnits(plan, H200, 16).find(({ name }) => name === 'linear-int8')!;
  const base = { n: 22016, k: 4096, format: INT8_PER_CHANNEL, epilogue: 'swiglu' } as const;
  for (const m of [1, 9, 20, 40, 70, 150, 700, 3000, 9000, 100_000]) {
    const problem = { ...base, m };
    const config = chooseLinear(problem, H200);
    expect(source).toContain(methodOf(config).kernel(config, problem)!.line);
  }
});

test.each(['f16', 'fp8', 'int4', 'int4_g32_zeros'] as const)(
  'an engine has the kernels that its experts in %s run',
  (name) => {
    const units = kernelUnits(asMixture(dense, name), H200, 16);
    const { source, headers } = units.find((unit) => unit.name === 'common')!;
    const text = [source, ...headers.values()].join('\n');
    const args = { x: 1, routes: 2, weight: 3, scale: 0, out: 4, in: 8, columns: 8, perToken: 1 };
    const stored = storedWeights(NAMED_FORMATS[name]);
    for (const launch of [expertGateUpLaunch, expertDownLaunch]) {
      const { unit, kernel } = launch(1, stored, args);
      expect(unit).toBe('common');
      expect(text).toMatch(new RegExp(`^\\w+_KERNEL\\(${kernel}, `, 'm'));
    }
  },
);

test('where cuBLASLt won, the built-in kernel is compiled too, for another version of cuBLASLt', () => {
  const winner = { method: 'matmul', algorithm: 2 } as const;
  const problems = linearProblems(dense, H200, 64);
  const all = new Map(problems.map((problem) => [problemKey(problem), winner]));
  const sourceOf = (units: ReturnType<typeof kernelUnits>) =>
    units.find(({ name }) => name === 'linear-dense')?.source;
  expect(sourceOf(kernelUnits(dense, H200, 16, linearChooser(H200, all)))).toBe(
    sourceOf(kernelUnits(dense, H200, 16)),
  );
});
