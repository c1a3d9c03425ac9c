import { AloftError } from '../../core/errors.js';

/** Bounds that keep every compilation below a second and every mask short. They count work, so that no clock decides. */
export const GRAMMAR_LIMITS = {
  /** Characters of a schema, pattern or grammar as it is written. */
  sourceCharacters: 400_000,
  /** Nodes of a compiled grammar. */
  nodes: 200_000,
  rules: 50_000,
  /** Values of one enum, or texts of one choice. */
  choices: 10_000,
  /** Members that an object names. */
  members: 1000,
  /** Schemas that are looked at when unions and references are put together. */
  schemaWork: 100_000,
  /** Nesting of a schema, pattern or grammar. */
  depth: 200,
  /** Largest bound of a repetition: `{m,n}`, `maxLength`, `maxItems`. */
  repetitions: 1_000_000,
  /** Steps of the check that a grammar has an answer at all. */
  checkWork: 200_000,
  /** Steps for the mask of one token. */
  maskWork: 100_000,
  /** Terms of an automaton before it starts afresh. */
  terms: 150_000,
} as const;

/** A constraint that cannot be used: what is wrong, where, and what to do. */
export function constraintError(sentence: string): AloftError {
  return new AloftError('REQUEST_INVALID', sentence);
}

/** @throws {AloftError} REQUEST_INVALID when a constraint is longer than {@link GRAMMAR_LIMITS} */
export function checkSourceLength(what: string, text: string): void {
  if (text.length > GRAMMAR_LIMITS.sourceCharacters)
    throw constraintError(
      `The ${what} has ${text.length} characters, and ${GRAMMAR_LIMITS.sourceCharacters} are possible; use a smaller one.`,
    );
}
