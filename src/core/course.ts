/**
 * Courses of outputs: a graph of texts that an output must have, with free or constrained parts behind them. A forced call of a
 * tool is one, and so is a thought that ends within a budget before a constraint begins.
 */
import type { HeldForm, TokenConstraint, TokenVocabulary } from './constraint.js';

/** An output starts at a node, goes along edges, and may end at final nodes. */
export interface Course {
  readonly nodes: readonly CourseNode<CourseEdge>[];
  /** Node at which it starts. */
  readonly start: number;
  /** Another one for prompts that end with a text, but for spaces: the prompt has begun a thought. */
  readonly startBehind?: { readonly promptEnd: string; readonly node: number };
}

interface CourseNode<Edge> {
  readonly isFinal: boolean;
  readonly edges: readonly Edge[];
}

/** `text`, and behind it the part. */
export interface CourseEdge {
  readonly text: string;
  /** Absent: nothing. */
  readonly part?: CoursePart;
  /** Node behind it. */
  readonly to: number;
}

export type CoursePart =
  | {
      readonly type: 'constrained';
      readonly constraint: HeldForm;
      /** Whose form it is, as a refusal of it begins: `schema of the tool 'weather'`. Absent: a form that says so itself. */
      readonly whose?: string;
    }
  | {
      /** Any text up to a mark, which is a part of it. */
      readonly type: 'free';
      /** Absent: up to the end of the output. */
      readonly until?: string;
      /** Whether the output may end within it. */
      readonly mayEnd: boolean;
      /** Tokens after which `closing` is written, which has the mark; undefined: any number. */
      readonly budget?: { readonly tokens: number; readonly closing: string };
    };

/** The same in tokens, as a token request carries it. */
export interface TokenCourse {
  readonly nodes: readonly CourseNode<TokenCourseEdge>[];
  readonly start: number;
  readonly tokens: TokenVocabulary;
}

export interface TokenCourseEdge {
  /** Tokens of the text. With index k: of the text without its first k characters, which a free part has written already. */
  readonly starts: readonly (readonly number[])[];
  /** Spaces that the text starts with. */
  readonly leadingSpace: string;
  readonly part: TokenCoursePart | undefined;
  readonly to: number;
}

export type TokenCoursePart =
  | { readonly type: 'constrained'; readonly constraint: TokenConstraint }
  | {
      readonly type: 'free';
      /** UTF-8 of the mark; undefined: up to the end of the output. */
      readonly until: Uint8Array | undefined;
      readonly mayEnd: boolean;
      readonly budget: { readonly tokens: number; readonly closing: readonly number[] } | undefined;
    };
