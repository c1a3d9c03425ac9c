/** A vocabulary as large as those of models, for tests and benchmarks. */
import type { TokenVocabulary } from '../../../core/constraint.js';
import { buildVocabulary } from '../vocabulary/token-vocabulary.js';
import { randomSource } from './random-texts.js';

const SYLLABLES = [
  'ta',
  'ri',
  'on',
  'es',
  'ing',
  'Ko',
  'é',
  '漢',
  '字',
  ' the',
  ' ',
  '10',
  '7',
  '", "',
  '":',
  '{"',
  '}]',
  '\n',
  '\\',
  "'s",
  '_',
  '(',
  '-',
  'x',
];

/** All bytes, then texts and pieces of characters: as many tokens as LLaMA-3 has, unless told otherwise. */
export function largeVocabulary(vocabulary = 128_256): TokenVocabulary {
  const random = randomSource(7);
  const pick = (): string => SYLLABLES[Math.floor(random() * SYLLABLES.length)]!;
  const tokens = Array.from({ length: vocabulary }, (_, id) => {
    if (id < 256) return Buffer.of(id);
    const bytes = Buffer.from(Array.from({ length: 1 + Math.floor(random() * 5) }, pick).join(''));
    return random() < 0.02 ? bytes.subarray(0, Math.max(1, bytes.length - 1)) : bytes;
  });
  return buildVocabulary({
    key: `large ${vocabulary}`,
    vocabulary,
    bytesOf: (id) => tokens[id]!,
    firstBytesOf: undefined,
  });
}
