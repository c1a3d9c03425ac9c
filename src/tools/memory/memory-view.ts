/** Table of an engine's memory, with advice on what to change when sequences do not fit. Pure. */
import type { ExecutorLimits, MemoryBudget } from '../../run/executor/executor.js';
import { formatBytes, formatTable } from '../cli/terminal.js';

export interface MemoryView {
  /** Bytes by part of the model; empty where only their sum is known. */
  readonly parts: readonly { readonly part: string; readonly bytes: number }[];
  readonly weightBytes: number;
  readonly workspaceBytes: number;
  readonly maxStepTokens: number;
  readonly maxRows: number;
  readonly maxSequenceTokens: number;
  readonly kvBytesPerToken: number;
  readonly blockTokens: number;
  /** Blocks that the KV cache has; 0 when not one fits. */
  readonly blockCount: number;
  /** `--max_tokens_in_paged_kv_cache`. */
  readonly maxKvTokens: number | undefined;
  /** Memory left after weights and workspace and the share of it for blocks; undefined for an engine that is loaded. */
  readonly free: { readonly bytes: number; readonly fraction: number } | undefined;
}

/** The view of a loaded engine. */
export function loadedView(
  limits: ExecutorLimits,
  memory: MemoryBudget,
  maxKvTokens: number | undefined,
): MemoryView {
  const { weightBytes, workspaceBytes, kvBytesPerToken } = memory;
  return {
    ...limits,
    parts: [],
    weightBytes,
    workspaceBytes,
    kvBytesPerToken,
    maxKvTokens,
    free: undefined,
  };
}

export function memoryTable(view: MemoryView): string {
  const { free, blockCount, blockTokens, kvBytesPerToken } = view;
  const blockBytes = blockTokens * kvBytesPerToken;
  const kvTokens = blockCount * blockTokens;
  const rows = [
    ['memory', 'bytes', ''],
    ['weights', formatBytes(view.weightBytes), ''],
    ...view.parts.map(({ part, bytes }) => [`  ${part}`, formatBytes(bytes), '']),
    ['workspace', formatBytes(view.workspaceBytes), `${view.maxStepTokens} tokens a step`],
    [
      'KV cache',
      formatBytes(blockCount * blockBytes),
      `${blockCount} blocks of ${blockTokens} tokens = ${kvTokens} tokens`,
    ],
    ['  a token', formatBytes(kvBytesPerToken), ''],
    ['  a block', formatBytes(blockBytes), ''],
  ];
  if (free !== undefined)
    rows.push([
      'free after load',
      formatBytes(free.bytes),
      `of which KV blocks may take ${formatBytes(free.bytes * free.fraction)} (--kv_cache_free_mem_fraction ${free.fraction})`,
    ]);
  return `${formatTable(rows)}\n${memoryAdvice(view)}`;
}

/** Number of sequences of full length whose blocks fit at the same time. */
export function fittingSequences({ blockCount, blockTokens, maxSequenceTokens }: MemoryView): number {
  return Math.floor(blockCount / Math.ceil(maxSequenceTokens / blockTokens));
}

/** One line: what fits, and which setting makes more fit. */
export function memoryAdvice(view: MemoryView): string {
  const { blockTokens, maxSequenceTokens, maxRows, kvBytesPerToken } = view;
  const fitting = fittingSequences(view);
  const neededTokens = maxRows * Math.ceil(maxSequenceTokens / blockTokens) * blockTokens;
  if (fitting >= maxRows)
    return `All ${maxRows} sequences (--max_batch_size) fit at their full ${maxSequenceTokens} tokens: nothing to change.`;
  const fit = `${fitting} of ${maxRows} sequences (--max_batch_size) fit at their full ${maxSequenceTokens} tokens; more of them wait for blocks.`;
  const neededBytes = neededTokens * kvBytesPerToken;
  return `${fit} All need ${neededTokens} tokens, ${formatBytes(neededBytes)}: ${remedy(view, neededBytes)}.`;
}

function remedy(view: MemoryView, neededBytes: number): string {
  if (isCapped(view)) return 'raise --max_tokens_in_paged_kv_cache to that';
  const build = 'build an engine that needs less (aloft plan-memory tries what helps)';
  if (view.free === undefined) return `raise --kv_cache_free_mem_fraction, or ${build}`;
  const share = Math.ceil((neededBytes / view.free.bytes) * 100) / 100;
  if (share <= 1) return `--kv_cache_free_mem_fraction ${share} is enough`;
  return `free ${formatBytes(neededBytes - view.free.bytes)} more, or ${build}`;
}

function isCapped({ maxKvTokens, blockCount, blockTokens }: MemoryView): boolean {
  return maxKvTokens !== undefined && blockCount > 0 && blockCount === Math.ceil(maxKvTokens / blockTokens);
}
