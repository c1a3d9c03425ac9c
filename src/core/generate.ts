/** The text-level request that every protocol, the CLI and the Node API make, and the events that answer it. */
import type { Constraint } from './constraint.js';
import type { Course } from './course.js';
import type { EmbeddingTraits } from './embedding.js';
import type { ErrorReport } from './errors.js';
import type { SamplingNumbers } from './sampling-fields.js';
import type { BeamParams, FinishReason, RequestTimings, TokenLogprobs, Usage } from './request.js';

export interface ChatMessage {
  readonly role: string;
  /** Null where there is none, as in a message that only calls tools. */
  readonly content: string | null;
  /** Passed to the chat template as they are: tool calls, names, ... */
  readonly [extra: string]: unknown;
}

/** Text or tokens to continue. */
export type Prompt =
  | { readonly type: 'text'; readonly text: string; readonly addSpecialTokens: boolean }
  | { readonly type: 'tokens'; readonly tokenIds: readonly number[] }
  | {
      readonly type: 'chat';
      readonly messages: readonly ChatMessage[];
      /** Passed to the chat template: tools, documents, flags. */
      readonly templateArguments: Readonly<Record<string, unknown>>;
    };

/**
 * Everything except `prompt` may be left out. Defaults: the engine's generation_config, then greedy.
 * A temperature without topK samples from the full distribution.
 */
export interface GenerateRequest extends Partial<SamplingNumbers> {
  readonly prompt: Prompt;
  /** Client's name for it; one is made when absent. */
  readonly id?: string;
  /** Default: as many as fit. 0 generates nothing: the prompt is read, echoed and scored as the request asks. */
  readonly maxOutputTokens?: number;
  /** Generates fewer tokens than `maxOutputTokens` where fewer fit. Default false: such a request is refused. */
  readonly shortensOutput?: boolean;
  readonly logitBias?: Readonly<Record<number, number>>;
  readonly badWords?: readonly string[];
  readonly badTokenLists?: readonly (readonly number[])[];
  /** Matched on the decoded text; not part of the output unless `includeStop`. */
  readonly stop?: readonly string[];
  readonly stopTokenLists?: readonly (readonly number[])[];
  readonly includeStop?: boolean;
  /** Default: generation_config's and the tokenizer's end ids. */
  readonly endIds?: readonly number[];
  readonly ignoreEos?: boolean;
  /** Absent: random, and reported in the `started` event. */
  readonly seed?: bigint;
  readonly logprobs?: number;
  readonly promptLogprobs?: number;
  readonly sequenceCount?: number;
  readonly bestOf?: number;
  readonly beam?: BeamParams;
  /** Output text starts with the prompt's text, as the tokens of the prompt decode; stop strings are not looked for in it. */
  readonly echo?: boolean;
  /**
   * The text is the rest of the prompt's: the space at its start is kept, so that prompt and text put together are what
   * `echo` gives. Default false: the text stands alone, as after a chat message, and does not start with a space.
   */
  readonly continuesPrompt?: boolean;
  /** Default true. */
  readonly skipSpecialTokens?: boolean;
  /** Control tokens, by their texts, that are a part of the text all the same: those that calls and thoughts are made of. */
  readonly shownTokens?: readonly string[];
  /** Keep only the last n prompt tokens instead of refusing a long prompt. */
  readonly truncatePromptTokens?: number;
  readonly priority?: number;
  readonly queueTimeoutMs?: number;
  readonly deadlineMs?: number;
  readonly cacheSalt?: string;
  /** Form that the text must have; without it, any. */
  readonly constraint?: Constraint;
  /** Course that the text must take, with its own constraints: not together with `constraint`. */
  readonly course?: Course;
  /** An embedding of the prompt, from a model that makes them; nothing is generated. */
  readonly embedding?: EmbeddingRequest;
  readonly returnContextLogits?: boolean;
  readonly returnGenerationLogits?: boolean;
}

export interface EmbeddingRequest {
  /** Numbers of the embedding, the first ones of all; for models that are trained for it. Default: all. */
  readonly dimensions?: number;
}

/** First event: what was made of the request. */
export interface StartedEvent {
  readonly type: 'started';
  readonly id: string;
  readonly promptTokenIds: readonly number[];
  readonly seed: bigint;
}

export interface PromptScoreEvent {
  readonly type: 'prompt';
  readonly logprobs: readonly TextLogprobs[] | undefined;
  /** [prompt tokens, vocabulary] */
  readonly logits: Float32Array | undefined;
  /** [dimensions] when the request is for an embedding. */
  readonly embedding?: Float32Array;
}

/** A log probability with the text of its tokens. */
export interface TextLogprobs extends TokenLogprobs {
  readonly text: string;
  /** UTF-8 of the token; those of a part of a character have no text of their own. */
  readonly bytes: Uint8Array;
  readonly topTexts: readonly string[];
  readonly topBytes: readonly Uint8Array[];
}

/**
 * New text of one sequence. The concatenation of all `text` of a sequence is exactly the text of its `sequence` event;
 * `text` may be empty while a character or a possible stop string is incomplete.
 */
export interface TextEvent {
  readonly type: 'text';
  readonly sequence: number;
  readonly text: string;
  readonly tokenIds: readonly number[];
  readonly logprobs: readonly TextLogprobs[] | undefined;
  readonly logits: Float32Array | undefined;
}

/** One sequence ended. With beams or bestOf this is the first that is heard of it. */
export interface SequenceTextEvent {
  readonly type: 'sequence';
  readonly sequence: number;
  readonly text: string;
  readonly tokenIds: readonly number[];
  readonly finishReason: FinishReason;
  /** The stop string that matched. */
  readonly stop: string | undefined;
  /** NaN when a stop string ended the sequence and the request did not ask for log probabilities. */
  readonly cumulativeLogprob: number;
}

export interface GenerateFinishedEvent {
  readonly type: 'finished';
  readonly usage: Usage;
  readonly timings: RequestTimings;
}

export interface GenerateFailedEvent {
  readonly type: 'failed';
  readonly error: ErrorReport;
  readonly usage: Usage;
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
  readonly name: string;
  readonly vocabulary: number;
  readonly maxInputTokens: number;
  readonly maxOutputTokens: number;
  readonly maxSequenceTokens: number;
  readonly precision: string;
  readonly hasChatTemplate: boolean;
  /** Absent: the model generates text. */
  readonly embedding?: EmbeddingTraits | undefined;
  /** Name of the form in which its chat template asks for calls of tools; absent where none is known. */
  readonly callFormat?: string | undefined;
  /** Tags of its thoughts; absent where its chat template knows of none. */
  readonly thought?: ThoughtTags | undefined;
}
