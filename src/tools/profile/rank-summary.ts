/** Time of profiled steps by rank. Pure. */
import type { Plan } from '../../plan/plan.js';
import type { ProfiledStep } from './profile-steps.js';

/** Sums over all steps. */
export interface RankSummary {
  readonly rank: number;
  readonly computeMs: number;
  /** In sums and gathers over ranks, waits for the others included. On a GPU, a norm that is one kernel with a sum counts here. */
  readonly exchangeMs: number;
}

/** @returns none for one rank */
export function summariseRanks(steps: readonly ProfiledStep[], plan: Plan): readonly RankSummary[] {
  const rankCount = 1 + (steps[0]?.others.length ?? 0);
  if (rankCount === 1) return [];
  const isExchange = plan.ops.map(({ kind }) => kind === 'allReduce' || kind === 'allGather');
  return Array.from({ length: rankCount }, (_, rank) => {
    const sums = { computeMs: 0, exchangeMs: 0 };
    for (const step of steps)
      for (const { opIndex, ms } of rank === 0 ? step.calls : timesOf(step.others[rank - 1]!))
        sums[isExchange[opIndex] === true ? 'exchangeMs' : 'computeMs'] += ms;
    return { rank, ...sums };
  });
}

const timesOf = (times: Float32Array) => Array.from(times, (ms, opIndex) => ({ opIndex, ms }));
