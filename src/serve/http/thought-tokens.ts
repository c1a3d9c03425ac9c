/** Length of a thought in tokens. */
import type { TokenCodec } from '../engine/engine-loader.js';

/** Tokens that are decoded at a time; the end tag may be spread over as many. */
const BLOCK = 32;

/**
 * Number of tokens up to the one with which the end tag is complete; all where the thought was cut.
 * @param tokenIds an answer that begins with a thought
 */
export function thoughtTokenCount(codec: TokenCodec, tokenIds: readonly number[], endTag: string): number {
  const holdsTag = (start: number, end: number): boolean =>
    codec.decode(tokenIds.slice(Math.max(0, start), end), false).includes(endTag);
  for (let start = 0; start < tokenIds.length; start += BLOCK) {
    if (!holdsTag(start - BLOCK, start + BLOCK)) continue;
    let end = start + 1;
    while (end < tokenIds.length && !holdsTag(start - BLOCK, end)) end++;
    return end;
  }
  return tokenIds.length;
}
