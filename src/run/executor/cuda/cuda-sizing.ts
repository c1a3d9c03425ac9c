/** Limits of a step and size of the KV cache of a CUDA executor. Pure, so that a dry run can ask for them. */
import type { OpeningOptions } from '../../../core/engine-options.js';
import { AloftError } from '../../../core/errors.js';
import type { CudaTarget } from '../../../ops/cuda/capability.js';
import { lowerForCuda } from '../../../ops/cuda/lower.js';
import type { Plan } from '../../../plan/plan.js';
import type { ExecutorSizing } from '../opening/backend.js';
import { checkedStepTokens, maxResults, type EngineShape } from '../opening/sizing.js';
import { type KvDemand, kvBytesPerToken } from '../opening/memory-plan.js';
import type { CudaExecutorLimits, CudaKvOptions } from './cuda-executor-options.js';
import { type CudaSizes, sizeCuda } from './memory-sizes.js';

export const DEFAULT_FREE_FRACTION = 0.9;
const DEFAULT_STEP_TOKENS = 8192;

/** Limits of a step by the engine and the options; the number of blocks is still 0. @throws {AloftError} CONFIG_INVALID */
export function cudaLimits(
  { plan, limits: built }: Omit<EngineShape, 'weightBytes'>,
  given: OpeningOptions,
): CudaExecutorLimits {
  const maxRows = given.maxSequenceCount ?? built.max_batch_size;
  const blockTokens = given.blockTokens ?? built.tokens_per_block;
  const blockBytes = blockTokens * kvBytesPerToken(plan.dims, plan.kvDtype);
  if (blockTokens !== built.tokens_per_block)
    throw new AloftError(
      'CONFIG_INVALID',
      `CUDA kernels are compiled for the KV block size of the engine, ${built.tokens_per_block} tokens; leave --tokens-per-block out or build again.`,
    );
  const maxSequenceTokens = built.max_input_len + built.max_output_len;
  const promptTokens = maxRows * maxSequenceTokens;
  const wantedTokens =
    given.maxStepTokens ?? built.max_num_tokens ?? Math.min(promptTokens, DEFAULT_STEP_TOKENS);
  const maxStepTokens = checkedStepTokens(wantedTokens, maxRows);
  return {
    maxStepTokens,
    maxRows,
    maxLogits: maxResults(plan, { maxRows, maxStepTokens }),
    blockTokens,
    blockCount: 0,
    hostBlockCount: Math.floor((given.hostKvBytes ?? 0) / blockBytes),
    maxSequenceTokens,
  };
}

/**
 * Demand that decides the number of KV blocks.
 * @param freeBytes free once weights and workspace are allocated
 */
export function cudaKvDemand(
  {
    plan,
    limits,
    kv,
  }: { readonly plan: Plan; readonly limits: CudaExecutorLimits; readonly kv: CudaKvOptions },
  freeBytes: number,
  workspaceBytes: number,
): KvDemand {
  return {
    blockTokens: limits.blockTokens,
    bytesPerToken: kvBytesPerToken(plan.dims, plan.kvDtype),
    freeBytes: Math.min(freeBytes, (kv.maxDeviceBytes ?? Infinity) - kv.weightBytes - workspaceBytes),
    kvCacheFreeMemFraction: kv.kvCacheFreeMemFraction,
    maxKvTokens: kv.maxKvTokens,
    usefulTokens: limits.maxRows * (limits.maxSequenceTokens + limits.blockTokens),
  };
}

/** The driver gives out memory in pieces of this size; smaller areas share one. */
const PAGE_BYTES = 2 << 20;

/** Bytes by which free memory falls when a workspace of these sizes is allocated. */
export function workspaceBytesOf({ bytes }: CudaSizes): number {
  const [large, small] = [
    Object.values(bytes).filter(isLarge),
    Object.values(bytes).filter((size) => !isLarge(size)),
  ];
  const pages = (size: number): number => Math.ceil(size / PAGE_BYTES) * PAGE_BYTES;
  return [...large, small.reduce((sum, size) => sum + size, 0)].reduce((sum, size) => sum + pages(size), 0);
}

const isLarge = (size: number): boolean => size >= PAGE_BYTES / 2;

/** @param availableBytes memory for weights, workspace and cache together @throws {AloftError} CONFIG_INVALID */
export function sizeCudaEngine(
  shape: EngineShape,
  given: OpeningOptions,
  { availableBytes, target }: { readonly availableBytes: number; readonly target: CudaTarget },
): ExecutorSizing {
  const { plan, weightBytes } = shape;
  const limits = cudaLimits(shape, given);
  const workspaceBytes = workspaceBytesOf(sizeCuda(lowerForCuda(plan), limits, target));
  const kvCacheFreeMemFraction = given.kvCacheFreeMemFraction ?? DEFAULT_FREE_FRACTION;
  const kv = {
    weightBytes,
    kvCacheFreeMemFraction,
    maxKvTokens: given.maxKvTokens,
    maxDeviceBytes: given.maxDeviceBytes,
  };
  const freeBytes = Math.max(0, availableBytes - weightBytes - workspaceBytes);
  return { limits, workspaceBytes, demand: cudaKvDemand({ plan, limits, kv }, freeBytes, workspaceBytes) };
}
