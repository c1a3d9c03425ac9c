import { describe, expect, test } from 'vitest';
import type { ServableEngine } from '../engine/engine-loader.js';
import { QueueFullError, RunningEngine } from './running-engine.js';

const SLOTS = 4;
const QUEUED = 40;

/** An engine whose slots and queue are full of requests. Each call of the result ends one of them. */
function fullEngine(): {
  readonly engine: RunningEngine;
  readonly fill: () => void;
  readonly end: (nowMs: number) => void;
} {
  const loaded = { maxSequenceCount: SLOTS, takesAllProcessors: false, onFailure: () => {} };
  const engine = new RunningEngine('m', '1', loaded as unknown as ServableEngine, QUEUED);
  const removals: (() => void)[] = [];
  const request = {
    id: '',
    level: 0,
    startedMs: 0,
    promptTokenCount: 0,
    outputTokenCount: 0,
    maxOutputTokenCount: undefined,
    firstTokenMs: undefined,
    stop: () => {},
    fail: () => {},
  };
  const fill = (): void => {
    while (engine.active.count < SLOTS + QUEUED) removals.push(engine.active.add({ ...request }, false));
  };
  const end = (nowMs: number): void => {
    removals.shift()!();
    engine.noteFinished(nowMs, 'finished');
  };
  fill();
  return { engine, fill, end };
}

function retryAfterSeconds(engine: RunningEngine): number {
  try {
    engine.admit({ level: 0, maxWaitingCount: undefined });
  } catch (error) {
    if (error instanceof QueueFullError) return error.retryAfterSeconds;
    throw error;
  }
  throw new Error('The request was admitted.');
}

describe('time after which a client of a full queue is told to come again', () => {
  test('is as long as the queue takes at the pace of the engine', () => {
    const { engine, fill, end } = fullEngine();
    for (let i = 0; i < 10; i++) end(i * 250);
    fill();
    expect(retryAfterSeconds(engine)).toBe((QUEUED * 250) / 1000);
  });

  test('does not grow with the time in which the engine had nothing to do', () => {
    const { engine, fill, end } = fullEngine();
    for (let i = 0; i < SLOTS + QUEUED; i++) end(i * 10);
    fill();
    const anHourLaterMs = 3_600_000;
    for (let i = 0; i < 2; i++) end(anHourLaterMs + i * 10);
    fill();
    expect(retryAfterSeconds(engine)).toBe(1);
  });

  test('is short while no request has ended yet', () => {
    expect(retryAfterSeconds(fullEngine().engine)).toBe(1);
  });
});
