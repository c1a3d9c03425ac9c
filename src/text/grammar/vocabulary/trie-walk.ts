import type { TokenVocabulary } from '../../../core/constraint.js';
import type { Automaton } from '../automaton/automaton.js';
import { NOTHING, type Term } from '../automaton/terms.js';
import type { TriePlace } from './token-trie.js';

/** Follows all texts of a trie through an automaton at once. */
export class TrieWalk {
  readonly #automaton: Automaton;
  /** [depth] states on the way to a node. */
  readonly #path: Int32Array;

  constructor(automaton: Automaton, { trie, first }: Pick<TokenVocabulary, 'trie' | 'first'>) {
    this.#automaton = automaton;
    this.#path = new Int32Array(Math.max(trie.maxDepth, first?.trie.maxDepth ?? 0) + 1);
  }

  /** Visits the nodes under a place to which the automaton can follow. @param state that of the place */
  from({ trie, node: top }: TriePlace, state: Term, visit: (node: number, state: Term) => void): void {
    const { bytes, depths, ends } = trie;
    const path = this.#path;
    const automaton = this.#automaton;
    const last = ends[top]!;
    path[depths[top]!] = state;
    for (let node = top + 1; node < last;) {
      const depth = depths[node]!;
      const next = automaton.next(path[depth - 1]!, bytes[node]!);
      if (next === NOTHING) node = ends[node]!;
      else {
        path[depth] = next;
        visit(node++, next);
      }
    }
  }
}
