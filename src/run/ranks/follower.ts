/** A rank other than 0: opens its part of the engine, then runs the steps that rank 0 sends. */
import { invariant, reportError } from '../../core/errors.js';
import { present } from '../../core/present.js';
import { RankError, RankGroup } from '../../device/cpu/rank-group.js';
import { SharedCollectives } from '../../device/cpu/shared-collectives.js';
import type { Executor } from '../executor/executor.js';
import { RankReceiver } from './rank-channel.js';
import { joinRankMemory } from './rank-memory.js';
import type { LeaderLink, Prepare } from './rank-messages.js';
import { loadRankModule } from './rank-module.js';
import { CLOSE, echoOf, followedSlot, readStep } from './step-message.js';

async function openFollower(prepare: Prepare, group: RankGroup, link: LeaderLink): Promise<Executor> {
  const { rank, worldSize, rankUrl, rankOptions } = prepare;
  const module = await loadRankModule(rankUrl);
  const prepared = await module.prepareRank(rankOptions, { rank, worldSize });
  const answer = link.next();
  await link.send({ type: 'prepared', blockCount: prepared.blockCount });
  const open = await answer;
  invariant(open.type === 'open', () => `rank 0 sent '${open.type}' for 'open'`);
  const collectives = new SharedCollectives(group);
  return prepared.open({ blockCount: open.blockCount, collectives });
}

/** Runs steps until rank 0 closes. @throws {AloftError} */
function follow(executor: Executor, receiver: RankReceiver, group: RankGroup): void {
  for (;;) {
    const message = receiver.receive();
    if (message[0] === CLOSE) return receiver.answer([]);
    const { changes, step } = readStep(message);
    for (const { slot, promptTokens } of changes)
      if (promptTokens === undefined) executor.detachSlot(slot);
      else executor.attachSlot(followedSlot(slot, promptTokens));
    executor.submit(step);
    void executor.collect();
    receiver.answer(echoOf(step, group.round));
  }
}

/** Runs a rank until rank 0 closes it. Rank 0 prints why one failed, once for all. @returns whether all went well */
export async function runFollower(prepare: Prepare, link: LeaderLink): Promise<boolean> {
  const { rank, worldSize: rankCount, memoryPath, patienceMs } = prepare;
  const memory = joinRankMemory(memoryPath, rankCount);
  const group = new RankGroup(memory.groupAddress, { rank, rankCount, ...present({ patienceMs }) });
  let executor: Executor;
  try {
    executor = await openFollower(prepare, group, link);
    await link.send({ type: 'opened' });
  } catch (thrown) {
    await link.send({ type: 'failed', error: reportError(thrown) });
    return false;
  }
  try {
    follow(executor, new RankReceiver(group, memory), group);
  } catch (thrown) {
    if (!(thrown instanceof RankError)) {
      memory.writeReport(rank, reportError(thrown));
      group.fail('RANK_DIED', rank);
    }
    return false;
  }
  await executor.dispose();
  group.dispose();
  memory.dispose();
  return true;
}
