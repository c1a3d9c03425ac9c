/** The text-level request that every protocol, the CLI and the Node API make, and the events that answer it. */
import type { Constraint } from './constraint.js';
import type { Course } from './course.js';
import type { EmbeddingTraits } from './embedding.js';
import type { ErrorReport } from './errors.js';
import type { SamplingNumbers } from './sampling-fields.js';
import type { BeamParams, FinishReason, RequestTimings, TokenLogprobs, Usage } from './request.js';

/** A message of a conversation. */
export interface ChatMessage {
  /** `system`, `user`, `assistant`, or another that the chat template knows. */
  readonly role: string;
  /** Text; null where there is none, as in a message that only calls tools. */
  readonly content: string | null;
  /** Passed to the chat template as they are: tool calls, names, ... */
  readonly [extra: string]: unknown;
}

/** Text or tokens to continue. */
export type Prompt = TextPrompt | TokensPrompt | ChatPrompt;

/** Text to continue. */
export interface TextPrompt {
  /** Kind of the prompt. */
  readonly type: 'text';
  /** The text. */
  readonly text: string;
  /** True if the tokenizer's special tokens, such as the begin token, are added. */
  readonly addSpecialTokens: boolean;
}

/** Tokens to continue. */
export interface TokensPrompt {
  /** Kind of the prompt. */
  readonly type: 'tokens';
  /** Ids of the model's vocabulary. */
  readonly tokenIds: readonly number[];
}

/** A conversation to answer. */
export interface ChatPrompt {
  /** Kind of the prompt. */
  readonly type: 'chat';
  /** Messages, oldest first. */
  readonly messages: readonly ChatMessage[];
  /** Passed to the chat template: tools, documents, flags. */
  readonly templateArguments: Readonly<Record<string, unknown>>;
}

/**
 * Everything except `prompt` may be left out. Defaults: the engine's generation_config, then greedy.
 * A temperature without topK samples from the full distribution.
 */
export interface GenerateRequest extends Partial<SamplingNumbers> {
  /** Text, tokens or conversation to continue. */
  readonly prompt: Prompt;
  /** Name of the request in logs and events; generated if omitted. */
  readonly id?: string;
  /** Default: as many as fit. 0 generates nothing: the prompt is read, echoed and scored as the request asks. */
  readonly maxOutputTokens?: number;
  /** Generates fewer tokens than `maxOutputTokens` where fewer fit. Default false: such a request is refused. */
  readonly shortensOutput?: boolean;
  /** Added to the logits of tokens, by their ids. */
  readonly logitBias?: Readonly<Record<number, number>>;
  /** Texts that the output must not have. */
  readonly badWords?: readonly string[];
  /** Token sequences that the output must not have. */
  readonly badTokenLists?: readonly (readonly number[])[];
  /** Matched on the decoded text; not part of the output unless `includeStop`. */
  readonly stop?: readonly string[];
  /** Token sequences that end the output; not part of it. */
  readonly stopTokenLists?: readonly (readonly number[])[];
  /** True if the stop string that matched is part of the output. Default false. */
  readonly includeStop?: boolean;
  /** Default: generation_config's and the tokenizer's end ids. */
  readonly endIds?: readonly number[];
  /** True if end ids do not end the output. Default false. */
  readonly ignoreEos?: boolean;
  /** Absent: random, and reported in the `started` event. */
  readonly seed?: bigint;
  /** Log probability of each token with this number of most likely others. Default: none. */
  readonly logprobs?: number;
  /** The same for the tokens of the prompt, in a `prompt` event. */
  readonly promptLogprobs?: number;
  /** Independent continuations to return. Default 1. */
  readonly sequenceCount?: number;
  /** Continuations to sample, of which the `sequenceCount` best are returned. */
  readonly bestOf?: number;
  /** Beam search instead of sampling. */
  readonly beam?: BeamParams;
  /** Output text starts with the prompt's text, as the tokens of the prompt decode; stop strings are not looked for in it. */
  readonly echo?: boolean;
  /**
   * The text is the rest of the prompt's: the space at its start is kept, so that prompt and text put together are what
   * `echo` gives. Default false: the text stands alone, as after a chat message, and does not start with a space.
   */
  readonly continuesPrompt?: boolean;
  /** True if special tokens are left out of the text. Default true. */
  readonly skipSpecialTokens?: boolean;
  /** Control tokens, by their texts, that are a part of the text all the same: those that calls and thoughts are made of. */
  readonly shownTokens?: readonly string[];
  /** Keep only the last n prompt tokens instead of refusing a long prompt. */
  readonly truncatePromptTokens?: number;
  /** Higher runs first. Default 0. */
  readonly priority?: number;
  /** Longest time in the queue, ms. Default: any. */
  readonly queueTimeoutMs?: number;
  /** Longest time from submission to end, ms. Default: any. */
  readonly deadlineMs?: number;
  /** Prompt prefixes are reused only between requests of equal salt. */
  readonly cacheSalt?: string;
  /** Form that the text must have; without it, any. */
  readonly constraint?: Constraint;
  /** Course that the text must take, with its own constraints: not together with `constraint`. */
  readonly course?: Course;
  /** An embedding of the prompt, from a model that makes them; nothing is generated. */
  readonly embedding?: EmbeddingRequest;
  /** Logits of every prompt token, in a `prompt` event. */
  readonly returnContextLogits?: boolean;
  /** Logits of every generated token, in its `text` event. */
  readonly returnGenerationLogits?: boolean;
}

/** Wishes about an embedding. */
export interface EmbeddingRequest {
  /** Numbers of the embedding, the first ones of all; for models that are trained for it. Default: all. */
  readonly dimensions?: number;
}

/** First event: what was made of the request. */
export interface StartedEvent {
  /** Kind of the event. */
  readonly type: 'started';
  /** Name of the request. */
  readonly id: string;
  /** The prompt as tokens. */
  readonly promptTokenIds: readonly number[];
  /** Seed that makes the same output again. */
  readonly seed: bigint;
}

/** Scores of the prompt, where the request asked for them. */
export interface PromptScoreEvent {
  /** Kind of the event. */
  readonly type: 'prompt';
  /** One per prompt token after the first. */
  readonly logprobs: readonly TextLogprobs[] | undefined;
  /** [prompt tokens, vocabulary] */
  readonly logits: Float32Array | undefined;
  /** [dimensions] when the request is for an embedding. */
  readonly embedding?: Float32Array;
}

/** A log probability with the text of its tokens. */
export interface TextLogprobs extends TokenLogprobs {
  /** Text of the token. */
  readonly text: string;
  /** UTF-8 of the token; those of a part of a character have no text of their own. */
  readonly bytes: Uint8Array;
  /** Texts of the most likely tokens. */
  readonly topTexts: readonly string[];
  /** UTF-8 of the most likely tokens. */
  readonly topBytes: readonly Uint8Array[];
}

/**
 * New text of one sequence. The concatenation of all `text` of a sequence is exactly the text of its `sequence` event;
 * `text` may be empty while a character or a possible stop string is incomplete.
 */
export interface TextEvent {
  /** Kind of the event. */
  readonly type: 'text';
  /** Which continuation, from 0. */
  readonly sequence: number;
  /** New text. */
  readonly text: string;
  /** New tokens. */
  readonly tokenIds: readonly number[];
  /** One per token, when asked for. */
  readonly logprobs: readonly TextLogprobs[] | undefined;
  /** [tokenIds.length, vocabulary], when asked for. */
  readonly logits: Float32Array | undefined;
}

/** One sequence ended. With beams or bestOf this is the first that is heard of it. */
export interface SequenceTextEvent {
  /** Kind of the event. */
  readonly type: 'sequence';
  /** Which continuation, from 0. */
  readonly sequence: number;
  /** The whole text. */
  readonly text: string;
  /** All generated tokens. */
  readonly tokenIds: readonly number[];
  /** Cause of its end. */
  readonly finishReason: FinishReason;
  /** The stop string that matched; undefined when none did. */
  readonly stop: string | undefined;
  /** Sum over the tokens; of a beam its score. NaN where the request asked neither for log probabilities nor for beams. */
  readonly cumulativeLogprob: number;
}

/** Last event of a request that ran to its end. */
export interface GenerateFinishedEvent {
  /** Kind of the event. */
  readonly type: 'finished';
  /** Counts of tokens, and of blocks of the KV cache. */
  readonly usage: Usage;
  /** Moments on the engine's clock: see `durationsOf`. */
  readonly timings: RequestTimings;
}

/** Last event of a request that was refused, cancelled or cut off. */
export interface GenerateFailedEvent {
  /** Kind of the event. */
  readonly type: 'failed';
  /** Code and sentence. */
  readonly error: ErrorReport;
  /** Counts until then. */
  readonly usage: Usage;
  /** Moments on the engine's clock: see `durationsOf`. */
  readonly timings: RequestTimings;
}

/** Exactly one of `finished` and `failed` ends the stream. */
export type GenerateEvent =
  | StartedEvent
  | PromptScoreEvent
  | TextEvent
  | SequenceTextEvent
  | GenerateFinishedEvent
  | GenerateFailedEvent;

/**
 * Something that answers text requests: an engine, or a stand-in for tests.
 * Leaving the iteration early (`break`, `return`) or aborting cancels the request within one step.
 */
export interface Generator {
  readonly model: ModelCard;
  generate(request: GenerateRequest, signal?: AbortSignal): AsyncIterable<GenerateEvent>;
}

/** The same without an iterator between the engine and its reader: for a server with a thousand streams. */
export interface EventGenerator {
  readonly model: ModelCard;
  /**
   * Runs one request. `onEvent` is called on the caller's thread, never before this returns, and does not throw; the last
   * event, and only the last, is `finished` or `failed`.
   * @returns ends the request within one step with a `failed` event of code CANCELLED; does nothing when it is over
   */
  start(request: GenerateRequest, onEvent: (event: GenerateEvent) => void): () => void;
  /** Tokens of a prompt as a request with it would have them. @throws {AloftError} REQUEST_INVALID, PROMPT_TOO_LONG */
  tokenize(prompt: Prompt): Promise<readonly number[]>;
}

/** Tags around the thoughts of a model. */
export interface ThoughtTags {
  readonly begin: string;
  readonly end: string;
}

/** Facts about a loaded model that a client may see. */
export interface ModelCard {
  /** Name that clients see. */
  readonly name: string;
  /** Number of token ids. */
  readonly vocabulary: number;
  /** Most tokens of a prompt. */
  readonly maxInputTokens: number;
  /** Most tokens of an output. */
  readonly maxOutputTokens: number;
  /** Most tokens of prompt and output together: the context length. */
  readonly maxSequenceTokens: number;
  /** Type of activations, such as `float16`. */
  readonly precision: string;
  /** True if conversations can be prompts. */
  readonly hasChatTemplate: boolean;
  /** Absent: the model generates text. */
  readonly embedding?: EmbeddingTraits | undefined;
  /** Name of the form in which its chat template asks for calls of tools; absent where none is known. */
  readonly callFormat?: string | undefined;
  /** Tags of its thoughts; absent where its chat template knows of none. */
  readonly thought?: ThoughtTags | undefined;
}
