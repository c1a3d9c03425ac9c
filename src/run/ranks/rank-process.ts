/** Entry of the process of a rank other than 0: opens its part of the engine, then runs the steps that rank 0 sends. */
import { reportError } from '../../core/errors.js';
import { present } from '../../core/present.js';
import { RankError, RankGroup } from '../../device/cpu/rank-group.js';
import { SharedCollectives } from '../../device/cpu/shared-collectives.js';
import { endWithParent } from '../../ffi/parent.js';
import type { Executor } from '../executor/executor.js';
import { RankReceiver } from './rank-channel.js';
import { joinRankMemory, type RankMemory } from './rank-memory.js';
import { type FromRank, MEMORY_DESCRIPTOR, type ToRank } from './rank-messages.js';
import { loadRankModule } from './rank-module.js';
import { CLOSE, echoOf, followedSlot, readStep } from './step-message.js';

type Prepare = Extract<ToRank, { type: 'prepare' }>;

function nextMessage(): Promise<ToRank> {
  return new Promise((resolve) => process.once('message', (message) => resolve(message as ToRank)));
}

/** Sends a message and waits until it is on its way, since the loop of steps lets nothing else run. */
function send(message: FromRank): Promise<void> {
  return new Promise((resolve) => process.send?.(message, undefined, {}, () => resolve()));
}

async function openFollower(prepare: Prepare, group: RankGroup): Promise<Executor> {
  const { rank, worldSize, rankUrl, rankOptions } = prepare;
  const module = await loadRankModule(rankUrl);
  const prepared = await module.prepareRank(rankOptions, { rank, worldSize });
  const answer = nextMessage();
  await send({ type: 'prepared', blockCount: prepared.blockCount });
  const open = await answer;
  if (open.type !== 'open') throw new Error(`rank 0 sent '${open.type}' for 'open'`);
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

/** Ends with the reason where rank 0 finds it. Rank 0 prints it, once for all ranks. */
function endWith(thrown: unknown, rank: number, group: RankGroup, memory: RankMemory): never {
  if (!(thrown instanceof RankError)) {
    memory.writeReport(rank, reportError(thrown));
    group.fail('RANK_DIED', rank);
  }
  process.exit(1);
}

async function runRank(prepare: Prepare): Promise<void> {
  const { rank, worldSize: rankCount, patienceMs } = prepare;
  const memory = joinRankMemory(MEMORY_DESCRIPTOR, rankCount);
  const group = new RankGroup(memory.groupAddress, { rank, rankCount, ...present({ patienceMs }) });
  let executor: Executor;
  try {
    executor = await openFollower(prepare, group);
    await send({ type: 'opened' });
  } catch (thrown) {
    await send({ type: 'failed', error: reportError(thrown) });
    process.exit(1);
  }
  try {
    follow(executor, new RankReceiver(group, memory), group);
    await executor.dispose();
    process.exit(0);
  } catch (thrown) {
    endWith(thrown, rank, group, memory);
  }
}

// A terminal sends Ctrl-C to all processes of a job, and rank 0 still ends its requests then. It closes the others itself.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
process.once('disconnect', () => process.exit(1));
const first = await nextMessage();
if (first.type === 'prepare' && endWithParent(first.parentPid)) await runRank(first);
else process.exit(1);
