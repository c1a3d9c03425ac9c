/** Members that both forms of an answer, whole and streamed, share. */
import type { GenerateEvent } from '../../core/generate.js';

/** Names one answer. */
export interface AnswerHead {
  readonly id: string;
  /** Unix time in seconds. */
  readonly created: number;
  readonly model: string;
}

/** An event of one of the prompts of a request. */
export interface PromptedEvent {
  readonly promptIndex: number;
  readonly event: GenerateEvent;
  /** Text of the prompt's first token, which no log probability event has. */
  readonly firstTokenText?: string;
}

/** Turns events into the answer's frames or its body. */
export interface StreamWriter {
  /** JSON texts of the chunks that this event makes. */
  push(item: PromptedEvent): string[];
  /** JSON texts of the chunks at the end. */
  end(): string[];
}

export interface BodyWriter {
  push(item: PromptedEvent): void;
  body(): object;
}
