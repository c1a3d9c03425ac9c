/**
 * The pure half of the static-batch benchmark: which cases to run, and what is computed from their latencies.
 * Meanings follow benchmarks/python/benchmark.py of TensorRT-LLM 0.5.
 */
import { AloftError } from '../../core/errors.js';

/** One case: `batch` equal requests of `inputTokens`, each answered with exactly `outputTokens`. */
export interface SweepCase {
  readonly batch: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
}

/** Limits of an engine; cases beyond them are skipped with a warning, as the original does. */
export interface SweepLimits {
  readonly maxBatch: number;
  readonly maxInputTokens: number;
  readonly maxOutputTokens: number;
}

export interface LatencyStatistics {
  readonly meanMs: number;
  readonly percentile95Ms: number;
  readonly percentile99Ms: number;
}

/** `"1;4;8"` -> [1, 4, 8]. @throws {AloftError} USAGE */
export function parseBatchSizes(text: string): number[] {
  return text.split(';').map((part) => positiveInteger(part, '--batch_size', '"1;4;8;16"'));
}

/** `"128,128;128,2048"` -> pairs of input and output length. @throws {AloftError} USAGE */
export function parseLengths(text: string): { inputTokens: number; outputTokens: number }[] {
  const example = '"128,128;2048,128"';
  return text.split(';').map((pair) => {
    const parts = pair.split(',');
    if (parts.length !== 2) throw sweepUsage('--input_output_len', pair, example);
    const [inputTokens, outputTokens] = parts.map((part) =>
      positiveInteger(part, '--input_output_len', example),
    );
    return { inputTokens: inputTokens!, outputTokens: outputTokens! };
  });
}

function positiveInteger(text: string, flag: string, example: string): number {
  const value = Number(text.trim());
  if (!Number.isSafeInteger(value) || value < 1) throw sweepUsage(flag, text, example);
  return value;
}

function sweepUsage(flag: string, text: string, example: string): AloftError {
  return new AloftError(
    'USAGE',
    `${flag} has '${text}' where whole numbers over 0 are wanted, for example ${flag} ${example}.`,
  );
}

/** Cases in the original's order (pairs outside, batches inside) and the warnings of those left out. */
export function planSweep(
  lengths: readonly { inputTokens: number; outputTokens: number }[],
  batches: readonly number[],
  limits: SweepLimits,
): { cases: SweepCase[]; warnings: string[] } {
  const cases: SweepCase[] = [];
  const warnings: string[] = [];
  for (const { inputTokens, outputTokens } of lengths) {
    if (inputTokens > limits.maxInputTokens || outputTokens > limits.maxOutputTokens) {
      warnings.push(
        `check inlen(${inputTokens}) <= max_inlen(${limits.maxInputTokens}) and outlen(${outputTokens}) <= max_outlen(${limits.maxOutputTokens}) failed, skipping.`,
      );
      continue;
    }
    for (const batch of batches) {
      if (batch <= limits.maxBatch) cases.push({ batch, inputTokens, outputTokens });
      else
        warnings.push(`check batch_size(${batch}) <= max_batch_size(${limits.maxBatch}) failed, skipping.`);
    }
  }
  return { cases, warnings };
}

/** Mean and the elements int(n * 0.95), int(n * 0.99) of the sorted list: no interpolation. */
export function latencyStatistics(latenciesMs: readonly number[]): LatencyStatistics {
  const sorted = latenciesMs.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.floor(sorted.length * share)]!;
  const meanMs = sorted.reduce((sum, latency) => sum + latency, 0) / sorted.length;
  return { meanMs, percentile95Ms: at(0.95), percentile99Ms: at(0.99) };
}

/** Output tokens a second of the whole batch; prefill time included, prompt tokens not counted. */
export function outputTokensPerSecond(one: SweepCase, meanMs: number): number {
  return (one.batch * one.outputTokens) / (meanMs / 1000);
}
