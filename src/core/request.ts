import type { TokenConstraint } from './constraint.js';
import type { TokenCourse } from './course.js';
import type { ErrorReport } from './errors.js';
import type { RequestId } from './ids.js';
import type { SamplingParams } from './sampling.js';

/**
 * Beam search instead of sampling: temperature, topK, topP and minP do not count. Repetition penalty, bias of tokens, bad
 * words and min tokens act on the log probabilities of the model, and what accumulates are the results, as in Hugging Face
 * transformers. Presence and frequency penalties, which transformers lacks, are subtracted from the same values.
 */
export interface BeamParams {
  /** Number of beams. */
  readonly width: number;
  /** Rank = cumulative score / length ** lengthPenalty, as in Hugging Face transformers. */
  readonly lengthPenalty: number;
  /** True if the search ends as soon as there are as many ended beams as its width. */
  readonly earlyStopping: boolean;
}

/** A request as the batcher takes it: tokens in, tokens out. Text lives above. */
export interface TokenRequest {
  readonly id: RequestId;
  readonly promptTokenIds: Int32Array;
  readonly maxOutputTokens: number;
  readonly sampling: SamplingParams;
  readonly beam: BeamParams | undefined;
  /** Independent continuations to return; blocks of the prompt are shared. */
  readonly sequenceCount: number;
  /** Continuations to sample, of which the `sequenceCount` best by cumulative log probability are returned. */
  readonly bestOf: number;
  /** Any of these ends the sequence; the id itself is not part of the output. Empty: only lengths end it. */
  readonly endIds: readonly number[];
  /** Token sequences that end the output when generated; not part of the output. */
  readonly stopTokenLists: readonly (readonly number[])[];
  /** Higher runs first. Default 0. */
  readonly priority: number;
  /** Longest time in the queue; undefined waits for ever. */
  readonly queueTimeoutMs: number | undefined;
  /** Time from submission to the end; undefined has none. */
  readonly deadlineMs: number | undefined;
  /** Prefix blocks are shared only between requests of equal salt. */
  readonly cacheSalt: string | undefined;
  readonly returnContextLogits: boolean;
  readonly returnGenerationLogits: boolean;
  /** Form that the output must have; undefined: any. */
  readonly constraint?: TokenConstraint | undefined;
  /** Course that the output must take, in the place of a constraint. */
  readonly course?: TokenCourse | undefined;
}

/** Cause of a sequence's end: an end id, its length, a stop string or stop tokens, or what cut it off. */
export type FinishReason = 'stop' | 'length' | 'stop_word' | 'cancelled' | 'deadline' | 'error';

/** Log probability of one token with the most likely alternatives, natural logarithm. */
export interface TokenLogprobs {
  /** The token. */
  readonly tokenId: number;
  /** Its log probability. */
  readonly logprob: number;
  /** Most likely first; length as asked for. */
  readonly top: readonly {
    /** The token. */
    readonly tokenId: number;
    /** Its log probability. */
    readonly logprob: number;
  }[];
}

/** Milliseconds on the batcher's clock. */
export interface RequestTimings {
  /** When it was submitted. */
  readonly submittedMs: number;
  /** When a step first had it. */
  readonly scheduledMs: number | undefined;
  /** When its first token came. */
  readonly firstTokenMs: number | undefined;
  /** When it ended. */
  readonly finishedMs: number | undefined;
}

/** Counts of a request. */
export interface Usage {
  /** Tokens of the prompt. */
  readonly promptTokens: number;
  /** Prompt tokens whose KV came from the prefix cache. */
  readonly cachedPromptTokens: number;
  /** Generated tokens of all sequences. */
  readonly outputTokens: number;
  /** Blocks of the KV cache. Absent for a request that never came to a KV cache. */
  readonly kvBlocks?: KvBlockUsage;
}

/** Blocks of the device's KV cache that a request has used, from its start to its end; those taken again after a preemption, too. */
export interface KvBlockUsage {
  /** Taken for it. */
  readonly taken: number;
  /** Taken blocks that held nothing; the others were evicted from the prefix cache. */
  readonly fresh: number;
  /** Found in the prefix cache when it started. */
  readonly reused: number;
}

/** New tokens of one sequence of a request. */
export interface TokenEvent {
  readonly type: 'token';
  readonly id: RequestId;
  /** Which continuation: 0 .. sequenceCount - 1. */
  readonly sequence: number;
  readonly tokenIds: readonly number[];
  /** One per token when asked for. */
  readonly logprobs: readonly TokenLogprobs[] | undefined;
  /** [tokenIds.length, vocabulary] when asked for. */
  readonly logits: Float32Array | undefined;
  readonly timeMs: number;
}

/** Facts about the prompt, once, before the first token, when asked for. */
export interface PromptEvent {
  readonly type: 'prompt';
  readonly id: RequestId;
  /** One per prompt token after the first. */
  readonly logprobs: readonly TokenLogprobs[] | undefined;
  /** [prompt tokens, vocabulary] */
  readonly logits: Float32Array | undefined;
}

/** One sequence of a request ended; its complete result (beams are only known here). */
export interface SequenceEvent {
  readonly type: 'sequence';
  readonly id: RequestId;
  readonly sequence: number;
  readonly finishReason: FinishReason;
  readonly tokenIds: readonly number[];
  /** Sum of a beam's scores, which penalties and biases have changed. */
  readonly cumulativeLogprob: number;
  /** Scores of a beam's tokens, one each, when asked for; tokens of other sequences were emitted with theirs. */
  readonly logprobs?: readonly TokenLogprobs[];
}

/** The last event of a request that was served. Exactly one of `finished` and `failed` comes, whatever happens. */
export interface FinishedEvent {
  readonly type: 'finished';
  readonly id: RequestId;
  readonly usage: Usage;
  readonly timings: RequestTimings;
}

/** The last event of a request that was not served to its end. */
export interface FailedEvent {
  readonly type: 'failed';
  readonly id: RequestId;
  readonly error: ErrorReport;
  readonly usage: Usage;
  readonly timings: RequestTimings;
}

export type BatcherEvent = TokenEvent | PromptEvent | SequenceEvent | FinishedEvent | FailedEvent;
