import { expect, test } from 'vitest';
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
