import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import type { GenerateEvent } from '../../core/generate.js';
import { RequestMetrics } from './request-metrics.js';

const INFO = {
  modelName: 'm',
  modelVersion: '1',
  engineName: 'e',
  engineVersion: '1',
  stages: { before: undefined, after: undefined },
  protocol: 'http',
  arrivedMs: 0,
  traceparent: undefined,
} as const;

const token = (sequence: number): GenerateEvent => ({
  type: 'text',
  sequence,
  text: 'a',
  tokenIds: [1],
  logprobs: undefined,
  logits: undefined,
});

test('times between tokens are those of each sequence, however many leave together', async () => {
  const registry = new Registry();
  const observer = new RequestMetrics(registry, { histogramLatencies: false }).observe(INFO);
  const stepMs = 40;
  for (let step = 1; step <= 5; step++) observer.onEvents([0, 1, 2].map(token), step * stepMs);
  const text = await registry.metrics();
  const value = (name: string): number =>
    Number(new RegExp(`^${name}\\{model="m"\\} (\\S+)$`, 'm').exec(text)?.[1]);
  expect(value('aloft_inter_token_seconds_count')).toBe(3 * 4);
  expect(value('aloft_inter_token_seconds_sum')).toBeCloseTo((3 * 4 * stepMs) / 1000, 9);
  expect(value('aloft_time_to_first_token_seconds_count')).toBe(1);
});
