/**
 * Measures what a step costs rank 0 to send, and a round trip.   node dist/run/ranks/rank-channel.bench.js
 * The other end is a thread that reads each message and adds up its numbers.
 */
import { Worker } from 'node:worker_threads';
import { buildStep } from '../../core/build-step.js';
import { RankGroup } from '../../device/cpu/rank-group.js';
import { RankSender } from './rank-channel.js';
import { createRankMemory } from './rank-memory.js';
import { stepParts } from './step-message.js';

const ROUNDS = 20_000;
const CONTEXT_BLOCKS = 64;

const memory = createRankMemory(2);
const group = new RankGroup(memory.groupAddress, { rank: 0, rankCount: 2 });
const worker = new Worker(new URL('./testing/follower-thread.js', import.meta.url), {
  workerData: { memoryPath: `/proc/self/fd/${memory.descriptor}` },
});
const sender = new RankSender(group, memory);

console.log('rows  numbers  us to send (median)  us to the echo (median)');
for (const rowCount of [1, 16, 64, 256]) {
  const blocks = Array.from({ length: CONTEXT_BLOCKS }, (_, i) => i);
  const step = buildStep(
    Array.from({ length: rowCount }, (_, slot) => ({ slot, tokenIds: [1], firstPosition: 1000, blocks })),
  );
  const [sending, echoing]: [number[], number[]] = [[], []];
  let length = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const startMs = performance.now();
    const parts = stepParts(step, step.tokenIds, []);
    sender.send(parts);
    const sentMs = performance.now();
    sender.settle();
    sending.push(sentMs - startMs);
    echoing.push(performance.now() - startMs);
    length = parts.reduce((sum, part) => sum + part.length, 0);
  }
  const median = (values: number[]) => (values.toSorted((a, b) => a - b)[ROUNDS / 2]! * 1000).toFixed(1);
  const row = [`${rowCount}`.padStart(4), `${length}`.padStart(7), median(sending).padStart(19)];
  console.log([...row, median(echoing).padStart(23)].join('  '));
}
sender.send([Int32Array.of(-1)]);
await worker.terminate();
