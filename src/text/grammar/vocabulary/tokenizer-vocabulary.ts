import { createHash } from 'node:crypto';
import type { TokenVocabulary } from '../../../core/constraint.js';
import { buildVocabulary } from './token-vocabulary.js';

/** Parts of a token table (`text/tokenizer`) that a vocabulary is made from. A message can carry it. */
export interface VocabularyTable {
  readonly tokenCount: number;
  readonly bytes: Uint8Array;
  readonly offsets: Uint32Array;
  /** [tokenCount] 1 for control tokens, which no text has. */
  readonly special: Uint8Array;
  /** Spaces at the start of a text that are not part of it. */
  readonly droppedSpaces: number;
  /** Bytes of each token at the start of a text, if they are others there. */
  readonly firstTokens: readonly Uint8Array[] | undefined;
}

/** A token table as `text/tokenizer` has it. */
export interface TokenTableLike extends Pick<
  VocabularyTable,
  'tokenCount' | 'bytes' | 'offsets' | 'special'
> {
  readonly leadingSpace:
    | { readonly type: 'strip'; readonly count: number }
    | { readonly type: 'first-token'; readonly bytes: (tokenId: number) => Uint8Array };
}

export function vocabularyTable(table: TokenTableLike): VocabularyTable {
  const { tokenCount, bytes, offsets, special, leadingSpace } = table;
  return {
    tokenCount,
    bytes,
    offsets,
    special,
    droppedSpaces: leadingSpace.type === 'strip' ? leadingSpace.count : 0,
    firstTokens:
      leadingSpace.type === 'first-token'
        ? Array.from({ length: tokenCount }, (_, id) => leadingSpace.bytes(id))
        : undefined,
  };
}

/** @param vocabulary tokens of the model, which may be more or fewer than the tokenizer has */
export function tokenizerVocabulary(table: VocabularyTable, vocabulary: number): TokenVocabulary {
  const { bytes, offsets, special, tokenCount, firstTokens } = table;
  const isText = (id: number): boolean => id < tokenCount && special[id] === 0;
  const none = new Uint8Array(0);
  const key = createHash('sha256').update(bytes).update(offsets).update(special);
  for (const token of firstTokens ?? []) key.update(token).update(';');
  return buildVocabulary({
    key: `${key.digest('hex')} ${vocabulary}`,
    vocabulary,
    bytesOf: (id) => (isText(id) ? bytes.subarray(offsets[id], offsets[id + 1]) : none),
    firstBytesOf: firstTokens && ((id) => (isText(id) ? firstTokens[id]! : none)),
  });
}
