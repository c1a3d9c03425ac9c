/** Logits of an engine as its own executor computes them, after all layers or some. */
import { buildStep } from '../core/build-step.js';
import { ownOptions } from '../core/device-options.js';
import { GREEDY } from '../core/sampling.js';
import { readManifest } from '../engine/manifest.js';
import { type Matrix, zeroMatrix } from '../ops/matrix.js';
import type { OpenExecutorOptions } from '../run/executor/opening/open-options.js';
import { openExecutor } from '../run/ranks/open-engine.js';

export interface EngineRun {
  readonly options: OpenExecutorOptions;
  readonly tokenIds: readonly number[];
  /** Indexes of the tokens whose logits are wanted, ascending. */
  readonly wanted: readonly number[];
}

/** @returns [wanted, vocabulary or hidden columns] @throws {AloftError} of the engine reader and the executor */
export async function runEngine({ options, tokenIds, wanted }: EngineRun): Promise<Matrix> {
  const { device } = readManifest(options.engineDirectory).aloft;
  const mapping = ownOptions({ mapWeights: true }, device);
  const executor = await openExecutor({ ...options, ...mapping, maxKvTokens: tokenIds.length });
  try {
    const { blockTokens, maxStepTokens, maxLogits, vocabulary, hiddenColumns = vocabulary } = executor.limits;
    const blocks = Array.from({ length: Math.ceil(tokenIds.length / blockTokens) }, (_, block) => block);
    const promptTokenIds = Int32Array.from(tokenIds);
    const outputTokenIds = new Int32Array(0);
    executor.attachSlot({
      slot: 0,
      sampling: GREEDY,
      isBeam: false,
      endIds: [],
      promptTokenIds,
      outputTokenIds,
    });
    const result = zeroMatrix(wanted.length, hiddenColumns);
    const stepTokens = Math.min(maxStepTokens, maxLogits);
    let filled = 0;
    for (let start = 0; start < tokenIds.length; start += stepTokens) {
      const end = Math.min(start + stepTokens, tokenIds.length);
      const here = wanted.filter((index) => index >= start && index < end);
      const row = {
        slot: 0,
        tokenIds: tokenIds.slice(start, end),
        firstPosition: start,
        blocks,
        wanted: here.map((index) => ({ index: index - start, target: 0 })),
      };
      executor.submit(buildStep([row], { returnLogits: true }));
      const { logits } = await executor.collect();
      if (here.length > 0) result.data.set(logits!, filled * hiddenColumns);
      filled += here.length;
    }
    return result;
  } finally {
    await executor.dispose();
  }
}
