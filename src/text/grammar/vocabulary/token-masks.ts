import type { TokenVocabulary } from '../../../core/constraint.js';
import { AloftError } from '../../../core/errors.js';
import type { Automaton } from '../automaton/automaton.js';
import { EMPTY, KIND, NOTHING, type Term } from '../automaton/terms.js';
import { GRAMMAR_LIMITS } from '../limits.js';
import { ANY_BYTE, ByteSet } from './byte-set.js';
import { type Lexeme, LexemeReader } from './lexeme-reader.js';
import type { Contents, LexemeTokenCache } from './lexeme-tokens.js';
import { setBits, TokenSet } from './token-set.js';
import type { TokenView } from './token-views.js';
import { longestToken, TrieWalk } from './trie-walk.js';

/** Bytes of masks that an automaton keeps. */
const KEPT_BYTES = 4 << 20;

const MASKS_PER_BUFFER = 16;

/** Which tokens may come next. */
export interface TokenMask {
  /** [vocabulary / 32] one bit a token. */
  readonly bits: Int32Array;
  readonly isEmpty: boolean;
}

function isZero(words: Int32Array): boolean {
  for (let i = 0; i < words.length; i++) if (words[i] !== 0) return false;
  return true;
}

/** A mask that is being made: what is left to do, and what is done. */
interface Work {
  readonly bits: Int32Array;
  readonly open: { readonly view: TokenView; readonly state: Term }[];
  readonly seen: Set<number>;
}

/**
 * Masks of an automaton's states over a vocabulary; each is computed once, and kept while there is room. A state is taken
 * apart into a lexeme, whose tokens all constraints share, and what comes behind it, for which only tokens count that go on
 * behind the lexeme.
 */
export class TokenMasks {
  readonly automaton: Automaton;
  readonly #tokens: TokenVocabulary;
  readonly #lexemes: LexemeTokenCache;
  /** Whether states are lexemes as a whole: nothing in them calls a rule. */
  readonly #isFlat: boolean;
  readonly #kept = new Map<Term, TokenMask>();
  readonly #keptFirst = new Map<Term, TokenMask>();
  /** Why states have no mask: to find that out again would take as long. Keys are as in `#computeOnce`. */
  readonly #refusals = new Map<number, AloftError>();
  readonly #firstBytes = new Map<Term, ByteSet>();
  readonly #walk: TrieWalk;
  readonly #found: TokenSet;
  #unused = new Int32Array(0);
  #contents: Contents;
  #reader: LexemeReader;

  constructor(
    automaton: Automaton,
    tokens: TokenVocabulary,
    { lexemes, isFlat }: { readonly lexemes: LexemeTokenCache; readonly isFlat: boolean },
  ) {
    this.automaton = automaton;
    this.#tokens = tokens;
    this.#lexemes = lexemes;
    this.#isFlat = isFlat;
    this.#walk = new TrieWalk(automaton, tokens);
    this.#found = new TokenSet(Math.ceil(tokens.vocabulary / 32));
    this.#contents = lexemes.current();
    this.#reader = this.#newReader();
  }

  /**
   * Tokens that may follow in a state.
   * @param isFirst they stand at the start of a text, where they may have other bytes
   * @throws {AloftError} REQUEST_INVALID when the state is too ambiguous to be followed in reasonable time
   */
  maskOf(state: Term, isFirst: boolean): TokenMask {
    const kept = isFirst && this.#tokens.first !== undefined ? this.#keptFirst : this.#kept;
    let mask = kept.get(state);
    if (mask !== undefined) return mask;
    const bits = this.#computeOnce(state, isFirst);
    mask = { bits, isEmpty: isZero(bits) };
    if ((kept.size + 1) * bits.byteLength > KEPT_BYTES) kept.clear();
    kept.set(state, mask);
    return mask;
  }

  /** The state after a token. */
  after(state: Term, tokenId: number, isFirst: boolean): Term {
    const { tokenOffsets, tokenBytes, first } = this.#tokens;
    const [offsets, bytes] = isFirst && first ? [first.offsets, first.bytes] : [tokenOffsets, tokenBytes];
    this.automaton.allow(GRAMMAR_LIMITS.maskWork);
    let at = state;
    for (let i = offsets[tokenId]!; i < offsets[tokenId + 1]!; i++) at = this.automaton.next(at, bytes[i]!);
    return at;
  }

  /** @throws {AloftError} as the first time, where it was in vain */
  #computeOnce(state: Term, isFirst: boolean): Int32Array {
    const key = 2 * state + (isFirst ? 1 : 0);
    const refusal = this.#refusals.get(key);
    if (refusal !== undefined) throw refusal;
    try {
      return this.#compute(state, isFirst);
    } catch (fault) {
      if (fault instanceof AloftError) this.#refusals.set(key, fault);
      throw fault;
    }
  }

  #compute(state: Term, isFirst: boolean): Int32Array {
    const contents = this.#lexemes.current();
    if (contents !== this.#contents) {
      this.#contents = contents;
      this.#reader = this.#newReader();
    }
    this.automaton.allow(GRAMMAR_LIMITS.maskWork);
    const view = (isFirst && contents.first) || contents.all;
    const work: Work = {
      bits: this.#emptyBits(),
      open: [{ view, state }],
      seen: new Set(),
    };
    for (let next = work.open.pop(); next !== undefined; next = work.open.pop())
      this.#take(next.view, next.state, work);
    return work.bits;
  }

  #newReader(): LexemeReader {
    return new LexemeReader(this.automaton, this.#contents.automaton.terms, longestToken(this.#tokens));
  }

  /** Bits of no token, several masks to a buffer: the collector of garbage counts buffers. */
  #emptyBits(): Int32Array {
    const words = Math.ceil(this.#tokens.vocabulary / 32);
    if (this.#unused.length < words) this.#unused = new Int32Array(words * MASKS_PER_BUFFER);
    const bits = this.#unused.subarray(0, words);
    this.#unused = this.#unused.subarray(words);
    return bits;
  }

  /** Adds the tokens of a view that can follow in a state, or opens the parts of which they are. */
  #take(view: TokenView, state: Term, work: Work): void {
    const key = view.id * 2 ** 20 + state;
    if (state === NOTHING || state === EMPTY || work.seen.has(key)) return;
    work.seen.add(key);
    this.automaton.spend(1);
    const { terms } = this.automaton;
    const isSequence = terms.kinds[state] === KIND.SEQUENCE;
    const [head, tail] = isSequence ? [terms.firsts[state]!, terms.seconds[state]!] : [state, EMPTY];
    const byte = terms.firstByte(head);
    if (byte !== undefined) {
      const rest = terms.kinds[head] === KIND.TEXT ? terms.sequence(terms.textRest(head), tail) : tail;
      return this.#takeByte(view, byte, rest, work);
    }
    const lexeme = this.#lexeme(state);
    const isEmptyToo = lexeme !== undefined && this.#contents.automaton.isAccepting(lexeme.term);
    const isChoice = terms.kinds[head] === KIND.CHOICE;
    if (lexeme !== undefined && !(isChoice && isEmptyToo && lexeme.rest !== EMPTY)) {
      if (!this.#takeLexeme(view, lexeme, work)) return this.#takeAll(view, state, work.bits);
      if (isEmptyToo) work.open.push({ view, state: lexeme.rest });
      return;
    }
    const parts = this.#isFlat ? undefined : this.#opened(head);
    if (parts === undefined) return this.#takeAll(view, state, work.bits);
    for (const part of parts) work.open.push({ view, state: terms.sequence(part, tail) });
  }

  /** The lexeme that a state begins with; a choice is opened first. */
  #lexeme(state: Term): Lexeme | undefined {
    if (this.#isFlat) return this.#reader.whole(state);
    return this.automaton.terms.kinds[state] === KIND.CHOICE ? undefined : this.#reader.first(state);
  }

  /** Terms of which a term is the choice; undefined where it cannot be taken apart. */
  #opened(term: Term): readonly Term[] | undefined {
    const { terms } = this.automaton;
    const first = terms.firsts[term]!;
    switch (terms.kinds[term]!) {
      case KIND.RULE:
        return [this.automaton.ruleBody(first)];
      case KIND.CHOICE:
        return terms.lists[term]!;
      case KIND.REPEAT: {
        const rest = terms.repeat(first, Math.max(0, terms.seconds[term]! - 1), terms.maxima[term]! - 1);
        const some = terms.sequence(first, rest);
        return terms.matchesEmpty[term] ? [EMPTY, some] : [some];
      }
      default:
        return undefined;
    }
  }

  #takeByte({ trie, node }: TokenView, byte: number, tail: Term, work: Work): void {
    const { bytes, ends, tokenStarts, tokenIds } = trie;
    let child = node + 1;
    while (child < ends[node]! && bytes[child]! < byte) child = ends[child]!;
    if (child >= ends[node]! || bytes[child] !== byte) return;
    for (let i = tokenStarts[child]!; i < tokenStarts[child + 1]!; i++)
      work.bits[tokenIds[i]! >> 5]! |= 1 << (tokenIds[i]! & 31);
    if (ends[child]! > child + 1) work.open.push({ view: this.#contents.views.of(trie, child), state: tail });
  }

  /** @returns false where too many tokens go on behind the lexeme */
  #takeLexeme(view: TokenView, { term, rest, isOpen }: Lexeme, { bits, open }: Work): boolean {
    const follow = rest === EMPTY ? undefined : isOpen ? this.#firstBytesOf(rest) : ANY_BYTE;
    const { bits: many, ids, beyond } = this.#contents.tokensOf(view, term, follow);
    if (beyond === undefined) return false;
    setBits(bits, ids);
    if (many !== undefined) for (let word = 0; word < bits.length; word++) bits[word]! |= many[word]!;
    for (const next of beyond) open.push({ view: next, state: rest });
    return true;
  }

  /** Bytes that a text can begin with. */
  #firstBytesOf(state: Term): ByteSet {
    let set = this.#firstBytes.get(state);
    if (set === undefined) this.#firstBytes.set(state, (set = new ByteSet(this.#findFirstBytes(state))));
    return set;
  }

  #findFirstBytes(state: Term): Uint32Array {
    const set = new Uint32Array(8);
    for (let byte = 0; byte < 256; byte++)
      if (this.automaton.next(state, byte) !== NOTHING) set[byte >> 5]! |= 1 << (byte & 31);
    return set;
  }

  /** Sets the bits of the tokens of a view that can follow, one byte after the other. */
  #takeAll(view: TokenView, state: Term, bits: Int32Array): void {
    this.#walk.from(view, state, this.#found.cleared(bits));
  }
}
