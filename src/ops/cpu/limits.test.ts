import { describe, expect, it } from 'vitest';
import { withEachLevel } from '../../device/cpu/testing/test-pools.js';
import { addressOf } from '../../ffi/memory.js';

describe('limits of the machine', () => {
  it('reads every word once', () => {
    const words = new BigUint64Array(64 * 1024);
    for (let i = 0; i < words.length; i++) words[i] = BigInt(i * i);
    const expected = Number(words.reduce((total, word) => total ^ word, 0n));
    withEachLevel(2, ({ library, handle }) => {
      const read = library.bind('double aloft_limit_read(uint64_t pool, uint64_t address, int64_t bytes)');
      expect(read(handle, addressOf(words), words.byteLength)).toBe(expected);
    });
  });

  it('counts the operations of the arithmetic that a level has', () => {
    withEachLevel(2, ({ library, handle, isa }) => {
      const peak = library.bind('double aloft_limit_peak(uint64_t pool, int arithmetic, int64_t rounds)');
      const perRound = [0, 1, 2, 3].map((arithmetic) => Number(peak(handle, arithmetic, 1000)) / 1000);
      const wanted = {
        portable: [2 * 16 * 2, 0, 0, 0],
        avx2: [2 * 16 * 5, 2 * 32 * 8, 0, 0],
        avx512: [2 * 16 * 12, 0, 0, 0],
        avx512vnni: [2 * 16 * 12, 2 * 64 * 16, 0, 0],
        amx: [2 * 16 * 12, 2 * 64 * 16, 131072, 65536],
        neon: [2 * 16 * 5, 0, 0, 0],
        dotprod: [2 * 16 * 5, 2 * 16 * 16, 0, 0],
      }[isa];
      expect(perRound, isa).toEqual(wanted.map((operations) => 2 * operations));
    });
  });
});
