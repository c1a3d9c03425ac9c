/** Limits of a step and size of the KV cache of a CPU executor. Pure, so that a dry run can ask for them. */
import type { OpeningOptions } from '../../../core/engine-options.js';
import type { ExecutorSizing, SizingPlace } from '../opening/backend.js';
import { type CpuKvDtype, cpuKvDtype } from '../../../ops/cpu/kv-layout.js';
import { cpuWorkspaceBytes } from './cpu-executor.js';
import { kvBytesPerToken } from '../opening/memory-plan.js';
import { checkedStepTokens, maxResults, type EngineShape } from '../opening/sizing.js';

export interface CpuSizing extends ExecutorSizing {
  readonly kvDtype: CpuKvDtype;
}

const DEFAULT_FREE_FRACTION = 0.5;
const DEFAULT_STEP_TOKENS = 512;

/** @throws {AloftError} CONFIG_INVALID */
export function sizeCpu(
  shape: EngineShape,
  given: OpeningOptions,
  { availableBytes }: Pick<SizingPlace, 'availableBytes'>,
): CpuSizing {
  const { plan, weightBytes, limits: built } = shape;
  const maxRows = given.maxSequenceCount ?? built.max_batch_size;
  const maxSequenceTokens = built.max_input_len + built.max_output_len;
  const blockTokens = given.blockTokens ?? built.tokens_per_block;
  const kvDtype = cpuKvDtype(plan.kvDtype);
  const bytesPerToken = kvBytesPerToken(plan.dims, kvDtype);
  const wantedTokens = given.maxStepTokens ?? built.max_num_tokens ?? Math.max(maxRows, DEFAULT_STEP_TOKENS);
  const maxStepTokens = checkedStepTokens(wantedTokens, maxRows);
  const limits = {
    maxStepTokens,
    maxRows,
    maxLogits: maxResults(plan, { maxRows, maxStepTokens }),
    blockTokens,
    hostBlockCount: Math.floor((given.hostKvBytes ?? 0) / (blockTokens * bytesPerToken)),
    maxSequenceTokens,
  };
  const workspaceBytes = cpuWorkspaceBytes(plan, limits);
  const demand = {
    blockTokens,
    bytesPerToken,
    freeBytes: Math.max(0, availableBytes - weightBytes - workspaceBytes),
    kvCacheFreeMemFraction: given.kvCacheFreeMemFraction ?? DEFAULT_FREE_FRACTION,
    maxKvTokens: given.maxKvTokens,
    // A sequence's last block is rarely full, so each may need one more than its tokens fill.
    usefulTokens: maxRows * (maxSequenceTokens + blockTokens),
  };
  return { kvDtype, limits, workspaceBytes, demand };
}
