import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { BYTE_CODEC, byteIds } from '../testing/byte-codec.js';
import { thoughtTokenCount } from './thought-tokens.js';

const END = '</think>';

test('counts up to the end tag, wherever it stands', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 200 }), fc.string({ maxLength: 100 }), (thought, answer) => {
      fc.pre(!thought.includes('<') && !answer.includes('<'));
      const count = byteIds(thought + END).length;
      expect(thoughtTokenCount(BYTE_CODEC, byteIds(thought + END + answer), END)).toBe(count);
      expect(thoughtTokenCount(BYTE_CODEC, byteIds(thought), END)).toBe(byteIds(thought).length);
    }),
  );
});
