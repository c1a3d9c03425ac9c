/** Philox4x32-10: counter-based random numbers, Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (SC 2011). */

const ROUNDS = 10;
const WORD = 0xffffffffn;

/**
 * @param counter four 32-bit words
 * @param key two 32-bit words
 * @returns four 32-bit words
 */
export function philox4x32(counter: readonly bigint[], key: readonly bigint[]): readonly bigint[] {
  let [c0 = 0n, c1 = 0n, c2 = 0n, c3 = 0n] = counter;
  let [k0 = 0n, k1 = 0n] = key;
  for (let round = 0; round < ROUNDS; round++) {
    const first = 0xd2511f53n * c0;
    const second = 0xcd9e8d57n * c2;
    [c0, c1, c2, c3] = [(second >> 32n) ^ c1 ^ k0, second & WORD, (first >> 32n) ^ c3 ^ k1, first & WORD];
    k0 = (k0 + 0x9e3779b9n) & WORD;
    k1 = (k1 + 0xbb67ae85n) & WORD;
  }
  return [c0, c1, c2, c3];
}

/** The 64 random bits for the token at `position` of a sequence with this seed. */
export function randomBits(seed: bigint, position: number): bigint {
  const key = BigInt.asUintN(64, seed);
  const [low, high] = philox4x32([BigInt(position), 0n, 0n, 0n], [key & WORD, key >> 32n]);
  return (high! << 32n) | low!;
}
