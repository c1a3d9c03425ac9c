/**
 * Reads a SentencePiece model file (`tokenizer.model`).
 * Format: sentencepiece_model.proto of github.com/google/sentencepiece; only the fields that decide about tokens are read.
 */
import { BinaryReader } from '@bufbuild/protobuf/wire';
import { invalid } from './hf-json.js';

export const PIECE_TYPE = { NORMAL: 1, UNKNOWN: 2, CONTROL: 3, USER_DEFINED: 4, UNUSED: 5, BYTE: 6 } as const;

export interface SentencePiece {
  readonly text: string;
  /** Log probability (unigram) or minus the merge order (BPE). */
  readonly score: number;
  readonly type: number;
}

export interface SentencePieceModel {
  /** The index is the token id. */
  readonly pieces: readonly SentencePiece[];
  /** 1 unigram, 2 BPE, 3 word, 4 character. */
  readonly modelType: number;
  readonly hasByteFallback: boolean;
  /** -1 where the model has no such token. */
  readonly unkId: number;
  readonly bosId: number;
  readonly eosId: number;
  readonly padId: number;
  /** Text normalisation table in the `darts` form of SentencePiece; empty for identity. */
  readonly charsmap: Uint8Array;
  /** Put a space before the text. */
  readonly hasDummyPrefix: boolean;
  readonly removesExtraSpaces: boolean;
}

/** Readers of a message's fields, by field number. */
type Fields = Readonly<Record<number, (reader: BinaryReader) => void>>;

/** @throws {AloftError} TOKENIZER_INVALID naming `path`. */
export function readSentencePieceModel(bytes: Uint8Array, path: string): SentencePieceModel {
  try {
    const model = readModel(bytes);
    if (model.pieces.length > 0) return model;
  } catch (cause) {
    throw invalid(path, `is not a readable SentencePiece model (${(cause as Error).message})`, cause);
  }
  throw invalid(path, 'holds no pieces');
}

function readModel(bytes: Uint8Array): SentencePieceModel {
  const pieces: SentencePiece[] = [];
  let trainer = readTrainerSpec(new Uint8Array(0));
  let normalizer = readNormalizerSpec(new Uint8Array(0));
  readMessage(bytes, {
    1: (reader) => pieces.push(readPiece(reader.bytes())),
    2: (reader) => (trainer = readTrainerSpec(reader.bytes())),
    3: (reader) => (normalizer = readNormalizerSpec(reader.bytes())),
  });
  return { pieces, ...trainer, ...normalizer };
}

function readPiece(bytes: Uint8Array): SentencePiece {
  let [text, score, type] = ['', 0, PIECE_TYPE.NORMAL as number];
  readMessage(bytes, {
    1: (reader) => (text = reader.string()),
    2: (reader) => (score = reader.float()),
    3: (reader) => (type = reader.int32()),
  });
  return { text, score, type };
}

function readTrainerSpec(bytes: Uint8Array) {
  let [modelType, hasByteFallback, unkId, bosId, eosId, padId] = [1, false, 0, 1, 2, -1];
  readMessage(bytes, {
    3: (reader) => (modelType = reader.int32()),
    35: (reader) => (hasByteFallback = reader.bool()),
    40: (reader) => (unkId = reader.int32()),
    41: (reader) => (bosId = reader.int32()),
    42: (reader) => (eosId = reader.int32()),
    43: (reader) => (padId = reader.int32()),
  });
  return { modelType, hasByteFallback, unkId, bosId, eosId, padId };
}

function readNormalizerSpec(bytes: Uint8Array) {
  let charsmap: Uint8Array = new Uint8Array(0);
  let [hasDummyPrefix, removesExtraSpaces] = [true, true];
  readMessage(bytes, {
    2: (reader) => (charsmap = reader.bytes()),
    3: (reader) => (hasDummyPrefix = reader.bool()),
    4: (reader) => (removesExtraSpaces = reader.bool()),
  });
  return { charsmap, hasDummyPrefix, removesExtraSpaces };
}

function readMessage(bytes: Uint8Array, fields: Fields): void {
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    const read = fields[field];
    if (read) read(reader);
    else reader.skip(wireType, field);
  }
}
