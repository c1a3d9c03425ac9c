import { AloftError } from '../../../core/errors.js';
import type { TokenRequest } from '../../../core/request.js';
import { CourseMatcher } from './course-matcher.js';
import { AutomatonCache, TokenMatcher } from '../../../text/grammar/token-matcher.js';
import type { TokenMask } from '../../../text/grammar/vocabulary/token-masks.js';

/** A constraint, or a course with constraints in it, at some place of a sequence. */
type Matcher = TokenMatcher | CourseMatcher;

/** Follows one sequence through its constraint, and knows which tokens it may take next. */
export class ConstraintRun {
  readonly #matcher: Matcher;
  readonly #endIds: readonly number[];
  #mask: TokenMask;

  /** @throws {AloftError} REQUEST_INVALID when no token can begin an answer */
  constructor(matcher: Matcher, endIds: readonly number[]) {
    this.#matcher = matcher;
    this.#endIds = endIds;
    this.#mask = this.#nextMask();
  }

  /** Number of 32-bit words of a mask. */
  get maskWords(): number {
    return this.#mask.bits.length;
  }

  /** Whether the text so far is an answer and nothing but an end can follow. */
  get isComplete(): boolean {
    return this.#matcher.isComplete || (this.#endIds.length === 0 && this.#mask.isEmpty);
  }

  /** Takes a sampled token. @throws {AloftError} REQUEST_INVALID when no token can follow; INTERNAL when it was forbidden */
  accept(tokenId: number): void {
    if (!this.#matcher.accept(tokenId))
      throw new AloftError('INTERNAL', `token ${tokenId} was sampled although the constraint forbids it`);
    this.#mask = this.#nextMask();
  }

  /** Writes which tokens may come next. */
  writeMask(words: Int32Array, start: number): void {
    words.set(this.#mask.bits, start);
    const isEnd = this.#matcher.isAccepting;
    for (const id of this.#endIds) {
      const bit = 1 << (id & 31);
      if (isEnd) words[start + (id >> 5)]! |= bit;
      else words[start + (id >> 5)]! &= ~bit;
    }
  }

  /** The same for a sequence that goes another way from here. */
  fork(): ConstraintRun {
    return new ConstraintRun(this.#matcher.fork(), this.#endIds);
  }

  #nextMask(): TokenMask {
    const mask = this.#matcher.mask();
    if (mask.isEmpty && !this.#matcher.isAccepting)
      throw new AloftError(
        'REQUEST_INVALID',
        "No token of the model's vocabulary can follow here under the constraint; use one whose characters the model can write.",
      );
    return mask;
  }
}

/** Constraints of a batcher's requests, which share what is equal. */
export class ConstraintRuns {
  readonly #automata = new AutomatonCache();

  /** State of a request's constraint or course before its first token. @throws {AloftError} REQUEST_INVALID */
  of({ constraint, course, endIds }: TokenRequest): ConstraintRun | undefined {
    if (course !== undefined) return new ConstraintRun(new CourseMatcher(course, this.#automata), endIds);
    if (constraint === undefined) return undefined;
    return new ConstraintRun(new TokenMatcher(this.#automata.automatonOf(constraint), constraint), endIds);
  }
}
