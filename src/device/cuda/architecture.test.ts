import { expect, test } from 'vitest';
import { architectureName, parseArchitecture } from './architecture.js';

test.each([
  ['sm_80', 80, 108, 'sm_80'],
  ['sm_86', 86, 84, 'sm_86'],
  ['sm_89', 89, 142, 'sm_89'],
  ['sm_90', 90, 132, 'sm_90a'],
  ['sm_90a', 90, 132, 'sm_90a'],
  ['sm_100', 100, 148, 'sm_100'],
  ['sm_103', 103, 148, 'sm_103'],
])('%s', (name, computeCapability, multiprocessorCount, compilerName) => {
  expect(parseArchitecture(name)).toEqual({ computeCapability, multiprocessorCount });
  expect(architectureName(computeCapability)).toBe(compilerName);
});

test.each(['sm_75', 'sm_9', '90', 'hopper', ''])("'%s' is refused", (name) => {
  expect(() => parseArchitecture(name)).toThrow(/--arch/);
});
