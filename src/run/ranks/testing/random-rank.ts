/** For tests: ranks of a tiny random model on the CPU. Rank processes load this module (see RankModule). */
import { present } from '../../../core/present.js';
import { createCpuPool } from '../../../device/cpu/kernel-library.js';
import { SharedCollectives } from '../../../device/cpu/shared-collectives.js';
import { randomRanks } from '../../../builder/testing/random-ranks.js';
import { CpuExecutor } from '../../executor/cpu/cpu-executor.js';
import type { CpuExecutorLimits } from '../../executor/cpu/cpu-executor-options.js';
import type { PreparedRank, RankNumber } from '../../executor/opening/prepared-rank.js';
import type { ModelFault } from '../../executor/testing/conformance-driver.js';
import { breakToken } from '../../executor/testing/break-token.js';
import { packForCpu } from '../../executor/testing/pack-test-model.js';

export interface RandomRankOptions {
  readonly limits: CpuExecutorLimits;
  readonly fault?: ModelFault | undefined;
  /** Rank that has room for one block less than the others. */
  readonly smallRank?: number;
  /** Rank that has another engine than the others. */
  readonly oddRank?: number;
  /** Rank whose preparation fails. */
  readonly failingRank?: number;
}

export async function prepareRank(
  { limits, fault, smallRank, oddRank, failingRank }: RandomRankOptions,
  { rank, worldSize, profile }: RankNumber,
): Promise<PreparedRank> {
  if (rank === failingRank) throw new Error(`rank ${rank} was asked to fail`);
  const { plan, weight } = randomRanks(worldSize)[rank]!;
  return {
    blockCount: limits.blockCount - (rank === smallRank ? 1 : 0),
    identity: rank === oddRank ? 'another' : 'one',
    open({ blockCount, group, announce }) {
      const pool = createCpuPool({ threadCount: 1 });
      const packed = packForCpu(plan, weight, pool);
      if (fault !== undefined)
        breakToken(packed.bytes('vocab_embedding.weight'), plan.dims.vocabulary, fault.nanTokenId);
      return new CpuExecutor({
        plan,
        pool,
        ...packed,
        ...present({ collectives: group && new SharedCollectives(group), announce, profile }),
        limits: { ...limits, blockCount },
        kvDtype: 'f32',
        onDispose: () => packed.dispose(),
      });
    },
    dispose: () => undefined,
  };
}
