/** The replica of the simulation: LLaMA-2-7B's shape on one H200, INT8 weights and KV cache, as an acceptance run has measured it. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Record that the costs of steps come from, relative to bench/results. */
export const MEASURED = 'cuda/h200-70c0651-20261129T081745.json';

export const readMeasured = () =>
  JSON.parse(readFileSync(fileURLToPath(new URL(`../results/${MEASURED}`, import.meta.url)), 'utf8'));

/**
 * Limits of that engine (bench/cuda/acceptance/speed.mjs, buildWide). The number of blocks is what `aloft plan-memory` says with
 * --gpu_memory_gb 150.75 --random_weights llama2_7b --use_weight_only --kv_cache_dtype int8 --kv_cache_free_mem_fraction 0.95.
 */
export const ENGINE = {
  blockCount: 31_239,
  blockTokens: 16,
  maxSequenceCount: 1024,
  maxStepTokens: 8192,
  maxSequenceTokens: 12_288,
};
