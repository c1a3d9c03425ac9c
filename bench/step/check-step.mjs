/**
 * Times the check that every executor makes of a step before it runs: `node bench/step/check-step.mjs`. Rows are sequences
 * that decode, or one prompt; blocks have 16 tokens. Prints microseconds a step.
 */
import { buildStep } from '../../dist/core/build-step.js';
import { bestMs } from '../../dist/ops/measure.js';
import { checkStep } from '../../dist/run/executor/step-check.js';

const BLOCK_TOKENS = 16;
const MAX_SEQUENCE_TOKENS = 4096;
const MAX_ROWS = 64;
const REPEATS = 500;
const limits = {
  maxStepTokens: 8192,
  maxRows: MAX_ROWS,
  maxLogits: MAX_ROWS,
  blockTokens: BLOCK_TOKENS,
  blockCount: (MAX_ROWS * MAX_SEQUENCE_TOKENS) / BLOCK_TOKENS,
  hostBlockCount: 0,
  maxSequenceTokens: MAX_SEQUENCE_TOKENS,
  vocabulary: 32_000,
};
const range = (count) => Array.from({ length: count }, (_, i) => i);
const slots = new Map(range(MAX_ROWS).map((slot) => [slot, { hasLastToken: true }]));

/** A step of rows that each bring so many tokens and have a number of tokens in the cache when it ends. */
function stepOf(rowCount, newTokens, contextTokens) {
  const blockCount = Math.ceil(contextTokens / BLOCK_TOKENS);
  const rows = range(rowCount).map((slot) => ({
    slot,
    tokenIds: newTokens === 1 ? [-1] : range(newTokens),
    firstPosition: contextTokens - newTokens,
    blocks: range(blockCount).map((block) => slot * blockCount + block),
  }));
  return buildStep(rows);
}

for (const [rowCount, newTokens, contextTokens] of [
  [1, 1, 128],
  [64, 1, 256],
  [64, 1, 2048],
  [64, 1, 4096],
  [1, 2048, 2048],
]) {
  const step = stepOf(rowCount, newTokens, contextTokens);
  const check = () => {
    for (let i = 0; i < REPEATS; i++) checkStep(step, limits, slots);
  };
  const microseconds = (bestMs(check) * 1000) / REPEATS;
  console.log(
    `${rowCount} x ${newTokens} tokens, ${contextTokens} in the cache: ${microseconds.toFixed(2)} us`,
  );
}
