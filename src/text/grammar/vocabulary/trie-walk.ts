import type { TokenVocabulary } from '../../../core/constraint.js';
import type { Automaton } from '../automaton/automaton.js';
import { NOTHING, type Term } from '../automaton/terms.js';
import type { TokenSet } from './token-set.js';
import type { TriePlace } from './token-trie.js';

/** Bytes of the longest token. */
export function longestToken({ trie, first }: Pick<TokenVocabulary, 'trie' | 'first'>): number {
  return Math.max(trie.maxDepth, first?.trie.maxDepth ?? 0);
}

/** Follows all texts of a trie through an automaton at once. */
export class TrieWalk {
  readonly #automaton: Automaton;
  /** [depth] states on the way to a node. */
  readonly #path: Int32Array;

  constructor(automaton: Automaton, tokens: Pick<TokenVocabulary, 'trie' | 'first'>) {
    this.#automaton = automaton;
    this.#path = new Int32Array(longestToken(tokens) + 1);
  }

  /**
   * Takes the tokens under a place to which the automaton can follow.
   * @param state that of the place
   * @param ends takes the places that go on where a text may end
   */
  from({ trie, node: top }: TriePlace, state: Term, found: TokenSet, ends?: TriePlace[]): void {
    const { bytes, depths, ends: lasts, tokenStarts, tokenIds } = trie;
    const path = this.#path;
    const automaton = this.#automaton;
    const last = lasts[top]!;
    path[depths[top]!] = state;
    for (let node = top + 1; node < last;) {
      const depth = depths[node]!;
      const next = automaton.next(path[depth - 1]!, bytes[node]!);
      const behind = lasts[node]!;
      if (next === NOTHING) {
        node = behind;
        continue;
      }
      path[depth] = next;
      const start = tokenStarts[node]!;
      const end = tokenStarts[node + 1]!;
      if (start < end) found.add(tokenIds, start, end);
      if (ends !== undefined && behind > node + 1 && automaton.isAccepting(next)) ends.push({ trie, node });
      node++;
    }
  }
}
