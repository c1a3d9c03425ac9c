import type { TokenVocabulary } from '../../../core/constraint.js';
import { buildVocabulary } from '../../../text/grammar/vocabulary/token-vocabulary.js';

/** Vocabulary for constraints, of tokens that are given by their texts. */
export function toyVocabulary(key: string, texts: readonly string[]): TokenVocabulary {
  return buildVocabulary({
    key,
    vocabulary: texts.length,
    bytesOf: (id) => Buffer.from(texts[id]!),
    firstBytesOf: undefined,
  });
}
