/** A small seeded generator for workloads and tests. Not for sampling tokens: that is `ops/sample`. */
export interface RandomSource {
  /** Uniform in [0, 1). */
  next(): number;
}

/** SplitMix32 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014, narrowed to 32 bits). */
export function seededRandom(seed: number): RandomSource {
  let state = seed >>> 0;
  return {
    next() {
      state = (state + 0x9e3779b9) >>> 0;
      let z = state;
      z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
      z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
      return ((z ^ (z >>> 15)) >>> 0) / 2 ** 32;
    },
  };
}
