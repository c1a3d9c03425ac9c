/** Room that a step still has. */
export interface StepBudget {
  tokens: number;
  logits: number;
}

/** A part of a sequence that waits to be computed. */
export interface PendingTokens {
  /** Tokens computed before. */
  readonly computedCount: number;
  readonly pendingCount: number;
  /** Pending tokens, from the first on, whose logits are all wanted (prompt scores). */
  readonly scoredCount: number;
  /** True when the last pending token is sampled. */
  readonly endsWithSample: boolean;
}

/**
 * Number of pending tokens that run in this step. A chunk that does not reach the end stops at a block boundary if the
 * budget reaches one, so that a block is filled by one step and can be shared whole.
 */
export function chunkTokens(pending: PendingTokens, budget: StepBudget, blockTokens: number): number {
  const chunk = Math.min(pending.pendingCount, budget.tokens, tokensWithinLogits(pending, budget.logits));
  if (chunk === pending.pendingCount) return chunk;
  const end = pending.computedCount + chunk;
  const aligned = end - (end % blockTokens) - pending.computedCount;
  return aligned > 0 ? aligned : chunk;
}

/** Logits that the first `chunk` pending tokens ask for. */
export function chunkLogits(pending: PendingTokens, chunk: number): number {
  const sampled = pending.endsWithSample && chunk === pending.pendingCount ? 1 : 0;
  return Math.min(chunk, pending.scoredCount) + sampled;
}

function tokensWithinLogits(pending: PendingTokens, logits: number): number {
  if (chunkLogits(pending, pending.pendingCount) <= logits) return pending.pendingCount;
  return pending.scoredCount > logits ? logits : pending.pendingCount - 1;
}
