/** Engines of several ranks, on one GPU and on a GPU each: the suite of the executor's contract, and the logits of the reference. */
import { afterAll, describe, expect, it } from 'vitest';
import { compileUnits, kernelUnits } from '../../builder/cuda/kernel-sources.js';
import { describeOnGpu, gpusForTests } from '../../device/cuda/testing/on-gpu.js';
import { relativeError } from '../../ops/testing/compare.js';
import { describeExecutor } from '../../run/executor/testing/conformance.js';
import { Driver, LIMITS, range, tokens } from '../../run/executor/testing/conformance-driver.js';
import type { Executor } from '../../run/executor/executor.js';
import { ReferenceExecutor } from '../../run/executor/reference/reference-executor.js';
import { openRanks } from '../../run/ranks/open-ranks.js';
import type { RankExecutor } from '../../run/ranks/rank-executor.js';
import { type CudaRankOptions, cudaRanks } from './cuda-rank.js';
import { type CudaTools, openCudaTools } from './open-test-executor.js';
import { TOLERANCE } from './tolerances.js';

const RANK_URL = new URL('./cuda-rank.js', import.meta.url).href;
let tools: CudaTools | undefined;
afterAll(() => tools?.dispose());

function unitsFor(worldSize: number): ReadonlyMap<string, Uint8Array> {
  const { nvrtc, compiled, properties } = (tools ??= openCudaTools());
  const key = `${worldSize} ranks`;
  let units = compiled.get(key);
  if (units === undefined) {
    const requests = kernelUnits(cudaRanks(worldSize)[0]!.plan, properties, LIMITS.blockTokens);
    const images = Array.from(compileUnits(nvrtc, requests), ([name, { cubin }]) => [name, cubin] as const);
    compiled.set(key, (units = new Map(images)));
  }
  return units;
}

function open(worldSize: number, change: Omit<CudaRankOptions, 'limits' | 'units'>): Promise<RankExecutor> {
  const rankOptions: CudaRankOptions = { limits: LIMITS, units: unitsFor(worldSize), ...change };
  return openRanks({ worldSize, rankUrl: RANK_URL, rankOptions });
}

/** Logits of a prompt and of six tokens that follow it, which are given. */
async function logitsOf(executor: Executor): Promise<Float32Array> {
  try {
    const driver = new Driver(executor, 0);
    driver.attach(0);
    return await driver.logits(tokens(40, 3), [33, 1, 1, 1, 1, 1, 1, 1], range(6));
  } finally {
    await executor.dispose();
  }
}

function describeRanks(hasOwnGpus: boolean, rankCounts: readonly number[]): void {
  it.each(rankCounts)('%i ranks compute the logits of the reference', async (worldSize) => {
    const [first, ...otherRanks] = cudaRanks(worldSize);
    const reference = new ReferenceExecutor({ ...first!, otherRanks, limits: LIMITS, kvDtype: 'f16' });
    const expected = await logitsOf(reference);
    const actual = await logitsOf(await open(worldSize, { useGraphs: true, hasOwnGpus }));
    // Every rank's part of a sum is rounded, too.
    expect(relativeError(actual, expected)).toBeLessThanOrEqual(2 * TOLERANCE.f16);
  });

  it('a rank that is killed ends the others with a code, on the device too', async () => {
    const executor = await open(2, { useGraphs: true, hasOwnGpus });
    const driver = new Driver(executor, 0);
    driver.attach(0, { prompt: [1, 2, 3] });
    const row = { slot: 0, tokenIds: [1, 2, 3], firstPosition: 0, blocks: [0] };
    await driver.step([row]);
    process.kill(executor.pids[0]!, 'SIGKILL');
    // The death may be seen while the step is submitted, or while its results are waited for.
    const twoSteps = async (): Promise<void> => {
      await driver.step([row]);
      await driver.step([row]);
    };
    await expect(twoSteps()).rejects.toMatchObject({ code: 'RANK_DIED' });
    await executor.dispose();
  });

  describeExecutor('two CUDA ranks', {
    tolerance: 2 * TOLERANCE.f16,
    create: (limits, fault) => {
      expect(limits).toBe(LIMITS);
      return open(2, { useGraphs: true, hasOwnGpus, fault });
    },
  });
}

describeOnGpu('ranks on one GPU', () => describeRanks(false, [2, 4]));

const gpus = gpusForTests();
if (gpus > 1)
  describe('ranks on a GPU each', () =>
    describeRanks(
      true,
      [2, 4].filter((count) => count <= gpus),
    ));
