import type { ErrorReport } from './errors.js';
import type { RequestId } from './ids.js';
import type { BatcherEvent, TokenRequest } from './request.js';

/** Limits of the requests that a batcher accepts, fixed while the engine is loaded. Requests beyond it are refused before they are submitted. */
export interface TokenLimits {
  readonly vocabulary: number;
  /** Longest prompt (`max_input_len`). */
  readonly maxInputTokens: number;
  /** Most tokens that one sequence may generate (`max_output_len`). */
  readonly maxOutputTokens: number;
  /** Longest prompt and output together (`max_seq_len`, positions of the model, KV cache of one sequence). */
  readonly maxSequenceTokens: number;
  /** The KV cache holds no longer sequence, though the engine would take one. */
  readonly isCacheBound?: true;
  /** Most continuations of one request: `sequenceCount`, `bestOf`. */
  readonly maxSequenceCount: number;
  /** Widest beam; 1 means that beam search is not available. */
  readonly maxBeamWidth: number;
  /** Largest `logprobs` and `promptLogprobs`. */
  readonly maxTopLogprobs: number;
  /** Most likely tokens that a beam can be chosen from: twice its width, or its width and what can end it. Absent: any number. */
  readonly maxBeamCandidates?: number;
  /** Most numbers in the lists of a request (`listNumberCount`). Absent: any number. */
  readonly maxListNumbers?: number;
}

/**
 * The batcher as the text layer sees it: token requests in, token events out.
 *
 * Contract for `onEvent`:
 * - called on the submitter's thread, in order, possibly before `submit` returns; it does not throw;
 * - exactly one `finished` or `failed` event per request, and nothing after it;
 * - token events of a sequence hold only tokens that are also in its `sequence` event, in the same order (so end ids are
 *   left out and possible stop token lists are held back); a beam or `bestOf` sequence may have no token events at all;
 * - every sequence of a request that ends with `finished` has had its `sequence` event.
 */
export interface TokenBatcher {
  readonly limits: TokenLimits;
  /** Never throws: a request that cannot be taken is answered by a `failed` event. */
  submit(request: TokenRequest, onEvent: (event: BatcherEvent) => void): void;
  /** Ends the request within one step with a `failed` event of code CANCELLED. Does nothing when it is unknown or over. */
  cancel(id: RequestId): void;
  /**
   * Ends one sequence within one step and frees what it holds, for a stop that only the submitter can see, such as a stop
   * string in the text. Its `sequence` event comes with reason `stop_word` and the tokens so far; the others go on, and the
   * end of the last one finishes the request. Does nothing when the request is unknown or over, the sequence has ended, or
   * sequences are emitted only at the end of the request (beams, `bestOf` above `sequenceCount`).
   */
  endSequence(id: RequestId, sequence: number): void;
}

/** State of a batcher, for health checks. */
export interface BatcherHealth {
  readonly state: 'running' | 'failed' | 'closed';
  /** Time of the loop's last turn, on the batcher's clock; now, while there is nothing to do. */
  readonly heartbeatMs: number;
  /** Why the state is `failed`. */
  readonly failure: ErrorReport | undefined;
}
