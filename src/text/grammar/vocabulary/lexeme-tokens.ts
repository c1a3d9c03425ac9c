import type { TokenClass, TokenTrie, TokenVocabulary } from '../../../core/constraint.js';
import { Automaton } from '../automaton/automaton.js';
import type { Term } from '../automaton/terms.js';
import { GRAMMAR_LIMITS } from '../limits.js';
import type { ByteSet } from './byte-set.js';
import { type FreeRun, FreeRuns } from './free-run.js';
import { TokenSet } from './token-set.js';
import type { TriePlace } from './token-trie.js';
import { type TokenView, TokenViews } from './token-views.js';
import { TrieWalk } from './trie-walk.js';

/** Tokens that can follow where a lexeme begins. */
export interface LexemeTokens {
  /** [vocabulary / 32] bits of many that end inside it or at its end. */
  readonly bits: Int32Array | undefined;
  /** The rest of those. */
  readonly ids: Int32Array;
  /** Those that go on behind it; undefined where that is too much to list. */
  readonly beyond: readonly TokenView[] | undefined;
}

/** Bytes that are kept before all starts afresh. */
const KEPT_BYTES = 96 << 20;
const BYTES_PER_NODE = 16;

/** Tokens of lexemes over the vocabulary of a tokenizer. All constraints share them: a string is the same in each schema. */
export class LexemeTokenCache {
  readonly #tokens: TokenVocabulary;
  #contents: Contents;

  constructor(tokens: TokenVocabulary) {
    this.#tokens = tokens;
    this.#contents = new Contents(tokens);
  }

  /** The contents now; others once they have grown too large. Terms and views of earlier ones mean nothing to them. */
  current(): Contents {
    if (this.#contents.isFull) this.#contents = new Contents(this.#tokens);
    return this.#contents;
  }
}

export class Contents {
  /** Automaton of all lexemes. */
  readonly automaton = new Automaton({ nodes: [{ type: 'empty' }], rules: [], root: 0 });
  readonly views = new TokenViews();
  /** All tokens; those at the start of a text. */
  readonly all: TokenView;
  readonly first: TokenView | undefined;
  readonly #tokens: TokenVocabulary;
  /** By the bytes that follow, then by view and lexeme. */
  readonly #known = new Map<string, Map<number, LexemeTokens>>();
  readonly #runs: readonly FreeRuns[];
  readonly #walk: TrieWalk;
  readonly #found: TokenSet;
  #keptBytes = 0;

  constructor(tokens: TokenVocabulary) {
    this.#tokens = tokens;
    this.all = this.views.of(tokens.trie, 0);
    this.first = tokens.first && this.views.of(tokens.first.trie, 0);
    this.#runs = tokens.classes.map(({ characters }) => new FreeRuns(this.automaton, characters));
    this.#walk = new TrieWalk(this.automaton, tokens);
    this.#found = new TokenSet(Math.ceil(tokens.vocabulary / 32));
  }

  /** Lexemes whose tokens were found, by what is left of the tokens. */
  get foundCount(): number {
    let count = 0;
    for (const { size } of this.#known.values()) count += size;
    return count;
  }

  get isFull(): boolean {
    return this.automaton.isFull || this.#keptBytes + this.views.copiedNodes * BYTES_PER_NODE > KEPT_BYTES;
  }

  /**
   * @param follow bytes that may come behind the lexeme; undefined: nothing comes
   * @throws {AloftError} REQUEST_INVALID when that takes too long to find
   */
  tokensOf(view: TokenView, lexeme: Term, follow: ByteSet | undefined): LexemeTokens {
    const known = this.#knownOf(follow);
    const key = view.id * 2 ** 20 + lexeme;
    let found = known.get(key);
    if (found === undefined) known.set(key, (found = this.#find(view, lexeme, follow)));
    return found;
  }

  #knownOf(follow: ByteSet | undefined): Map<number, LexemeTokens> {
    const key = follow?.key ?? '';
    let known = this.#known.get(key);
    if (known === undefined) this.#known.set(key, (known = new Map()));
    return known;
  }

  #find(view: TokenView, lexeme: Term, follow: ByteSet | undefined): LexemeTokens {
    this.automaton.allow(GRAMMAR_LIMITS.maskWork);
    const ends: TriePlace[] | undefined = follow && [];
    const { free, others } = this.#walksOf(view, lexeme);
    const found = this.#found.cleared();
    for (const { place, state: start } of others) this.#walk.from(place, start, found, ends);
    const followed = ends?.filter((place) => follow!.goesOnFrom(place)) ?? [];
    return { ...this.#inside(free), beyond: this.views.joined(followed) };
  }

  /** The bits of tokens of which any can follow, and where to walk for the others. */
  #walksOf(view: TokenView, lexeme: Term): Walks {
    const all = { free: undefined, others: [{ place: view, state: lexeme }] };
    return (view === this.all && this.#withoutFree(lexeme)) || all;
  }

  /** Tokens that were found, with the bits of those of which any can follow. */
  #inside(free: Int32Array | undefined): Pick<LexemeTokens, 'bits' | 'ids'> {
    const { bits, ids } = this.#found;
    this.#keptBytes += 4 * (bits?.length ?? ids.length);
    if (bits === undefined) return { bits: free, ids: ids.slice() };
    if (free !== undefined) for (let word = 0; word < bits.length; word++) bits[word]! |= free[word]!;
    return { bits, ids: new Int32Array(0) };
  }

  /** The same for all tokens, where many characters are free. */
  #withoutFree(lexeme: Term): Walks | undefined {
    const { classes } = this.#tokens;
    let best: FreeClass | undefined;
    for (const [i, tokens] of classes.entries()) {
      const one = { tokens, run: this.#runs[i]!.of(lexeme, tokens.upTo.length) };
      if (freeCount(one) > (best === undefined ? 0 : freeCount(best))) best = one;
      // The sets grow no larger from here on.
      if (best?.run.length === Infinity) break;
    }
    if (best === undefined) return undefined;
    const { tokens, run } = best;
    const length = Math.min(run.length, tokens.upTo.length - 1);
    const others = othersBehind(best, lexeme);
    if (!(run.isLongest && run.length === length))
      others.push(startOf(tokens.longer.findLast(({ than }) => than <= length)!.trie, lexeme));
    return { free: tokens.upTo[length], others };
  }
}

/** A trie that is walked from its root in a state. */
interface WalkStart {
  readonly place: TriePlace;
  readonly state: Term;
}

interface Walks {
  readonly free: Int32Array | undefined;
  readonly others: readonly WalkStart[];
}

const startOf = (trie: TokenTrie, state: Term): WalkStart => ({ place: { trie, node: 0 }, state });

/** Walks for the tokens that are no members of a class: behind its members at their start, where those lead to one state. */
function othersBehind({ tokens, run }: FreeClass, lexeme: Term): WalkStart[] {
  const { others, tails } = tokens;
  if (tails === undefined || run.states === undefined || !run.isLongest) return [startOf(others, lexeme)];
  if (run.states.length === 1 && run.length === Infinity) return [startOf(tails.any, lexeme)];
  const states = run.states;
  const starts = tails.behind
    .slice(0, run.length + 1)
    .map((trie, count) => startOf(trie, states[Math.min(count, states.length - 1)]!));
  return run.length < tails.behind.length ? starts : [...starts, startOf(tails.longer, lexeme)];
}

interface FreeClass {
  readonly tokens: TokenClass;
  readonly run: FreeRun;
}

function freeCount({ tokens, run }: FreeClass): number {
  return tokens.counts[Math.min(run.length, tokens.counts.length - 1)]!;
}
