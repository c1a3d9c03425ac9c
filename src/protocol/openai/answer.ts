/** Members that both forms of an answer, whole and streamed, share. */
import type { ErrorReport } from '../../core/errors.js';
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

/** Turns events into the frames of a stream. */
export interface StreamWriter {
  push(item: PromptedEvent): string;
  /** Frames at the end of the answer. */
  end(): string;
  /** The last frame of an answer that failed. */
  fail(report: ErrorReport, param: string | null): string;
}

/** Turns events into the body of an answer. */
export interface BodyWriter {
  push(item: PromptedEvent): void;
  body(): object;
}
