/** The form in which the models of one family write calls of tools. */
import type { AnswerInput, Reading } from './answer-input.js';
import type { AnswerParts } from './answer-parts.js';
import type { Tool } from '../../core/conversation.js';

/** Texts around the arguments of a call. */
export interface CallShape {
  /** Text by which a call begins within others: the first part of `start` and `opening`. Absent: calls are the whole answer. */
  readonly trigger?: string;
  /** Text before the first call. */
  readonly start: string;
  /** Text from the start of a call to its arguments. */
  readonly opening: (name: string) => string;
  readonly closing: string;
  /** Text between two calls; undefined where there can be one only. */
  readonly between: string | undefined;
  /** Text behind the last call. */
  readonly finish: string;
  /** Form of the arguments. */
  readonly argumentsAs: 'json' | ArgumentTags;
}

/** Tags around each argument, where these are no JSON. */
export interface ArgumentTags {
  readonly keyBegin: string;
  readonly keyEnd: string;
  readonly valueEnd: string;
  /** Form of values: JSON, or text of which the reader makes JSON where it must. */
  readonly valuesAs: 'json' | 'text';
}

export interface CallFormat {
  /** Names by which `--tool-call-parser` asks for it; the first is its own, others are those of other servers. */
  readonly names: readonly string[];
  /** Whether a chat template asks for calls of this form. */
  readonly isAskedBy: (template: string) => boolean;
  /** Control tokens that a call is made of: they must be shown to the reader. */
  readonly marks: readonly string[];
  readonly shape: CallShape;
  /** True if a template of this family refuses ids that are not nine letters or digits. */
  readonly hasShortIds?: boolean;
  /** Reads an answer to its end. */
  read(input: AnswerInput, parts: AnswerParts, tools: readonly Tool[]): Reading;
}
