import type { TokenConstraint } from '../../core/constraint.js';
import { Automaton } from './automaton/automaton.js';
import { EMPTY, NOTHING, type Term } from './automaton/terms.js';
import { type TokenMask, TokenMasks } from './vocabulary/token-masks.js';

/** Grammars whose automata are kept between requests. */
const KEPT_GRAMMARS = 64;

/** The automaton of a constraint, shared by all requests that have the same. */
export class SharedAutomaton {
  readonly #constraint: TokenConstraint;
  #masks: TokenMasks;
  #generation = 0;

  constructor(constraint: TokenConstraint) {
    this.#constraint = constraint;
    this.#masks = this.#fresh();
  }

  get masks(): TokenMasks {
    return this.#masks;
  }

  /** Counts automata: states of earlier ones mean nothing. */
  get generation(): number {
    return this.#generation;
  }

  /** The state before the first token. */
  start(droppedSpaces: number): Term {
    const { terms, start } = this.#masks.automaton;
    return terms.start(start, droppedSpaces);
  }

  /** Starts afresh when the automaton has grown too large. */
  renewIfFull(): void {
    if (!this.#masks.automaton.isFull) return;
    this.#masks = this.#fresh();
    this.#generation++;
  }

  #fresh(): TokenMasks {
    return new TokenMasks(new Automaton(this.#constraint.grammar), this.#constraint.tokens);
  }
}

/** Automata by the keys of their constraints; the one that was used longest ago goes first. */
export class AutomatonCache {
  readonly #kept = new Map<string, SharedAutomaton>();

  automatonOf(constraint: TokenConstraint): SharedAutomaton {
    const key = `${constraint.tokens.key} ${constraint.key}`;
    const found = this.#kept.get(key) ?? new SharedAutomaton(constraint);
    this.#kept.delete(key);
    this.#kept.set(key, found);
    if (this.#kept.size > KEPT_GRAMMARS) this.#kept.delete(this.#kept.keys().next().value!);
    return found;
  }
}

/** Tokens of a sequence so far, the last one first. Beams share their beginnings. */
interface TokenPath {
  readonly tokenId: number;
  readonly before: TokenPath | undefined;
}

/** Follows one sequence through a constraint, token by token. */
export class TokenMatcher {
  readonly #shared: SharedAutomaton;
  readonly #constraint: Pick<TokenConstraint, 'droppedSpaces' | 'startsText'>;
  #path: TokenPath | undefined;
  #state: Term;
  #generation: number;

  constructor(shared: SharedAutomaton, constraint: Pick<TokenConstraint, 'droppedSpaces' | 'startsText'>) {
    this.#shared = shared;
    this.#constraint = constraint;
    this.#generation = shared.generation;
    this.#state = shared.start(constraint.droppedSpaces);
  }

  /** Whether the text so far is an answer. */
  get isAccepting(): boolean {
    this.#refresh();
    return this.#shared.masks.automaton.isAccepting(this.#state);
  }

  /** Whether the text so far is an answer and nothing can follow it. */
  get isComplete(): boolean {
    this.#refresh();
    return this.#state === EMPTY;
  }

  /** Tokens that may follow; end ids are no part of it. @throws {AloftError} REQUEST_INVALID when that takes too long to find */
  mask(): TokenMask {
    this.#refresh();
    return this.#shared.masks.maskOf(this.#state, this.#isFirst);
  }

  /** Takes a token. @returns false when the constraint forbids it */
  accept(tokenId: number): boolean {
    this.#refresh();
    this.#take(tokenId);
    return this.#state !== NOTHING;
  }

  /** A matcher of the same sequence, which goes its own way from here. */
  fork(): TokenMatcher {
    const copy = new TokenMatcher(this.#shared, this.#constraint);
    copy.#path = this.#path;
    copy.#state = this.#state;
    copy.#generation = this.#generation;
    return copy;
  }

  get #isFirst(): boolean {
    return this.#path === undefined && this.#constraint.startsText;
  }

  /** Finds the state again when the automaton has started afresh. */
  #refresh(): void {
    this.#shared.renewIfFull();
    if (this.#generation === this.#shared.generation) return;
    this.#generation = this.#shared.generation;
    const tokenIds: number[] = [];
    for (let path = this.#path; path !== undefined; path = path.before) tokenIds.push(path.tokenId);
    this.#path = undefined;
    this.#state = this.#shared.start(this.#constraint.droppedSpaces);
    for (const tokenId of tokenIds.toReversed()) this.#take(tokenId);
  }

  #take(tokenId: number): void {
    this.#state = this.#shared.masks.after(this.#state, tokenId, this.#isFirst);
    this.#path = { tokenId, before: this.#path };
  }
}
