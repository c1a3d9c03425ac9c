import { expect, test } from 'vitest';
import type { CudaDriver } from './driver.js';
import { callMicroseconds, fastestMs } from './fastest.js';
import { createStream } from './stream.js';

/** A driver whose runs take the given milliseconds, one after the other, and that counts what it makes and frees. */
function createDriver(runMs: readonly number[]) {
  const names: string[] = [];
  const left = [...runMs];
  const note = (name: string): number => names.push(name);
  const driver = {
    call: note,
    out64: note,
    out64WithFirst: note,
    outFloat: () => left.shift()!,
    raw: (name: string) => () => note(name),
    check: () => {},
  } as unknown as CudaDriver;
  const count = (name: string): number => names.filter((one) => one === name).length;
  return { driver, stream: createStream(driver), count };
}

test('of several runs the fastest counts, and each is waited for', () => {
  const { driver, stream, count } = createDriver([4, 2, 3]);
  let runs = 0;
  expect(fastestMs(driver, stream, 3, () => void runs++)).toBe(2);
  expect([runs, count('cuEventSynchronize')]).toEqual([3, 3]);
  expect(count('cuEventDestroy_v2')).toBe(count('cuEventCreate'));
});

test('the time of a call is its share of a graph that is captured once and launched several times', () => {
  const { driver, stream, count } = createDriver([0.5, 0.4]);
  const calls: number[] = [];
  const timed = callMicroseconds(driver, stream, { calls: 8, runs: 2 }, (index) => void calls.push(index));
  expect(timed).toBe(50);
  expect(calls).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  expect([count('cuStreamBeginCapture_v2'), count('cuGraphLaunch')]).toEqual([1, 2]);
  expect(count('cuGraphExecDestroy')).toBe(1);
});
