/** Opens an engine on several ranks: rank 0 on this thread, each other one in a process of its own. */
import { setImmediate as immediate } from 'node:timers/promises';
import type { JobPlace } from '../../core/job-place.js';
import { present } from '../../core/present.js';
import { AloftError } from '../../core/errors.js';
import { RankError, RankGroup } from '../../device/cpu/rank-group.js';
import type { Executor } from '../executor/executor.js';
import type { PreparedRank } from '../executor/opening/prepared-rank.js';
import { gatherRanks } from './job.js';
import { forkRank, INHERITED_MEMORY } from './launch.js';
import { RankSender } from './rank-channel.js';
import { type OpenRanks, RankExecutor } from './rank-executor.js';
import type { RankPeer } from './rank-peer.js';
import { createRankMemory } from './rank-memory.js';
import { loadRankModule } from './rank-module.js';
import { StepBroadcast } from './step-broadcast.js';

export interface RanksRequest {
  readonly worldSize: number;
  /** Compiled module that prepares ranks (see RankModule). */
  readonly rankUrl: string;
  readonly rankOptions: unknown;
  /** Whether the other ranks measure their ops. Default false. */
  readonly isProfiled?: boolean;
  /** Options of rank 0, which need not survive a clone. Default: those of all ranks. */
  readonly leaderOptions?: unknown;
  /** Job whose processes are the ranks. Default: this process starts the others. */
  readonly place?: JobPlace;
  /** Time that a rank waits for another one that lives, ms. Default: ten seconds. */
  readonly patienceMs?: number;
}

/** @throws {AloftError} what the opening of any rank throws, RANK_DIED, COMPILER_MISSING, OUT_OF_MEMORY */
export async function openRanks(request: RanksRequest): Promise<RankExecutor> {
  const { worldSize: rankCount, patienceMs } = request;
  const memory = createRankMemory(rankCount);
  const group = new RankGroup(memory.groupAddress, { rank: 0, rankCount, ...present({ patienceMs }) });
  const processes: RankPeer[] = [];
  try {
    group.register(0, process.pid);
    if (request.place !== undefined) processes.push(...(await gatherRanks(request.place)));
    else for (let rank = 1; rank < rankCount; rank++) processes.push(forkRank(rank, memory.descriptor));
    // Before anything is loaded, so that the end of any process is noticed from the beginning.
    for (const { rank, pid, name } of processes) group.register(rank, pid, name);
    const broadcast = new StepBroadcast(new RankSender(group, memory), group);
    const isJob = request.place !== undefined;
    const memoryPath = isJob ? `/proc/${process.pid}/fd/${memory.descriptor}` : INHERITED_MEMORY;
    const { leader, rankMemory } = await openAll(request, memoryPath, processes, (prepared, blockCount) =>
      prepared.open({ blockCount, group, announce: broadcast.announce }),
    );
    const { isProfiled = false } = request;
    return new RankExecutor({ leader, rankMemory, processes, broadcast, group, memory, isProfiled });
  } catch (fault) {
    const report = fault instanceof RankError ? memory.readReport(fault.rank) : undefined;
    for (const process of processes) process.kill();
    await Promise.all(processes.map(({ ended }) => ended));
    group.dispose();
    memory.dispose();
    throw report === undefined ? fault : new AloftError(report.code, report.message, { cause: fault });
  }
}

/** Prepares all ranks at the same time, and opens them with the number of KV blocks that the smallest has room for. */
async function openAll(
  request: RanksRequest,
  memoryPath: string,
  processes: readonly RankPeer[],
  openLeader: (prepared: PreparedRank, blockCount: number) => Executor,
): Promise<Pick<OpenRanks, 'leader' | 'rankMemory'>> {
  const {
    worldSize,
    rankUrl,
    rankOptions,
    leaderOptions = rankOptions,
    isProfiled = false,
    patienceMs,
  } = request;
  const leaderPid = process.pid;
  const common = { worldSize, leaderPid, memoryPath, rankUrl, rankOptions, isProfiled, patienceMs };
  const asked = together(processes, (started) =>
    started.ask({ type: 'prepare', rank: started.rank, ...common }, 'prepared'),
  );
  const module = await loadRankModule(rankUrl);
  const prepared = await module.prepareRank(leaderOptions, {
    rank: 0,
    worldSize,
    ...present({ place: request.place }),
  });
  const answers = await asked
    .then((all) => requireOneEngine(prepared, processes, all))
    .catch((fault: unknown) => {
      prepared.dispose();
      throw fault;
    });
  const blockCount = Math.min(prepared.blockCount, ...answers.map((answer) => answer.blockCount));
  const opened = together(processes, (started) => started.ask({ type: 'open', blockCount }, 'opened'));
  await immediate(); // the messages are on their way before this rank waits for the others
  const leader = openLeader(prepared, blockCount);
  const others = await opened.catch(async (fault: unknown) => {
    await leader.dispose();
    throw fault;
  });
  return { leader, rankMemory: [leader.memory, ...others.map(({ memory }) => memory)] };
}

/** Ranks of several hosts read the engine each on its own. @throws {AloftError} RANK_DIVERGED */
function requireOneEngine<Answer extends Pick<PreparedRank, 'identity'>>(
  { identity }: Answer | PreparedRank,
  processes: readonly RankPeer[],
  answers: readonly Answer[],
): readonly Answer[] {
  const odd = processes.find((_, i) => answers[i]!.identity !== identity);
  if (odd === undefined) return answers;
  throw new AloftError(
    'RANK_DIVERGED',
    `Rank ${odd.rank} (${odd.name}) has another engine under the same path than rank 0; copy one engine to all hosts.`,
  );
}

/** Asks all ranks. Their failure counts where the result is awaited, which may be after another failure, or never. */
function together<Answer>(
  processes: readonly RankPeer[],
  ask: (started: RankPeer) => Promise<Answer>,
): Promise<Answer[]> {
  const answers = Promise.all(processes.map(ask));
  answers.catch(() => undefined);
  return answers;
}
