/** Vocabularies of the kinds of tokenizers that models have. */
import type { TokenVocabulary } from '../../../core/constraint.js';
import { loadTokenizer } from '../../tokenizer/load.js';
import { byteLevelJson, directoryWith } from '../../testing/test-tokenizers.js';
import { tokenizerVocabulary, vocabularyTable } from '../vocabulary/tokenizer-vocabulary.js';

const DEMO = new URL('../../../../models/demo', import.meta.url).pathname;

/** Tokens of the demo model's SentencePiece tokenizer. */
export async function demoVocabulary(): Promise<TokenVocabulary> {
  const { table } = await loadTokenizer(DEMO);
  return tokenizerVocabulary(vocabularyTable(table), table.tokenCount);
}

export async function byteLevelVocabulary(): Promise<TokenVocabulary> {
  const { table } = await loadTokenizer(await directoryWith({ 'tokenizer.json': byteLevelJson() }));
  return tokenizerVocabulary(vocabularyTable(table), table.tokenCount);
}
