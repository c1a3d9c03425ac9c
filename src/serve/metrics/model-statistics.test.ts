import { expect, test } from 'vitest';
import { AloftError } from '../../core/errors.js';
import { ModelStatistics } from './model-statistics.js';

test('the parts of a request add up to the whole, however late its events arrive', () => {
  const statistics = new ModelStatistics();
  const observer = statistics.observe(100);
  const timings = { submittedMs: 103, scheduledMs: 108, firstTokenMs: 115, finishedMs: 140 };
  const usage = { promptTokens: 1, cachedPromptTokens: 0, outputTokens: 1 };
  observer.onEvents([{ type: 'started', id: 'a', promptTokenIds: [1], seed: 1n }], 139);
  observer.onEvents([{ type: 'finished', timings, usage }], 145);
  observer.onEnd(undefined, 150);
  const { success, queue, computeInput, computeInfer, computeOutput } = statistics;
  const parts = [computeInput, queue, computeInfer, computeOutput].map((part) => part.ns / 1e6);
  expect(parts).toEqual([3, 5, 32, 10]);
  expect(success.ns / 1e6).toBe(50);
});

test('without an engine all of a request is work of the model', () => {
  const statistics = new ModelStatistics();
  statistics.observe(100).onEnd(undefined, 150);
  expect(statistics.computeInfer.ns).toBe(50e6);
  expect(statistics.computeInput.ns + statistics.computeOutput.ns + statistics.queue.ns).toBe(0);
});

test('a batch size is what one execution works on at once', () => {
  const statistics = new ModelStatistics();
  for (const [batchSize, endMs] of [
    [4, 20],
    [1, 13],
    [4, 12],
  ] as const) {
    const counted = statistics.observe(10);
    counted.batchSize = batchSize;
    counted.onEnd(undefined, endMs);
  }
  const failed = statistics.observe(10);
  failed.batchSize = 4;
  failed.onEnd(new AloftError('REQUEST_INVALID', 'no'), 11);
  const batches = [...statistics.batches].map(([size, { computeInfer }]) => {
    const { count, ns } = computeInfer;
    return [size, count, ns];
  });
  expect(batches).toEqual([
    [4, 2, 12e6],
    [1, 1, 3e6],
  ]);
  expect([statistics.inferenceCount, statistics.success.count, statistics.fail.count]).toEqual([9, 3, 1]);
});
