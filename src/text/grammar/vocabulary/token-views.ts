import type { TokenTrie } from '../../../core/constraint.js';
import { sizeUnder, type TriePlace } from './token-trie.js';
import { mergedTrie } from './trie-merger.js';

/** Tokens by what is left of them behind their beginnings: the texts under a node of a trie. */
export interface TokenView extends TriePlace {
  readonly id: number;
}

/** Nodes under a place from which on it is walked by itself instead of being copied. */
const LARGE = 4096;
/** Places that are walked by themselves, and nodes that are copied, at most. */
const MAX_LARGE = 8;
const MAX_COPIED = 40_000;

/** Makes views, each once. */
export class TokenViews {
  readonly #tries = new Map<TokenTrie, { readonly id: number; readonly views: Map<number, TokenView> }>();
  readonly #merged = new Map<string, TokenView>();
  #count = 0;
  #copiedNodes = 0;

  /** Nodes that were copied. */
  get copiedNodes(): number {
    return this.#copiedNodes;
  }

  of(trie: TokenTrie, node: number): TokenView {
    const { views } = this.#trie(trie);
    let view = views.get(node);
    if (view === undefined) views.set(node, (view = { id: this.#count++, trie, node }));
    return view;
  }

  /** Views of all texts under several places, counted from each; undefined if they are too many. */
  joined(places: readonly TriePlace[]): readonly TokenView[] | undefined {
    const isLarge = (place: TriePlace): boolean => sizeUnder(place) > LARGE;
    const large = places.filter(isLarge);
    const small = places.filter((place) => !isLarge(place));
    const copied = small.reduce((sum, place) => sum + sizeUnder(place), 0);
    if (large.length > MAX_LARGE || copied > MAX_COPIED) return undefined;
    const views = large.map(({ trie, node }) => this.of(trie, node));
    if (small.length === 1) views.push(this.of(small[0]!.trie, small[0]!.node));
    else if (small.length > 1) views.push(this.#merge(small));
    return views;
  }

  #merge(places: readonly TriePlace[]): TokenView {
    const key = places.map(({ trie, node }) => `${this.#trie(trie).id}:${node}`).join();
    let view = this.#merged.get(key);
    if (view === undefined) {
      const trie = mergedTrie(places);
      this.#copiedNodes += trie.bytes.length;
      this.#merged.set(key, (view = this.of(trie, 0)));
    }
    return view;
  }

  #trie(trie: TokenTrie) {
    let known = this.#tries.get(trie);
    if (known === undefined) this.#tries.set(trie, (known = { id: this.#tries.size, views: new Map() }));
    return known;
  }
}
