/** Token requests over a real executor, and how far their outputs agree with a reference. */
import type { TokenRequest } from '../core/request.js';
import type { BatcherOptions } from '../run/batcher/batcher-options.js';
import { type Outcome, runToEnd } from '../run/batcher/testing/outcome.js';
import type { Executor } from '../run/executor/executor.js';
import { batcherOver } from './build-and-open.js';

/** Runs all requests at once. @throws when one fails or is answered out of order */
export async function outcomesOf(
  executor: Executor,
  requests: readonly TokenRequest[],
  options: Partial<BatcherOptions> = {},
): Promise<readonly Outcome[]> {
  const collectors = await runToEnd(batcherOver(executor, options), requests);
  return collectors.map(({ outcome, faults, isOver }, i) => {
    const fault = outcome.error ?? faults[0] ?? (isOver ? undefined : 'no terminal event');
    if (fault !== undefined) throw new Error(`${requests[i]!.id}: ${fault}`);
    return outcome;
  });
}

/** Tokens that transformers generated: an end id at the end is part of `new_ids`. */
export interface ReferenceOutput {
  readonly prompt_ids: readonly number[];
  readonly new_ids: readonly number[];
  /** Best minus second-best score of every step. */
  readonly margins: readonly number[];
}

/** The first token of sequence 0 that differs from the reference, with the reference's margin there. */
export interface Divergence {
  readonly index: number;
  readonly margin: number;
}

/** Undefined when all tokens and the reason to end are the same. */
export function divergenceOf(
  { sequences }: Outcome,
  reference: ReferenceOutput,
  endId: number,
): Divergence | undefined {
  const { tokenIds, finishReason } = sequences.get(0)!;
  const actual = finishReason === 'stop' ? [...tokenIds, endId] : tokenIds;
  const { new_ids: expected, margins } = reference;
  for (let index = 0; index < Math.max(actual.length, expected.length); index++)
    if (actual[index] !== expected[index]) return { index, margin: margins[index] ?? Infinity };
  return undefined;
}
