import { invariant } from '../../core/errors.js';

/** No such entry; as a parent: the first block of a prompt. */
export const NO_ENTRY = -1;

/** Mixes the tokens of one block into the hash of what comes before it. */
export type BlockHash = (seed: number, tokens: Int32Array, start: number, count: number) => number;

/**
 * Finds KV blocks by their content. An entry is a full block of tokens after a given parent entry, so a chain of entries
 * is a prompt prefix. A hit needs equal parent, equal salt and equal token ids; the hash only chooses where to look.
 *
 * An entry lives at a *place*: a device or host block, numbered by the caller. Whoever holds a block also holds the
 * block before it, and releases the later one first; therefore a parent always outlives its children.
 */
export class PrefixIndex {
  readonly blockTokens: number;
  readonly #hash: BlockHash;
  readonly #parents: Int32Array; // [entries]
  readonly #hashes: Int32Array; // [entries]
  readonly #places: Int32Array; // [entries]; NO_PLACE for unused entries
  readonly #nextInBucket: Int32Array; // [entries]
  readonly #tokens: Int32Array; // [entries, blockTokens]
  readonly #salts: (string | undefined)[]; // [entries]
  readonly #buckets: Int32Array; // [power of two]
  readonly #entryOfPlace: Int32Array; // [places]
  readonly #unused: Int32Array; // [entries] stack
  #unusedCount: number;

  constructor(placeCount: number, blockTokens: number, hash: BlockHash = mixTokens) {
    this.blockTokens = blockTokens;
    this.#hash = hash;
    this.#parents = new Int32Array(placeCount);
    this.#hashes = new Int32Array(placeCount);
    this.#places = new Int32Array(placeCount).fill(NO_PLACE);
    this.#nextInBucket = new Int32Array(placeCount);
    this.#tokens = new Int32Array(placeCount * blockTokens);
    this.#salts = Array.from({ length: placeCount }, () => undefined);
    this.#buckets = new Int32Array(2 ** Math.ceil(Math.log2(2 * placeCount + 1))).fill(NO_ENTRY);
    this.#entryOfPlace = new Int32Array(placeCount).fill(NO_ENTRY);
    this.#unused = Int32Array.from({ length: placeCount }, (_, i) => placeCount - 1 - i);
    this.#unusedCount = placeCount;
  }

  get entryCount(): number {
    return this.#places.length - this.#unusedCount;
  }

  /** The entry whose content lies at `place`, or NO_ENTRY. */
  entryAt(place: number): number {
    return this.#entryOfPlace[place]!;
  }

  placeOf(entry: number): number {
    return this.#places[entry]!;
  }

  /** The entry for the block of tokens that starts at `start` and follows `parent`, or NO_ENTRY. */
  find(parent: number, salt: string | undefined, tokens: Int32Array, start: number): number {
    const hash = this.#hashOf(parent, salt, tokens, start);
    let entry = this.#buckets[hash & (this.#buckets.length - 1)]!;
    while (entry !== NO_ENTRY) {
      if (this.#hashes[entry] === hash && this.#isEqual(entry, parent, salt, tokens, start)) return entry;
      entry = this.#nextInBucket[entry]!;
    }
    return NO_ENTRY;
  }

  /** Adds a block that {@link find} does not find. */
  add(parent: number, salt: string | undefined, tokens: Int32Array, start: number, place: number): void {
    const entry = this.#unused[--this.#unusedCount]!;
    const hash = this.#hashOf(parent, salt, tokens, start);
    const bucket = hash & (this.#buckets.length - 1);
    this.#parents[entry] = parent;
    this.#salts[entry] = salt;
    this.#hashes[entry] = hash;
    for (let i = 0; i < this.blockTokens; i++)
      this.#tokens[entry * this.blockTokens + i] = tokens[start + i]!;
    this.#nextInBucket[entry] = this.#buckets[bucket]!;
    this.#buckets[bucket] = entry;
    this.#places[entry] = place;
    this.#entryOfPlace[place] = entry;
  }

  /** The content of `entry` now lies elsewhere. */
  move(entry: number, place: number): void {
    this.#entryOfPlace[this.#places[entry]!] = NO_ENTRY;
    this.#places[entry] = place;
    this.#entryOfPlace[place] = entry;
  }

  remove(entry: number): void {
    const bucket = this.#hashes[entry]! & (this.#buckets.length - 1);
    if (this.#buckets[bucket] === entry) this.#buckets[bucket] = this.#nextInBucket[entry]!;
    else {
      let before = this.#buckets[bucket]!;
      while (this.#nextInBucket[before] !== entry) before = this.#nextInBucket[before]!;
      this.#nextInBucket[before] = this.#nextInBucket[entry]!;
    }
    this.#entryOfPlace[this.#places[entry]!] = NO_ENTRY;
    this.#places[entry] = NO_PLACE;
    this.#salts[entry] = undefined;
    this.#unused[this.#unusedCount++] = entry;
  }

  /** Every entry's place and all tokens from the start of the prompt to its end. For inspection. */
  *prefixes(): Generator<{ readonly place: number; readonly tokenIds: readonly number[] }> {
    for (let entry = 0; entry < this.#places.length; entry++)
      if (this.#places[entry] !== NO_PLACE)
        yield { place: this.#places[entry]!, tokenIds: this.#prefixOf(entry) };
  }

  /** Every entry must be found by walking from its first block. @throws {AloftError} INTERNAL */
  checkIntegrity(): void {
    for (let entry = 0; entry < this.#places.length; entry++) {
      if (this.#places[entry] === NO_PLACE) continue;
      const parent = this.#parents[entry]!;
      invariant(this.#entryOfPlace[this.#places[entry]!] === entry, () => `entry ${entry} lost its place`);
      invariant(
        parent === NO_ENTRY || this.#places[parent] !== NO_PLACE,
        () => `the parent of prefix entry ${entry} is gone`,
      );
      const found = this.find(parent, this.#salts[entry], this.#tokens, entry * this.blockTokens);
      invariant(found === entry, () => `prefix entry ${entry} is hidden by entry ${found}`);
    }
  }

  #prefixOf(entry: number): number[] {
    const before = this.#parents[entry] === NO_ENTRY ? [] : this.#prefixOf(this.#parents[entry]!);
    const base = entry * this.blockTokens;
    return [...before, ...this.#tokens.subarray(base, base + this.blockTokens)];
  }

  #hashOf(parent: number, salt: string | undefined, tokens: Int32Array, start: number): number {
    const seed = parent === NO_ENTRY ? mixString(salt) : this.#hashes[parent]!;
    return this.#hash(seed, tokens, start, this.blockTokens);
  }

  #isEqual(entry: number, parent: number, salt: string | undefined, tokens: Int32Array, start: number) {
    if (this.#parents[entry] !== parent || this.#salts[entry] !== salt) return false;
    const base = entry * this.blockTokens;
    for (let i = 0; i < this.blockTokens; i++) if (this.#tokens[base + i] !== tokens[start + i]) return false;
    return true;
  }
}

const NO_PLACE = -1;

/** Multiply and rotate per token, then a final avalanche; constants of MurmurHash3 (public domain). */
function mixTokens(seed: number, tokens: Int32Array, start: number, count: number): number {
  let hash = seed;
  for (let i = start; i < start + count; i++) {
    hash ^= Math.imul(tokens[i]!, 0xcc9e2d51);
    hash = (Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64) | 0;
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  return hash ^ (hash >>> 13);
}

function mixString(text: string | undefined): number {
  let hash = text === undefined ? 0 : 1;
  for (let i = 0; i < (text?.length ?? 0); i++) hash = Math.imul(hash ^ text!.charCodeAt(i), 0x01000193);
  return hash;
}
