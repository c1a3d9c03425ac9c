/** A rank other than 0: opens its part of the engine, then runs the steps that rank 0 sends. */
import { invariant, reportError } from '../../core/errors.js';
import type { JobPlace } from '../../core/job-place.js';
import { present } from '../../core/present.js';
import { RankError, RankGroup } from '../../device/cpu/rank-group.js';
import type { Executor } from '../executor/executor.js';
import type { RankNumber } from '../executor/opening/prepared-rank.js';
import { OpTimes } from './op-times.js';
import { RankReceiver } from './rank-channel.js';
import { joinRankMemory } from './rank-memory.js';
import type { LeaderLink, Prepare } from './rank-messages.js';
import { loadRankModule } from './rank-module.js';
import { CLOSE, echoOf, followedSlot, isAttached, PREPARE, readStep, STEP, TIMES } from './step-message.js';

async function openFollower(
  prepare: Prepare,
  group: RankGroup,
  link: LeaderLink,
  more: Pick<RankNumber, 'place' | 'profile'>,
): Promise<Executor> {
  const { rank, worldSize, rankUrl, rankOptions } = prepare;
  const module = await loadRankModule(rankUrl);
  const prepared = await module.prepareRank(rankOptions, { rank, worldSize, ...more });
  const answer = link.next();
  const { blockCount, identity } = prepared;
  await link.send({ type: 'prepared', blockCount, ...present({ identity }) });
  const open = await answer;
  invariant(open.type === 'open', () => `rank 0 sent '${open.type}' for 'open'`);
  return prepared.open({ blockCount: open.blockCount, group });
}

/** Steps of a device that this rank leaves open; rank 0 submits no more before it has collected one. */
const MAX_OPEN_STEPS = 2;

/** Runs steps until rank 0 closes. @throws {AloftError} */
async function follow(
  executor: Executor,
  receiver: RankReceiver,
  { group, times }: { readonly group: RankGroup; readonly times: OpTimes },
): Promise<void> {
  let openCount = 0;
  for (;;) {
    const message = receiver.receive(() => executor.checkDevice?.());
    if (message[0] === PREPARE) executor.prepareSteps?.();
    if (message[0] === TIMES) {
      for (; openCount > 0; openCount--) await executor.collect();
      group.exchange(times.take(message[1]!));
    }
    if (message[0] !== STEP) receiver.answer([]);
    if (message[0] === CLOSE) return;
    if (message[0] !== STEP) continue;
    const { changes, step } = readStep(message);
    for (const change of changes)
      if (isAttached(change)) executor.attachSlot(followedSlot(change));
      else executor.detachSlot(change.slot);
    executor.submit(step);
    receiver.answer(echoOf(step, group.round, executor.launch));
    if (++openCount < MAX_OPEN_STEPS) continue;
    await executor.collect();
    openCount--;
  }
}

/**
 * Runs a rank until rank 0 closes it. Rank 0 prints why one failed, once for all.
 * @param place of a rank that a launcher started @returns whether all went well
 */
export async function runFollower(prepare: Prepare, link: LeaderLink, place?: JobPlace): Promise<boolean> {
  const { rank, worldSize: rankCount, memoryPath, patienceMs } = prepare;
  const memory = joinRankMemory(memoryPath, rankCount);
  const group = new RankGroup(memory.groupAddress, { rank, rankCount, ...present({ patienceMs }) });
  const endGroup = (thrown: unknown): void => {
    if (thrown instanceof RankError) return;
    memory.writeReport(rank, reportError(thrown));
    group.fail('RANK_DIED', rank);
  };
  const times = new OpTimes();
  let executor: Executor;
  try {
    const profile = prepare.isProfiled ? times.listener : undefined;
    executor = await openFollower(prepare, group, link, present({ place, profile }));
    await link.send({ type: 'opened', memory: executor.memory });
  } catch (thrown) {
    // Rank 0 may wait for this one in an exchange, where no message reaches it.
    endGroup(thrown);
    await link.send({ type: 'failed', error: reportError(thrown) });
    return false;
  }
  try {
    await follow(executor, new RankReceiver(group, memory), { group, times });
  } catch (thrown) {
    endGroup(thrown);
    return false;
  }
  await executor.dispose();
  group.dispose();
  memory.dispose();
  return true;
}
