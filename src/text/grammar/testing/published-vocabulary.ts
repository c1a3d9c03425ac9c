import o200k from 'js-tiktoken/ranks/o200k_base';
import type { TokenVocabulary } from '../../../core/constraint.js';
import { buildVocabulary } from '../vocabulary/token-vocabulary.js';

/** The most frequent tokens of a published byte-level vocabulary, as many as LLaMA-3 has. */
export function publishedVocabulary(vocabulary = 128_256): TokenVocabulary {
  const tokens: Buffer[] = [];
  for (const line of o200k.bpe_ranks.split('\n')) {
    const [, first, ...encoded] = line.split(' ');
    for (const [i, token] of encoded.entries()) tokens[Number(first) + i] = Buffer.from(token, 'base64');
  }
  return buildVocabulary({
    key: `published ${vocabulary}`,
    vocabulary,
    bytesOf: (id) => tokens[id]!,
    firstBytesOf: undefined,
  });
}
