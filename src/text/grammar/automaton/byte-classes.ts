import type { Grammar } from '../../../core/constraint.js';
import { pairsOf } from '../code-points.js';
import { utf8Ranges } from './utf8-ranges.js';

/** The first byte of each class of bytes that a grammar does not distinguish. */
export function byteClasses({ nodes }: Grammar): readonly number[] {
  const isFirst = new Uint8Array(257);
  isFirst[0] = 1;
  const mark = (first: number, last: number): void => {
    isFirst[first] = 1;
    isFirst[last + 1] = 1;
  };
  for (const node of nodes) {
    if (node.type === 'text') for (const byte of Buffer.from(node.text)) mark(byte, byte);
    if (node.type === 'characters')
      for (const [from, to] of pairsOf(node.ranges))
        for (const bytes of utf8Ranges(from, to)) for (const [first, last] of bytes) mark(first, last);
  }
  return Array.from({ length: 256 }, (_, byte) => byte).filter((byte) => isFirst[byte] === 1);
}
