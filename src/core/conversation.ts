/** Tools that a conversation offers to its model, and the parts that an answer is made of. */
import type { TextForm } from './constraint.js';
import type { ErrorReport } from './errors.js';
import type { GenerateRequest, TextLogprobs } from './generate.js';
import type { FinishReason, Usage } from './request.js';

/** A function that a model may call, or a custom tool, which models are shown as a function with one text as its argument. */
export interface Tool {
  readonly name: string;
  /** JSON schema of its arguments, an object. */
  readonly parameters: Readonly<Record<string, unknown>>;
  /** True if arguments must be valid under the schema whatever the model writes. */
  readonly isStrict: boolean;
  /** Form of the text that a custom tool takes instead of arguments; undefined: any text. Absent for functions. */
  readonly input?: { readonly form: TextForm | undefined };
}

/** The one argument of the function as which a custom tool is shown. */
export const INPUT_ARGUMENT = 'input';

export type ToolChoice =
  /** The model decides. */
  | { readonly type: 'auto' }
  /** No tool may be called. */
  | { readonly type: 'none' }
  /** At least one tool must be called. */
  | { readonly type: 'required' }
  /** This tool must be called. */
  | { readonly type: 'named'; readonly name: string };

/**
 * A part of an answer, in the order in which the model writes them. The arguments of a call are the texts of its `arguments`
 * parts put together: JSON, unless the model wrote something else or was cut. The input of a custom tool is that of its `input` parts.
 */
export type AnswerPart =
  | { readonly type: 'text'; readonly text: string }
  /** A thought before the answer. */
  | { readonly type: 'thought'; readonly text: string }
  /** A call begins. `call` counts the calls of one answer from 0. */
  | {
      readonly type: 'call';
      readonly call: number;
      readonly id: string;
      readonly name: string;
      /** Present if it is a call of a custom tool. */
      readonly isCustom?: true;
    }
  | { readonly type: 'arguments'; readonly call: number; readonly text: string }
  /** Text of a custom tool's input. */
  | { readonly type: 'input'; readonly call: number; readonly text: string }
  /** A call is complete. One that was cut has no such part. */
  | { readonly type: 'call-end'; readonly call: number };

/** Thoughts of an answer. */
interface ThoughtWishes {
  /** False: thoughts are left in the text as the model writes them. */
  readonly isSeparate: boolean;
  /** False: thoughts are left out of the answer. */
  readonly isShown: boolean;
  /** Largest thought in tokens; undefined: no limit. */
  readonly maxTokens: number | undefined;
}

/** The one request behind all interfaces for conversations: what is generated, and how its text is read. */
export interface ConversationRequest {
  readonly request: GenerateRequest;
  readonly tools: readonly Tool[];
  readonly choice: ToolChoice;
  /** Whether an answer may have several calls. */
  readonly isParallel: boolean;
  /** True if the prompt shows more tools than may be called: no other must be. */
  readonly isNarrowed?: boolean;
  readonly thought: ThoughtWishes;
  /** True if arguments of calls must be JSON objects, also of tools that are not strict. */
  readonly holdsObjects?: boolean;
}

/** Events of the answer to a conversation, from which each interface writes its own. */
export type ConversationEvent =
  | { readonly type: 'started'; readonly promptTokenCount: number }
  | {
      readonly type: 'parts';
      readonly sequence: number;
      /** May be empty where there are log probabilities of tokens that have no part yet. */
      readonly parts: readonly AnswerPart[];
      readonly logprobs: readonly TextLogprobs[] | undefined;
    }
  | {
      readonly type: 'sequence';
      readonly sequence: number;
      readonly finishReason: FinishReason;
      /** Stop string that ended it. */
      readonly stop: string | undefined;
      readonly callCount: number;
    }
  | {
      readonly type: 'finished';
      readonly usage: Usage;
      /** Output tokens of thoughts; undefined where the model has none. */
      readonly thoughtTokens: number | undefined;
    };

/** Writes the events of an answer in the form of an interface. */
export interface ConversationWriter {
  /** @returns frames of an event stream */
  push(event: ConversationEvent): string;
  /** Frames at the end of the answer. */
  end(): string;
  /** The last frame of an answer that failed. */
  fail(report: ErrorReport, param: string | null): string;
}

/** Gathers the events of an answer that is sent as a whole. */
export interface ConversationBody {
  push(event: ConversationEvent): void;
  body(): object;
}
