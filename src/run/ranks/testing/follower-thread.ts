/** For tests: the other end of a channel. Answers each message with its length and the sum of its numbers. */
import { workerData } from 'node:worker_threads';
import { RankError, RankGroup } from '../../../device/cpu/rank-group.js';
import { RankReceiver } from '../rank-channel.js';
import { joinRankMemory } from '../rank-memory.js';

const { memoryPath } = workerData as { readonly memoryPath: string };
const memory = joinRankMemory(memoryPath, 2);
const receiver = new RankReceiver(new RankGroup(memory.groupAddress, { rank: 1, rankCount: 2 }), memory);

/** The message that ends this thread, which waits in native code where nothing else reaches it. */
const LAST = -1;

function follow(): void {
  for (;;) {
    const message = receiver.receive();
    receiver.answer([message.length, message.reduce((sum, value) => (sum + value) | 0, 0)]);
    if (message[0] === LAST) return;
  }
}

try {
  follow();
} catch (thrown) {
  if (!(thrown instanceof RankError)) throw thrown; // rank 0 has seen this one
}
