/** A gateway's memory of which replica was sent which beginnings of prompts; it asks nobody, and so may be wrong about evictions. */

/** Tokens that are remembered as one; a gateway sees text, and takes pieces of some hundred characters. */
const PIECE_TOKENS = 128;

export class PrefixMemory {
  /** Replicas that were sent a piece, by the hash of the prompt up to its end. */
  #replicas = new Map();
  /** [replicas] pieces in order of use, oldest first. */
  #pieces;
  #capacity;

  /** @param tokens remembered of each replica, as many as its KV cache holds */
  constructor(replicaCount, tokens) {
    this.#pieces = Array.from({ length: replicaCount }, () => new Map());
    this.#capacity = Math.floor(tokens / PIECE_TOKENS);
  }

  /** Share of the prompt that each replica was sent before: replica -> share, those without any left out. */
  sharesOf(hashes) {
    const shares = new Map();
    for (const [at, hash] of hashes.entries()) {
      const replicas = this.#replicas.get(hash);
      if (replicas === undefined) break;
      for (const replica of replicas) shares.set(replica, (at + 1) / hashes.length);
    }
    return shares;
  }

  remember(replica, hashes) {
    const pieces = this.#pieces[replica];
    for (const hash of hashes) {
      if (pieces.delete(hash)) pieces.set(hash, true);
      else this.#add(replica, hash);
    }
  }

  #add(replica, hash) {
    const pieces = this.#pieces[replica];
    pieces.set(hash, true);
    const replicas = this.#replicas.get(hash);
    if (replicas === undefined) this.#replicas.set(hash, new Set([replica]));
    else replicas.add(replica);
    if (pieces.size <= this.#capacity) return;
    const [oldest] = pieces.keys();
    pieces.delete(oldest);
    const holders = this.#replicas.get(oldest);
    holders.delete(replica);
    if (holders.size === 0) this.#replicas.delete(oldest);
  }
}

/** Hashes of the prompt up to the end of each full piece: FNV-1a over token ids in two halves of 26 bits. */
export function hashesOf(prompt) {
  const hashes = [];
  let [low, high] = [0x811c9dc5 | 0, 0x050c5d1f | 0];
  for (let at = 0; at < prompt.length; at++) {
    low = Math.imul(low ^ prompt[at], 0x01000193);
    high = Math.imul(high ^ prompt[at], 0x01000197) + (low >>> 7);
    if ((at + 1) % PIECE_TOKENS === 0) hashes.push((high >>> 6) * 2 ** 26 + (low >>> 6));
  }
  return hashes;
}
