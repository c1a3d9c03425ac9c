/** Both ends of the channel over one shared memory, the follower on a thread of its own: long messages, and echoes that differ. */
import { Worker } from 'node:worker_threads';
import { afterEach, expect, test } from 'vitest';
import { RankError, RankGroup } from '../../device/cpu/rank-group.js';
import { RankSender } from './rank-channel.js';
import { createRankMemory } from './rank-memory.js';

const FOLLOWER = new URL('./testing/follower-thread.js', import.meta.url);
const LAST = Int32Array.of(-1);
const opened: { readonly sender: RankSender; readonly worker: Worker }[] = [];

afterEach(async () => {
  for (const { sender, worker } of opened.splice(0)) {
    const ended = new Promise((resolve) => worker.once('exit', resolve));
    try {
      sender.send([LAST]);
    } catch (thrown) {
      expect(thrown).toBeInstanceOf(RankError); // the group has failed, which ends the thread, too
    }
    await ended;
  }
});

/** A sender with one follower, which answers each message with its length and the sum of its numbers. */
function open(): RankSender {
  const memory = createRankMemory(2);
  const group = new RankGroup(memory.groupAddress, { rank: 0, rankCount: 2 });
  const worker = new Worker(FOLLOWER, { workerData: { memoryPath: `/proc/self/fd/${memory.descriptor}` } });
  const sender = new RankSender(group, memory);
  opened.push({ sender, worker });
  return sender;
}

const echoOf = (parts: readonly Int32Array[]): number[] => {
  const all = parts.flatMap((part) => [...part]);
  return [all.length, all.reduce((sum, value) => (sum + value) | 0, 0)];
};

test.each([
  ['of nothing', [[]]],
  ['of several parts', [[1, 2], [], [3]]],
])('a message %s arrives', (_, lists) => {
  const sender = open();
  const parts = lists.map((list) => Int32Array.from(list));
  sender.send(parts);
  sender.expect(echoOf(parts));
  sender.settle();
});

test('messages arrive whole that are as long as a piece, longer, and several pieces long', () => {
  const sender = open();
  for (const length of [65_534, 65_535, 65_536, 131_071, 200_000, 3]) {
    const parts = [7, length - 7].map((count) => Int32Array.from({ length: count }, (_, i) => i * 7 - count));
    sender.send(parts);
    sender.expect(echoOf(parts));
  }
  sender.settle();
});

test('an echo that differs fails the group with a code and names the rank', () => {
  const sender = open();
  sender.send([Int32Array.of(5)]);
  sender.expect([1, 6]);
  expect(() => sender.settle()).toThrowError(/^Rank 1 of 2 ran something else/);
  expect(() => sender.send([])).toThrowError(expect.objectContaining({ code: 'RANK_DIVERGED' }) as Error);
});
