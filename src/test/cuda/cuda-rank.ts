/** For tests: ranks of a small random model, on GPU 0 or a GPU each. Rank processes load this module (see RankModule). */
import { type RandomRank, randomRanks } from '../../builder/testing/random-ranks.js';
import { createCpuPool } from '../../device/cpu/kernel-library.js';
import { openGpu } from '../../device/cuda/gpu.js';
import { prepareCudaExecutor } from '../../run/executor/cuda/cuda-executor.js';
import type { CudaExecutorLimits } from '../../run/executor/cuda/cuda-executor-options.js';
import type { PreparedRank, RankNumber } from '../../run/executor/opening/prepared-rank.js';
import { breakToken } from '../../run/executor/testing/break-token.js';
import type { ModelFault } from '../../run/executor/testing/conformance-driver.js';
import { uploadWeights } from './open-test-executor.js';

export interface CudaRankOptions {
  readonly limits: CudaExecutorLimits;
  /** Machine code by unit, the same for all ranks. */
  readonly units: ReadonlyMap<string, Uint8Array>;
  readonly useGraphs: boolean;
  readonly hasOwnGpus: boolean;
  readonly fault?: ModelFault | undefined;
}

const HIDDEN = 128;
const FIELDS = {
  hidden_size: HIDDEN,
  intermediate_size: 352,
  num_attention_heads: 4,
  num_key_value_heads: 4,
};

/** The model on each rank. */
export function cudaRanks(worldSize: number): RandomRank[] {
  return randomRanks(worldSize, { dtype: 'f16', fields: FIELDS, spread: 3 / Math.sqrt(HIDDEN) });
}

export async function prepareRank(
  { limits, units, useGraphs, hasOwnGpus, fault }: CudaRankOptions,
  { rank, worldSize }: RankNumber,
): Promise<PreparedRank> {
  const { plan, weight } = cudaRanks(worldSize)[rank]!;
  const weights = new Map(Object.keys(plan.weights).map((name) => [name, weight(name)]));
  const gpu = openGpu(hasOwnGpus ? rank : 0);
  const pool = createCpuPool({ threadCount: 1 });
  const change = (tensor: string, bytes: Uint8Array): void => {
    if (fault !== undefined && tensor === 'vocab_embedding.weight')
      breakToken(bytes, plan.dims.vocabulary, fault.nanTokenId);
  };
  const addresses = uploadWeights(gpu, { model: { plan, weights }, change }, pool);
  pool.dispose();
  return prepareCudaExecutor({
    plan,
    gpu,
    units,
    limits,
    useGraphs,
    tensorAddress: (name) => addresses.get(name)!,
    shareGpu: !hasOwnGpus,
    cudaLibraryPath: undefined,
    kv: {
      weightBytes: 0,
      kvCacheFreeMemFraction: 0.2,
      maxKvTokens: limits.blockCount * limits.blockTokens,
      maxDeviceBytes: undefined,
    },
  });
}
