/** Small tokenizers of each family, composed by hand for tests. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { afterAll } from 'vitest';
import { byteLevelAlphabet } from '../tokenizer/byte-level.js';
import { PIECE_TYPE, type SentencePiece } from '../tokenizer/sentencepiece.js';

/** Made by {@link directoryWith} in this test file, removed at its end. */
const directories: string[] = [];
afterAll(async () => {
  for (const directory of directories.splice(0)) await rm(directory, { recursive: true });
});

const ADDED = { single_word: false, lstrip: false, rstrip: false, normalized: false };

/** Words that the fixtures know whole; joined from the left, so a space joins its word before the word is complete. */
const WORDS = ['▁the', '▁then', '▁a', '▁world', '▁hello', 'hello', '▁你好', 'é', '▁▁', '▁stop', 'stop'];

const byteToken = (byte: number): string => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`;

/** The pieces of a LLaMA-2-like SentencePiece model: 3 control pieces, 256 bytes, then text. */
export function sentencePieces(): SentencePiece[] {
  const characters = Array.from('▁abcdehlnoprstw,.你好é');
  const prefixes = WORDS.flatMap((word) => Array.from(word).map((_, i, all) => all.slice(0, i + 1).join('')));
  const texts = [...new Set([...prefixes, ...characters])];
  const merged = texts.filter((text) => Array.from(text).length > 1);
  const single = texts.filter((text) => Array.from(text).length === 1);
  return [
    { text: '<unk>', score: 0, type: PIECE_TYPE.UNKNOWN },
    { text: '<s>', score: 0, type: PIECE_TYPE.CONTROL },
    { text: '</s>', score: 0, type: PIECE_TYPE.CONTROL },
    ...Array.from({ length: 256 }, (_, byte) => ({ text: byteToken(byte), score: 0, type: PIECE_TYPE.BYTE })),
    ...merged.map((text, i) => ({ text, score: -i, type: PIECE_TYPE.NORMAL })),
    ...single.map((text, i) => ({ text, score: -merged.length - i, type: PIECE_TYPE.NORMAL })),
  ];
}

export interface ModelFileOptions {
  readonly pieces: readonly SentencePiece[];
  /** 1 unigram, 2 BPE. */
  readonly modelType: number;
  readonly hasDummyPrefix: boolean;
}

/** A `tokenizer.model` as SentencePiece writes it. */
export function sentencePieceFile(options: ModelFileOptions): Uint8Array {
  const writer = new BinaryWriter();
  for (const { text, score, type } of options.pieces) {
    writer
      .tag(1, WireType.LengthDelimited)
      .fork()
      .tag(1, WireType.LengthDelimited)
      .string(text)
      .tag(2, WireType.Bit32)
      .float(score);
    writer.tag(3, WireType.Varint).int32(type).join();
  }
  writer
    .tag(2, WireType.LengthDelimited)
    .fork()
    .tag(3, WireType.Varint)
    .int32(options.modelType)
    .tag(35, WireType.Varint)
    .bool(true);
  writer
    .tag(40, WireType.Varint)
    .int32(0)
    .tag(41, WireType.Varint)
    .int32(1)
    .tag(42, WireType.Varint)
    .int32(2)
    .tag(43, WireType.Varint)
    .int32(-1)
    .join();
  writer
    .tag(3, WireType.LengthDelimited)
    .fork()
    .tag(1, WireType.LengthDelimited)
    .string('identity')
    .tag(3, WireType.Varint)
    .bool(options.hasDummyPrefix);
  writer.tag(4, WireType.Varint).bool(false).tag(5, WireType.Varint).bool(true).join();
  return writer.finish();
}

/** A byte-level tokenizer.json in the manner of LLaMA-3, with tokens that cut characters. */
export function byteLevelJson(): Record<string, unknown> {
  const alphabet = byteLevelAlphabet();
  const spell = (text: string): string => Array.from(Buffer.from(text), (byte) => alphabet[byte]).join('');
  const parts = [' the', ' hello', 'hello', ' world', ' stop', 'stop', '你好', '🙂', ' é', '👩\u200d🚀'].map(
    spell,
  );
  const merges: [string, string][] = parts.flatMap((part) =>
    Array.from(part)
      .slice(1)
      .map((next, i): [string, string] => [part.slice(0, i + 1), next]),
  );
  const tokens = [...new Set([...alphabet, ...merges.map((pair) => pair.join(''))])];
  const specials = ['<|begin|>', '<|end|>', '<|eot|>'];
  return {
    version: '1.0',
    added_tokens: [
      ...specials.map((content, i) => ({ id: tokens.length + i, content, special: true, ...ADDED })),
      { id: tokens.length + specials.length, content: '[tool call]', special: false, ...ADDED },
    ],
    normalizer: null,
    pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
    post_processor: {
      type: 'TemplateProcessing',
      single: [{ SpecialToken: { id: '<|begin|>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
      pair: [{ Sequence: { id: 'A', type_id: 0 } }, { Sequence: { id: 'B', type_id: 1 } }],
      special_tokens: { '<|begin|>': { id: '<|begin|>', ids: [tokens.length], tokens: ['<|begin|>'] } },
    },
    decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
      type: 'BPE',
      unk_token: null,
      byte_fallback: false,
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      merges: [...new Map(merges.map((pair) => [pair.join(' '), pair])).values()],
    },
  };
}

/** A tokenizer.json as published for LLaMA-2: prefix and marks made by the normalizer. */
export function llama2Json(): Record<string, unknown> {
  const pieces = sentencePieces();
  const texts = pieces.filter(({ type }) => type === PIECE_TYPE.NORMAL).map(({ text }) => text);
  const merges = texts.flatMap((text) => {
    const characters = Array.from(text);
    const [left, right] = [characters.slice(0, -1).join(''), characters.at(-1)!];
    return characters.length > 1 ? [[left, right]] : [];
  });
  const control = pieces.flatMap(({ text, type }, id) =>
    type === PIECE_TYPE.CONTROL || type === PIECE_TYPE.UNKNOWN
      ? [{ id, content: text, special: true, ...ADDED }]
      : [],
  );
  return {
    version: '1.0',
    added_tokens: control,
    normalizer: {
      type: 'Sequence',
      normalizers: [
        { type: 'Prepend', prepend: '▁' },
        { type: 'Replace', pattern: { String: ' ' }, content: '▁' },
      ],
    },
    pre_tokenizer: null,
    post_processor: {
      type: 'TemplateProcessing',
      single: [{ SpecialToken: { id: '<s>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
      pair: [{ Sequence: { id: 'A', type_id: 0 } }, { Sequence: { id: 'B', type_id: 1 } }],
      special_tokens: { '<s>': { id: '<s>', ids: [1], tokens: ['<s>'] } },
    },
    decoder: {
      type: 'Sequence',
      decoders: [
        { type: 'Replace', pattern: { String: '▁' }, content: ' ' },
        { type: 'ByteFallback' },
        { type: 'Fuse' },
        { type: 'Strip', content: ' ', start: 1, stop: 0 },
      ],
    },
    model: {
      type: 'BPE',
      unk_token: '<unk>',
      fuse_unk: true,
      byte_fallback: true,
      vocab: Object.fromEntries(pieces.map(({ text }, id) => [text, id])),
      merges,
    },
  };
}

/** The same with the newer Metaspace pre-tokenizer and decoder. */
export function metaspaceJson(): Record<string, unknown> {
  const metaspace = { type: 'Metaspace', replacement: '▁', prepend_scheme: 'first', split: false };
  const decoder = { type: 'Sequence', decoders: [metaspace, { type: 'ByteFallback' }, { type: 'Fuse' }] };
  return { ...llama2Json(), normalizer: null, pre_tokenizer: metaspace, decoder };
}

/** A new directory with these files, for the length of the test file; objects are written as JSON. */
export async function directoryWith(files: Readonly<Record<string, unknown>>): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'aloft-text-'));
  directories.push(directory);
  for (const [name, content] of Object.entries(files)) {
    const isRaw = typeof content === 'string' || content instanceof Uint8Array;
    await mkdir(dirname(join(directory, name)), { recursive: true });
    await writeFile(join(directory, name), isRaw ? content : JSON.stringify(content));
  }
  return directory;
}
