import { floatToHalf } from '../../core/dtype.js';
import { WEIGHT_DEVIATION } from './shapes.js';

/** Values in the pool: small enough to stay in cache, large enough that windows of it rarely coincide. */
const POOL_VALUES = 1 << 20;
/** Values copied from one place of the pool. */
const SEGMENT_VALUES = 1 << 13;

/**
 * Normally distributed f16 values at memory-copy speed. Drawing billions of values one by one would take minutes, so
 * a pool is drawn once and a tensor is made of windows of it that start at pseudo-random places. The values of a
 * tensor are therefore not independent, which neither timing nor numerics of an engine can notice.
 */
export class NormalPool {
  readonly #seed: number;
  readonly #pool: Uint16Array;

  constructor(seed: number) {
    this.#seed = mix(seed);
    this.#pool = drawPool(this.#seed);
  }

  /** Fills `out` with values that depend on the seed, on `name` and on nothing else. @param out f16 bits */
  fill(name: string, out: Uint16Array): void {
    const stream = hashName(name, this.#seed);
    for (let at = 0, segment = 0; at < out.length; at += SEGMENT_VALUES, segment++) {
      const start = mix(stream + segment) % (POOL_VALUES - SEGMENT_VALUES);
      out.set(this.#pool.subarray(start, start + Math.min(SEGMENT_VALUES, out.length - at)), at);
    }
  }
}

/** Box-Muller over a counter-based generator. */
function drawPool(seed: number): Uint16Array {
  const pool = new Uint16Array(POOL_VALUES);
  for (let i = 0; i < POOL_VALUES; i += 2) {
    const radius = WEIGHT_DEVIATION * Math.sqrt(-2 * Math.log((mix(seed + i) + 1) / 2 ** 32));
    const angle = (2 * Math.PI * mix(seed + i + 1)) / 2 ** 32;
    pool[i] = floatToHalf(radius * Math.cos(angle));
    pool[i + 1] = floatToHalf(radius * Math.sin(angle));
  }
  return pool;
}

/** A 32-bit bijection that scatters neighbouring counters: the finaliser of MurmurHash3. */
function mix(counter: number): number {
  let h = counter | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

function hashName(name: string, seed: number): number {
  let hash = seed;
  for (let i = 0; i < name.length; i++) hash = mix(hash ^ name.charCodeAt(i));
  return hash;
}
