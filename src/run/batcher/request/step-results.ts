/** Reads single logits out of a step's output. */
import type { TokenLogprobs } from '../../../core/request.js';
import type { StepOutput } from '../../../core/step.js';

/** @param count alternatives wanted; the step may report more for other rows, or fewer in a small vocabulary */
export function logprobsAt(output: StepOutput, logit: number, count: number): TokenLogprobs {
  const base = logit * output.topCount;
  const top: { tokenId: number; logprob: number }[] = [];
  for (let rank = 0; rank < Math.min(count, output.topCount); rank++) {
    const tokenId = output.topTokenIds[base + rank]!;
    if (tokenId >= 0) top.push({ tokenId, logprob: output.topLogprobs[base + rank]! });
  }
  return { tokenId: output.tokenIds[logit]!, logprob: output.logprobs[logit]!, top };
}

/** A copy of one row of logits.  -> [vocabulary] f32 */
export function logitsAt(output: StepOutput, logit: number): Float32Array {
  const vocabulary = output.logits!.length / output.logitCount;
  return output.logits!.slice(logit * vocabulary, (logit + 1) * vocabulary);
}
