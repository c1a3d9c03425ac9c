import type { TokenTrie, TokenVocabulary } from '../../../core/constraint.js';
import type { Automaton } from '../automaton/automaton.js';
import { NOTHING, type Term } from '../automaton/terms.js';
import { GRAMMAR_LIMITS } from '../limits.js';

/** Bytes of masks that an automaton keeps. */
const KEPT_BYTES = 16 << 20;

/** Which tokens may come next. */
export interface TokenMask {
  /** [vocabulary / 32] one bit a token. */
  readonly bits: Int32Array;
  readonly isEmpty: boolean;
}

/** Masks of an automaton's states over a vocabulary; each is computed once, and kept while there is room. */
export class TokenMasks {
  readonly automaton: Automaton;
  readonly #tokens: TokenVocabulary;
  readonly #kept = new Map<Term, TokenMask>();
  readonly #keptFirst = new Map<Term, TokenMask>();
  /** [depth] states on the way from the root to a node. */
  readonly #path: Int32Array;

  constructor(automaton: Automaton, tokens: TokenVocabulary) {
    this.automaton = automaton;
    this.#tokens = tokens;
    this.#path = new Int32Array(Math.max(tokens.trie.maxDepth, tokens.first?.trie.maxDepth ?? 0) + 1);
  }

  /**
   * Tokens that may follow in a state.
   * @param isFirst they stand at the start of a text, where they may have other bytes
   * @throws {AloftError} REQUEST_INVALID when the state is too ambiguous to be followed in reasonable time
   */
  maskOf(state: Term, isFirst: boolean): TokenMask {
    const first = isFirst ? this.#tokens.first : undefined;
    const kept = first === undefined ? this.#kept : this.#keptFirst;
    let mask = kept.get(state);
    if (mask !== undefined) return mask;
    const bits = first === undefined ? this.#compute(state) : this.#walk(first.trie, state, this.#noTokens());
    mask = { bits, isEmpty: bits.every((word) => word === 0) };
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

  #noTokens(): Int32Array {
    return new Int32Array(Math.ceil(this.#tokens.vocabulary / 32));
  }

  #compute(state: Term): Int32Array {
    const run = this.automaton.plainRun(state);
    const slice = this.#tokens.slices.find(({ maxCharacters }) => maxCharacters <= run);
    if (slice === undefined) return this.#walk(this.#tokens.trie, state, this.#noTokens());
    const bits = new Int32Array(slice.mask.length);
    bits.set(slice.mask);
    return this.#walk(slice.others, state, bits);
  }

  /** Sets the bits of the tokens of a trie that can follow. */
  #walk(trie: TokenTrie, state: Term, bits: Int32Array): Int32Array {
    const { bytes, depths, ends, tokenStarts, tokenIds } = trie;
    const path = this.#path;
    const { automaton } = this;
    automaton.allow(GRAMMAR_LIMITS.maskWork);
    path[0] = state;
    for (let node = 1; node < bytes.length;) {
      const depth = depths[node]!;
      const next = automaton.next(path[depth - 1]!, bytes[node]!);
      if (next === NOTHING) {
        node = ends[node]!;
        continue;
      }
      path[depth] = next;
      for (let i = tokenStarts[node]!; i < tokenStarts[node + 1]!; i++)
        bits[tokenIds[i]! >> 5]! |= 1 << (tokenIds[i]! & 31);
      node++;
    }
    return bits;
  }
}
