import type { TokenConstraint, TokenVocabulary } from '../../core/constraint.js';
import { Automaton } from './automaton/automaton.js';
import { EMPTY, NOTHING, type Term } from './automaton/terms.js';
import { unpackGrammar } from './packed-grammar.js';
import { LexemeTokenCache } from './vocabulary/lexeme-tokens.js';
import { type TokenMask, TokenMasks } from './vocabulary/token-masks.js';

/** Grammars whose automata are kept between requests. */
const KEPT_GRAMMARS = 64;

/** The automaton of a constraint, shared by all requests that have the same. */
export class SharedAutomaton {
  readonly #constraint: TokenConstraint;
  readonly #lexemes: LexemeTokenCache;
  #masks: TokenMasks;
  #generation = 0;

  /** @param lexemes what the automata of a vocabulary share */
  constructor(constraint: TokenConstraint, lexemes = new LexemeTokenCache(constraint.tokens)) {
    this.#constraint = constraint;
    this.#lexemes = lexemes;
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
    const { tokens } = this.#constraint;
    const grammar = unpackGrammar(this.#constraint.grammar);
    return new TokenMasks(new Automaton(grammar), tokens, {
      lexemes: this.#lexemes,
      isFlat: grammar.rules.length === 0,
    });
  }
}

/** Automata by the keys of their constraints; the one that was used longest ago goes first. */
export class AutomatonCache {
  readonly #kept = new Map<string, SharedAutomaton>();
  /** By the keys of vocabularies. */
  readonly #lexemes = new Map<string, LexemeTokenCache>();

  automatonOf(constraint: TokenConstraint): SharedAutomaton {
    const key = `${constraint.tokens.key} ${constraint.key}`;
    const found = this.#kept.get(key) ?? new SharedAutomaton(constraint, this.#lexemesOf(constraint.tokens));
    this.#kept.delete(key);
    this.#kept.set(key, found);
    if (this.#kept.size > KEPT_GRAMMARS) this.#kept.delete(this.#kept.keys().next().value!);
    return found;
  }

  #lexemesOf(tokens: TokenVocabulary): LexemeTokenCache {
    let lexemes = this.#lexemes.get(tokens.key);
    if (lexemes === undefined) this.#lexemes.set(tokens.key, (lexemes = new LexemeTokenCache(tokens)));
    return lexemes;
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
