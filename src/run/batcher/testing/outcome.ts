import type { ErrorCode } from '../../../core/errors.js';
import type { BatcherEvent, FinishReason, TokenLogprobs, TokenRequest } from '../../../core/request.js';
import type { Batcher } from '../batcher.js';

/** All events of a request, put together: they must not depend on how it was scheduled. */
export interface Outcome {
  readonly sequences: Map<number, SequenceOutcome>;
  promptLogprobs: readonly TokenLogprobs[] | undefined;
  /** Digest of the context logits; 0 when there are none. */
  promptLogits: number;
  error: ErrorCode | undefined;
}

export interface SequenceOutcome {
  tokenIds: readonly number[];
  finishReason: FinishReason | undefined;
  cumulativeLogprob: number;
  /** From token events, which must agree with `tokenIds` where there are any. */
  readonly streamed: number[];
  readonly logprobs: TokenLogprobs[];
  /** Digest of the generation logits; 0 when there are none. */
  logits: number;
}

/** Collects the events of one request and checks their order. */
export class OutcomeCollector {
  readonly outcome: Outcome = {
    sequences: new Map(),
    promptLogprobs: undefined,
    promptLogits: 0,
    error: undefined,
  };
  isOver = false;
  readonly faults: string[] = [];
  /** Tokens emitted so far; lets tests cancel at a certain point. */
  tokenCount = 0;

  readonly take = (event: BatcherEvent): void => {
    if (this.isOver) this.faults.push(`${event.type} after the terminal event`);
    switch (event.type) {
      case 'token': {
        const sequence = this.#sequence(event.sequence);
        if (sequence.finishReason !== undefined) this.faults.push('token after the sequence event');
        sequence.streamed.push(...event.tokenIds);
        sequence.logprobs.push(...(event.logprobs ?? []));
        sequence.logits = digest(sequence.logits, event.logits);
        this.tokenCount += event.tokenIds.length;
        break;
      }
      case 'prompt':
        if (this.tokenCount > 0) this.faults.push('prompt event after a token');
        this.outcome.promptLogprobs = event.logprobs;
        this.outcome.promptLogits = digest(0, event.logits);
        break;
      case 'sequence': {
        const sequence = this.#sequence(event.sequence);
        if (sequence.finishReason !== undefined) this.faults.push('second sequence event');
        sequence.tokenIds = event.tokenIds;
        sequence.finishReason = event.finishReason;
        sequence.cumulativeLogprob = event.cumulativeLogprob;
        if (sequence.streamed.length > 0 && sequence.streamed.join() !== event.tokenIds.join())
          this.faults.push(
            `streamed ${sequence.streamed.join()}, but the sequence is ${event.tokenIds.join()}`,
          );
        break;
      }
      case 'failed':
        this.outcome.error = event.error.code;
        this.isOver = true;
        break;
      case 'finished':
        this.isOver = true;
    }
  };

  #sequence(index: number): SequenceOutcome {
    const known = this.outcome.sequences.get(index);
    if (known !== undefined) return known;
    const fresh: SequenceOutcome = {
      tokenIds: [],
      finishReason: undefined,
      cumulativeLogprob: NaN,
      streamed: [],
      logprobs: [],
      logits: 0,
    };
    this.outcome.sequences.set(index, fresh);
    return fresh;
  }
}

/** Folds the bits of more values into a digest; however they are cut into pieces, it is the same. */
function digest(before: number, values: Float32Array | undefined): number {
  if (values === undefined) return before;
  const bits = new Int32Array(values.buffer, values.byteOffset, values.length);
  let hash = before;
  for (const value of bits) hash = (Math.imul(hash, 31) + value) | 0;
  return hash;
}

/** Submits everything at once, drives the batcher until it is idle and checks its accounting on the way. */
export async function runToEnd(
  batcher: Batcher,
  requests: readonly TokenRequest[],
): Promise<readonly OutcomeCollector[]> {
  const collectors = requests.map((request) => {
    const collector = new OutcomeCollector();
    batcher.submit(request, collector.take);
    return collector;
  });
  for (let turn = 0; await batcher.turn(); turn++) if (turn % 8 === 0) batcher.kv.checkIntegrity();
  batcher.kv.checkIntegrity();
  return collectors;
}
