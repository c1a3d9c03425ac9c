import { describe, expect, test } from 'vitest';
import { kvBytesPerToken, planKvBlocks } from './memory-plan.js';

const LLAMA_2_7B = {
  layerCount: 32,
  hidden: 4096,
  headCount: 32,
  kvHeadCount: 32,
  headDim: 128,
  intermediate: 11008,
  vocabulary: 32000,
  maxPositions: 4096,
};
const DEMAND = {
  blockTokens: 16,
  bytesPerToken: 1024,
  freeBytes: 1024 * 1600,
  kvCacheFreeMemFraction: 0.5,
  maxKvTokens: undefined,
  usefulTokens: 1e9,
};

test('LLaMA-2-7B keeps 512 KiB of 16-bit KV a token, and 256 KiB of 8-bit KV with 8 KiB of scales', () => {
  expect(kvBytesPerToken(LLAMA_2_7B, 'f16')).toBe(512 * 1024);
  expect(kvBytesPerToken(LLAMA_2_7B, 'i8')).toBe((256 + 8) * 1024);
  expect(kvBytesPerToken(LLAMA_2_7B, 'f8e4m3')).toBe((256 + 8) * 1024);
});

describe('block count', () => {
  test('is what the share of free memory holds', () => expect(planKvBlocks(DEMAND)).toBe(50));
  test('stops at the absolute cap', () => expect(planKvBlocks({ ...DEMAND, maxKvTokens: 33 })).toBe(3));
  test('stops at what can be used', () => expect(planKvBlocks({ ...DEMAND, usefulTokens: 160 })).toBe(10));
  test('is refused with both figures when nothing fits', () => {
    expect(() => planKvBlocks({ ...DEMAND, freeBytes: 1000 })).toThrow(
      /needs 16384 bytes, but only 500 bytes/,
    );
  });
});
