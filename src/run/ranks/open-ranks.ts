/** Opens an engine on several ranks of this host: rank 0 on this thread, each other one in a process of its own. */
import { present } from '../../core/present.js';
import { RankGroup } from '../../device/cpu/rank-group.js';
import { SharedCollectives } from '../../device/cpu/shared-collectives.js';
import type { Executor } from '../executor/executor.js';
import type { PreparedRank } from '../executor/opening/prepared-rank.js';
import { RankProcess } from './launch.js';
import { RankSender } from './rank-channel.js';
import { RankExecutor } from './rank-executor.js';
import { createRankMemory, type RankMemory } from './rank-memory.js';
import { loadRankModule } from './rank-module.js';
import { StepBroadcast } from './step-broadcast.js';

export interface RanksRequest {
  readonly worldSize: number;
  /** Compiled module that prepares ranks (see RankModule). */
  readonly rankUrl: string;
  readonly rankOptions: unknown;
  /** Options of rank 0, which need not survive a clone. Default: those of all ranks. */
  readonly leaderOptions?: unknown;
  /** Time that a rank waits for another one that lives, ms. Default: ten seconds. */
  readonly patienceMs?: number;
}

/** @throws {AloftError} what the opening of any rank throws, RANK_DIED, COMPILER_MISSING, OUT_OF_MEMORY */
export async function openRanks(request: RanksRequest): Promise<RankExecutor> {
  const { worldSize: rankCount, patienceMs } = request;
  const memory = createRankMemory(rankCount);
  const group = new RankGroup(memory.groupAddress, { rank: 0, rankCount, ...present({ patienceMs }) });
  const processes: RankProcess[] = [];
  try {
    startProcesses(processes, group, memory);
    const broadcast = new StepBroadcast(new RankSender(group, memory), group);
    const leader = await openAll(request, processes, (prepared, blockCount) =>
      prepared.open({
        blockCount,
        collectives: new SharedCollectives(group),
        announce: broadcast.announce,
      }),
    );
    return new RankExecutor({ leader, processes, broadcast, group, memory });
  } catch (fault) {
    for (const process of processes) process.kill();
    await Promise.all(processes.map(({ ended }) => ended));
    group.dispose();
    memory.dispose();
    throw fault;
  }
}

/** Every process is registered before anything is loaded, so that its end is noticed from the beginning. */
function startProcesses(into: RankProcess[], group: RankGroup, { descriptor }: RankMemory): void {
  group.register(0, process.pid);
  for (let rank = 1; rank < group.rankCount; rank++) {
    const started = new RankProcess(rank, descriptor);
    into.push(started);
    group.register(rank, started.pid);
  }
}

/** Prepares all ranks at the same time, and opens them with the number of KV blocks that the smallest has room for. */
async function openAll(
  { worldSize, rankUrl, rankOptions, leaderOptions = rankOptions, patienceMs }: RanksRequest,
  processes: readonly RankProcess[],
  openLeader: (prepared: PreparedRank, blockCount: number) => Executor,
): Promise<Executor> {
  const parentPid = process.pid;
  const asked = together(processes, (started) =>
    started.ask(
      { type: 'prepare', rank: started.rank, worldSize, parentPid, rankUrl, rankOptions, patienceMs },
      'prepared',
    ),
  );
  const module = await loadRankModule(rankUrl);
  const prepared = await module.prepareRank(leaderOptions, { rank: 0, worldSize });
  const counts = await asked.catch((fault: unknown) => {
    prepared.dispose();
    throw fault;
  });
  const blockCount = Math.min(prepared.blockCount, ...counts.map((answer) => answer.blockCount));
  const opened = together(processes, (started) => started.ask({ type: 'open', blockCount }, 'opened'));
  const leader = openLeader(prepared, blockCount);
  await opened.catch(async (fault: unknown) => {
    await leader.dispose();
    throw fault;
  });
  return leader;
}

/** Asks all ranks. Their failure counts where the result is awaited, which may be after another failure, or never. */
function together<Answer>(
  processes: readonly RankProcess[],
  ask: (started: RankProcess) => Promise<Answer>,
): Promise<Answer[]> {
  const answers = Promise.all(processes.map(ask));
  answers.catch(() => undefined);
  return answers;
}
