import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Flusher, type Flushable } from './flusher.js';

/** Work of streams costs time on this clock only. */
let nowMs = 0;
beforeEach(() => {
  nowMs = 1000;
  vi.useFakeTimers({ toFake: ['setTimeout', 'setImmediate'] });
  vi.spyOn(performance, 'now').mockImplementation(() => nowMs);
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

class Stream implements Flushable {
  readonly flushedMs: number[] = [];
  readonly #costMs: number;

  constructor(costMs = 0) {
    this.#costMs = costMs;
  }

  flush(): void {
    this.flushedMs.push(nowMs);
    nowMs += this.#costMs;
  }
}

function advance(ms: number): void {
  nowMs += ms;
  vi.advanceTimersByTime(ms);
}

/** Gaps between the flushes of a stream that has a token every millisecond, once the pace is steady. */
function gapsAt(costMs: number, isSparing = false): number[] {
  const flusher = new Flusher({ isSparing });
  const stream = new Stream(costMs);
  const { flushedMs } = stream;
  let askedCount = 0;
  for (let step = 0; step < 3000; step++) {
    // A stream does so, too: only the first piece after a flush asks for the next.
    if (flushedMs.length === askedCount) {
      flusher.flushLater(stream);
      askedCount++;
    }
    advance(1);
  }
  return flushedMs.slice(21).map((ms, i) => ms - flushedMs[i + 20]!);
}

test('all streams of a turn are served together at its end', () => {
  const flusher = new Flusher({ isSparing: false });
  const streams = [new Stream(), new Stream(), new Stream()];
  for (const stream of streams) flusher.flushLater(stream);
  expect(streams.flatMap((stream) => stream.flushedMs)).toEqual([]);
  advance(0);
  expect(streams.map((stream) => stream.flushedMs.length)).toEqual([1, 1, 1]);
});

test('a stream that costs next to nothing gets every token by itself', () => {
  expect(Math.max(...gapsAt(0.05))).toBeLessThan(1.1);
});

test('passes that take long are rarer, up to the longest wait', () => {
  const medium = gapsAt(1);
  expect(Math.min(...medium)).toBeGreaterThan(6);
  expect(Math.max(...medium)).toBeLessThan(13);
  const long = gapsAt(5);
  expect(Math.min(...long)).toBeGreaterThan(23);
  expect(Math.max(...long)).toBeLessThan(36);
});

test('where the engine has all processors, passes are rarer, up to the same longest wait', () => {
  const short = gapsAt(0.25, true);
  expect(Math.min(...short)).toBeGreaterThan(9);
  expect(Math.max(...short)).toBeLessThan(12);
  expect(Math.max(...gapsAt(5, true))).toBeLessThan(36);
});

test('passes that take very long leave half of the time', () => {
  expect(Math.min(...gapsAt(40))).toBeGreaterThan(78);
});

/** The callback at hand ends. */
function endOfCallback(): Promise<void> {
  return new Promise((resolve) => process.nextTick(resolve));
}

test('what is urgent waits for nothing but the callback at hand', async () => {
  const flusher = new Flusher({ isSparing: false });
  const first = new Stream();
  flusher.flushNow(first);
  expect(first.flushedMs.length).toBe(0);
  await endOfCallback();
  expect(first.flushedMs.length).toBe(1);
});

test('what is urgent does not wait for a pass', async () => {
  const flusher = new Flusher({ isSparing: false });
  const [steady, first] = [new Stream(3), new Stream()];
  flusher.flushLater(steady);
  advance(0);
  flusher.flushLater(steady);
  flusher.flushNow(first);
  await endOfCallback();
  expect([first.flushedMs.length, steady.flushedMs.length]).toEqual([1, 1]);
  advance(30);
  advance(1);
  expect(steady.flushedMs.length).toBe(2);
});

test('what is urgent does not wait for the rest of a long pass', async () => {
  const flusher = new Flusher({ isSparing: false });
  const streams = Array.from({ length: 100 }, () => new Stream(1));
  for (const stream of streams) flusher.flushLater(stream);
  vi.advanceTimersToNextTimer();
  const first = new Stream();
  flusher.flushNow(first);
  await endOfCallback();
  const doneCount = streams.filter((stream) => stream.flushedMs.length > 0).length;
  expect([first.flushedMs.length, doneCount < 5]).toEqual([1, true]);
  vi.runAllTimers();
  expect(streams.every((stream) => stream.flushedMs.length === 1)).toBe(true);
});

test('a pass gives way once to those who were just served, whoever else comes meanwhile', async () => {
  const flusher = new Flusher({ isSparing: false });
  const steady = new Stream();
  flusher.flushLater(steady);
  flusher.flushNow(new Stream());
  await endOfCallback();
  advance(0);
  expect(steady.flushedMs.length).toBe(0);
  nowMs += 0.9;
  flusher.flushNow(new Stream());
  await endOfCallback();
  advance(0.1);
  expect(steady.flushedMs.length).toBe(0);
  vi.advanceTimersByTime(1);
  expect(steady.flushedMs.length).toBe(1);
});
