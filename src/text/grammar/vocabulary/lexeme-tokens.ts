import type { TokenClass, TokenTrie, TokenVocabulary } from '../../../core/constraint.js';
import { Automaton } from '../automaton/automaton.js';
import type { Term } from '../automaton/terms.js';
import { GRAMMAR_LIMITS } from '../limits.js';
import { type FreeRun, FreeRuns } from './free-run.js';
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

/** Every byte may come behind a lexeme. */
export const ANY_BYTE = new Uint32Array(8).fill(0xffffffff);
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
  #keptBytes = 0;

  constructor(tokens: TokenVocabulary) {
    this.#tokens = tokens;
    this.all = this.views.of(tokens.trie, 0);
    this.first = tokens.first && this.views.of(tokens.first.trie, 0);
    this.#runs = tokens.classes.map(({ characters }) => new FreeRuns(this.automaton, characters));
    this.#walk = new TrieWalk(this.automaton, tokens);
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
  tokensOf(view: TokenView, lexeme: Term, follow: Uint32Array | undefined): LexemeTokens {
    const known = this.#knownOf(follow);
    const key = view.id * 2 ** 20 + lexeme;
    let found = known.get(key);
    if (found === undefined) known.set(key, (found = this.#find(view, lexeme, follow)));
    return found;
  }

  #knownOf(follow: Uint32Array | undefined): Map<number, LexemeTokens> {
    const key = follow === ANY_BYTE ? 'any' : String(follow);
    let known = this.#known.get(key);
    if (known === undefined) this.#known.set(key, (known = new Map()));
    return known;
  }

  #find(view: TokenView, lexeme: Term, follow: Uint32Array | undefined): LexemeTokens {
    this.automaton.allow(GRAMMAR_LIMITS.maskWork);
    const ids: number[] = [];
    const ends: TriePlace[] | undefined = follow && [];
    const { free, others } =
      view === this.all ? this.#withoutFree(lexeme) : { free: undefined, others: [view] };
    for (const place of others)
      this.#walk.from(place, lexeme, (node, state) => {
        const { ends: last, tokenStarts, tokenIds } = place.trie;
        for (let i = tokenStarts[node]!; i < tokenStarts[node + 1]!; i++) ids.push(tokenIds[i]!);
        if (ends !== undefined && last[node]! > node + 1 && this.automaton.isAccepting(state))
          ends.push({ trie: place.trie, node });
      });
    const inside = this.#inside(free, ids);
    const isFollowed = (place: TriePlace): boolean => follow === ANY_BYTE || hasChild(place, follow!);
    return { ...inside, beyond: ends === undefined ? [] : this.views.joined(ends.filter(isFollowed)) };
  }

  /** A list that is longer than a mask becomes one. */
  #inside(free: Int32Array | undefined, ids: readonly number[]): Pick<LexemeTokens, 'bits' | 'ids'> {
    const words = Math.ceil(this.#tokens.vocabulary / 32);
    const isMask = ids.length > words;
    this.#keptBytes += 4 * (isMask ? words : ids.length);
    if (!isMask) return { bits: free, ids: Int32Array.from(ids) };
    const bits = free?.slice() ?? new Int32Array(words);
    for (const id of ids) bits[id >> 5]! |= 1 << (id & 31);
    return { bits, ids: new Int32Array(0) };
  }

  /** The bits of tokens of which any can follow, and tries of the others. */
  #withoutFree(lexeme: Term): {
    readonly free: Int32Array | undefined;
    readonly others: readonly TriePlace[];
  } {
    const { classes, trie } = this.#tokens;
    const places = (...tries: readonly TokenTrie[]): TriePlace[] =>
      tries.map((of) => ({ trie: of, node: 0 }));
    let best: FreeClass | undefined;
    for (const [i, tokens] of classes.entries()) {
      const one = { tokens, run: this.#runs[i]!.of(lexeme, tokens.upTo.length) };
      if (freeCount(one) > (best === undefined ? 0 : freeCount(best))) best = one;
      // The sets grow no larger from here on.
      if (best?.run.length === Infinity) break;
    }
    if (best === undefined) return { free: undefined, others: places(trie) };
    const { tokens, run } = best;
    const length = Math.min(run.length, tokens.upTo.length - 1);
    const free = tokens.upTo[length];
    if (run.isLongest && run.length === length) return { free, others: places(tokens.others) };
    const longer = tokens.longer.findLast(({ than }) => than <= length)!;
    return { free, others: places(tokens.others, longer.trie) };
  }
}

interface FreeClass {
  readonly tokens: TokenClass;
  readonly run: FreeRun;
}

function freeCount({ tokens, run }: FreeClass): number {
  return tokens.counts[Math.min(run.length, tokens.counts.length - 1)]!;
}

/** Whether a byte of a set goes on from a place. */
function hasChild({ trie, node }: TriePlace, set: Uint32Array): boolean {
  for (let child = node + 1; child < trie.ends[node]!; child = trie.ends[child]!) {
    const byte = trie.bytes[child]!;
    if ((set[byte >> 5]! >>> (byte & 31)) & 1) return true;
  }
  return false;
}
