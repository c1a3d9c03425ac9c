import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../dist/core/random.js';
import { ENGINE, readMeasured } from './engine.mjs';
import { EventQueue } from './event-queue.mjs';
import { hashesOf, PrefixMemory } from './prefixes.mjs';
import { Replica } from './replica.mjs';
import { POLICIES, Router } from './routing.mjs';
import { simulate } from './simulate.mjs';
import { promptPairs, stepCosts, stepMs } from './step-costs.mjs';
import { Conversations, WORKLOAD } from './workload.mjs';

const measured = readMeasured();
const costs = stepCosts(measured);

/** Output tokens a second of one replica that gets all requests at once. */
function tokensPerSecond(requestCount, promptTokens, outputTokens) {
  const replica = new Replica(ENGINE, costs);
  for (let id = 0; id < requestCount; id++) {
    const prompt = Int32Array.from({ length: promptTokens }, (_, at) => id * 7919 + at);
    replica.add({ id, prompt, output: new Int32Array(outputTokens) }, 0);
  }
  let nowMs = 0;
  let endedCount = 0;
  for (let duration = replica.start(); duration !== undefined; duration = replica.start()) {
    nowMs += duration;
    replica.finish(nowMs, () => endedCount++);
  }
  expect(endedCount).toBe(requestCount);
  expect(replica.tokenCount).toBe(requestCount * outputTokens);
  return (1000 * requestCount * outputTokens) / nowMs;
}

describe('one simulated replica makes the tokens a second that the GPU made', () => {
  const rows = ['wide-short', 'wide-long'].flatMap(
    (name) => measured.parts.find((part) => part.name === name).data.rows,
  );
  test.each(rows.map((row) => [row.batch_size, row.input_length, row.output_length, row.tokens_per_sec]))(
    '%i x (%i,%i): %f',
    (batch, input, output, speed) => {
      const ratio = tokensPerSecond(batch, input, output) / speed;
      expect(ratio).toBeGreaterThan(0.93);
      expect(ratio).toBeLessThan(1.07);
    },
  );

  // Mixed steps, of which no cost was taken; figures of docs/performance.md.
  test.each([
    [1500, 128, 128, 16_728],
    [300, 2048, 128, 1592],
    [300, 128, 2048, 6908],
  ])('in flight, %i requests of %i and %i: %i', (requests, input, output, speed) => {
    const ratio = tokensPerSecond(requests, input, output) / speed;
    expect(ratio).toBeGreaterThan(0.9);
    expect(ratio).toBeLessThan(1.05);
  });
});

test('a step costs more with more tokens, more context and more pairs', () => {
  const least = { tokens: 1, context: 0, pairs: 0 };
  for (const more of [{ tokens: 9000 }, { context: 1e5 }, { pairs: promptPairs(2048, 0) }])
    expect(stepMs(costs, { ...least, ...more })).toBeGreaterThan(stepMs(costs, least) + 0.5);
  for (const [tokens, ms] of costs.curve) expect(stepMs(costs, { ...least, tokens })).toBeCloseTo(ms, 9);
});

describe('a fleet of 12', () => {
  const run = (policy, seed) =>
    simulate({
      policy,
      replicaCount: 12,
      engine: { ...ENGINE, blockCount: 4096, maxSequenceCount: 64 },
      costs,
      workload: { ...WORKLOAD, conversationsPerSecond: 2 },
      seed,
      startMs: 3000,
      endMs: 9000,
    });

  test('does the same with the same seed, and something else with another', () => {
    for (const policy of POLICIES) expect(run(policy, 1)).toEqual(run(policy, 1));
    expect(run('least queue', 2)).not.toEqual(run('least queue', 1));
  });

  test('finds more prompt tokens in its caches, and answers sooner, when requests go where their prefixes are', () => {
    const [blind, aware] = [run('KV-aware', 1), run('prefix-aware', 1)];
    expect(aware.prefixHitRate).toBeGreaterThan(blind.prefixHitRate + 0.2);
    expect(aware.firstTokenP50Ms).toBeLessThan(blind.firstTokenP50Ms);
    for (const { requests, busyShare } of [blind, aware]) {
      expect(requests).toBeGreaterThan(200);
      expect(busyShare).toBeLessThanOrEqual(1.05); // a step counts where it begins
    }
  });
});

describe('a router', () => {
  const prompt = new Int32Array(256).fill(7);
  const state = (waitingCount, runningCount, kvShare) => ({ waitingCount, runningCount, kvShare });
  const router = (policy, ...states) => {
    const made = new Router(policy, states.length, 1e5, seededRandom(1));
    made.look(states);
    return made;
  };

  test('takes turns', () => {
    const turns = router('in turn', state(9, 9, 1), state(0, 0, 0));
    expect([0, 1, 2].map(() => turns.choose(prompt))).toEqual([0, 1, 0]);
  });

  test('sends to the shortest queue, then to the smallest batch, and counts what it has sent', () => {
    const least = router('least queue', state(2, 0, 0), state(1, 5, 0), state(1, 3, 0.9));
    expect([0, 1].map(() => least.choose(prompt))).toEqual([2, 1]);
  });

  test('sends to the emptiest KV cache among equal queues', () => {
    expect(router('KV-aware', state(1, 0, 0.5), state(1, 0, 0.2), state(1, 0, 0.9)).choose(prompt)).toBe(1);
    expect(router('KV-aware', state(0, 0, 0.5), state(1, 0, 0.2)).choose(prompt)).toBe(0);
  });

  test('sends a prompt again to where it was, unless that queue is long', () => {
    const aware = router('prefix-aware', state(0, 0, 0.1), state(0, 0, 0), state(0, 0, 0.1));
    expect(aware.choose(prompt)).toBe(1);
    aware.look([state(0, 0, 0.1), state(0, 0, 0.5), state(0, 0, 0.1)]);
    expect(aware.choose(prompt)).toBe(1);
    aware.look([state(0, 0, 0.1), state(9, 0, 0.9), state(0, 0, 0)]);
    expect(aware.choose(prompt)).toBe(2);
  });
});

describe('the memory of prefixes', () => {
  const hashes = hashesOf(Int32Array.from({ length: 512 }, (_, at) => at));

  test('knows the longest beginning that a replica was sent', () => {
    const memory = new PrefixMemory(3, 1e4);
    memory.remember(0, hashes);
    memory.remember(2, hashes.slice(0, 1));
    expect([...memory.sharesOf(hashes)]).toEqual([
      [0, 1],
      [2, 0.25],
    ]);
    expect(memory.sharesOf(hashesOf(new Int32Array(512).fill(9))).size).toBe(0);
  });

  test('forgets what was used least recently', () => {
    const memory = new PrefixMemory(1, 512);
    memory.remember(0, hashes);
    memory.remember(0, hashes.slice(0, 1));
    memory.remember(0, hashesOf(new Int32Array(128).fill(9)));
    expect([...memory.sharesOf(hashes)]).toEqual([[0, 0.25]]);
  });

  test('tells prompts apart by every token before a piece', () => {
    const other = hashesOf(Int32Array.from({ length: 512 }, (_, at) => at + Number(at === 130)));
    expect(hashes).toHaveLength(4);
    expect(hashes.map((hash, at) => hash === other[at])).toEqual([true, false, false, false]);
  });
});

test('a turn begins with the turn before and its answer; applications share a system prompt', () => {
  const source = new Conversations(
    { ...WORKLOAD, applicationsPerReplica: 1, conversationsPerSecond: 1 },
    1,
    3,
  );
  const [one, other] = [source.next(), source.next()];
  const [first, second] = [one.request(), one.request()];
  const before = [...first.prompt, ...first.output];
  expect([...second.prompt.subarray(0, before.length)]).toEqual(before);
  const foreign = other.request().prompt;
  const { systemTokens } = WORKLOAD;
  expect([...foreign.subarray(0, systemTokens)]).toEqual([...first.prompt.subarray(0, systemTokens)]);
  expect(foreign[systemTokens]).not.toBe(first.prompt[systemTokens]);
  expect([one.request(), one.request(), one.request()].map((request) => request !== undefined)).toEqual([
    true,
    true,
    false,
  ]);
});

test('events come in order of time, those of one time in order of arrival', () => {
  const random = seededRandom(5);
  const queue = new EventQueue();
  const times = Array.from({ length: 300 }, () => Math.floor(random.next() * 40));
  for (const [at, timeMs] of times.entries()) queue.add(timeMs, at);
  const taken = times.map(() => queue.take());
  const wanted = [...times.entries()].toSorted(([a, x], [b, y]) => x - y || a - b);
  expect(taken.map(({ act, timeMs }) => [act, timeMs])).toEqual(wanted);
  expect(queue.take()).toBeUndefined();
});
