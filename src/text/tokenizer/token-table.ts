/** Bytes of each token id: all that decoding needs, without a call into the tokenizer library. */
import { AloftError } from '../../core/errors.js';
import { byteLevelDecoder } from './byte-level.js';
import {
  type AddedToken,
  type Component,
  type HfTokenizerJson,
  isRecord,
  stages,
  stringField,
} from './hf-json.js';

/** Difference between the very start of a text and the sum of its tokens. */
type LeadingSpaceRule =
  /** The first `count` spaces of the text are dropped (`Strip`); usually 1, the dummy prefix of SentencePiece. */
  | { readonly type: 'strip'; readonly count: number }
  /** The first token has other bytes than elsewhere: without its word-start marks (`Metaspace`). */
  | { readonly type: 'first-token'; readonly bytes: (tokenId: number) => Uint8Array };

/**
 * Token id -> bytes. Concatenated bytes, decoded as UTF-8, are the text; see {@link LeadingSpaceRule} for its start.
 * Ids without an entry (padding of the embedding table) have no bytes.
 */
export interface TokenTable {
  readonly tokenCount: number;
  /** Bytes of the longest token. */
  readonly longestTokenBytes: number;
  /** [sum of lengths] */
  readonly bytes: Uint8Array;
  /** [tokenCount + 1] start of each token in `bytes`. */
  readonly offsets: Uint32Array;
  /** [tokenCount] 1 for control tokens such as `<s>`, which plain text leaves out. */
  readonly special: Uint8Array;
  /** Ids and texts of the control tokens. */
  readonly specialTexts: ReadonlyMap<number, string>;
  readonly leadingSpace: LeadingSpaceRule;
  /** The text of a token whose bytes are whole characters; undefined for others, which only make text together. */
  wholeText(tokenId: number): string | undefined;
}

/** The bytes of one token; a view. */
export function tokenBytes(table: TokenTable, id: number): Uint8Array {
  if (!(id >= 0 && id < table.tokenCount)) return table.bytes.subarray(0, 0);
  return table.bytes.subarray(table.offsets[id], table.offsets[id + 1]);
}

/**
 * Builds the table from the `decoder` section of a tokenizer.json.
 * @param json its added tokens may be without ids; the last of equal ones counts
 * @param vocabulary token text -> id, added tokens included.
 * @throws {AloftError} TOKENIZER_INVALID for a decoder that is not made of byte-level, Metaspace or byte-fallback stages.
 */
export function buildTokenTable(
  json: Pick<HfTokenizerJson, 'decoder'> & { readonly added_tokens: readonly Omit<AddedToken, 'id'>[] },
  vocabulary: Readonly<Record<string, number>>,
  path: string,
): TokenTable {
  const decoder = readDecoder(json.decoder, path);
  const entries = Object.entries(vocabulary);
  const tokenCount = entries.reduce((most, [, id]) => Math.max(most, id + 1), 0);
  if (tokenCount > MAX_TOKEN_ID + 1) throw tooManyIds(tokenCount, path);
  const tokens = Array.from({ length: tokenCount }, () => '');
  for (const [token, id] of entries) tokens[id] = token;
  const special = new Uint8Array(tokenCount);
  for (const { content, special: isSpecial } of json.added_tokens) {
    const id = vocabulary[content];
    if (id === undefined) continue;
    // Where a piece of the vocabulary has the same id, the added token is the one that the model was trained with.
    tokens[id] = content;
    special[id] = isSpecial ? 1 : 0;
  }
  const { toBytes, firstToBytes, spacesToStrip } = decoder;
  const leadingSpace: LeadingSpaceRule = firstToBytes
    ? { type: 'first-token', bytes: (id) => firstToBytes(tokens[id] ?? '') }
    : { type: 'strip', count: spacesToStrip };
  const { bytes, offsets } = concatenate(tokens.map(toBytes));
  const longestTokenBytes = offsets.reduce((most, end, i) => Math.max(most, end - (offsets[i - 1] ?? 0)), 1);
  const wholeText = wholeTexts(bytes, offsets);
  const specialTexts = new Map(tokens.flatMap((text, id) => (special[id] === 1 ? [[id, text]] : [])));
  return {
    tokenCount,
    longestTokenBytes,
    bytes,
    offsets,
    special,
    specialTexts,
    leadingSpace,
    wholeText,
  };
}

/** The largest vocabularies have less than a twentieth of it; the table has an entry for every id up to the highest. */
const MAX_TOKEN_ID = 2 ** 22;

function tooManyIds(count: number, path: string): AloftError {
  const message = `${path} has a token of id ${count - 1}, but ids are at most ${MAX_TOKEN_ID}; correct the file.`;
  return new AloftError('TOKENIZER_INVALID', message);
}

/** Texts are made when they are first asked for: a vocabulary has far more tokens than an answer. */
function wholeTexts(bytes: Uint8Array, offsets: Uint32Array): TokenTable['wholeText'] {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true, fatal: true });
  const known = new Map<number, string | null>();
  const decode = (tokenId: number): string | null => {
    try {
      return decoder.decode(bytes.subarray(offsets[tokenId], offsets[tokenId + 1]));
    } catch {
      return null; // how TextDecoder says that the bytes are not whole characters
    }
  };
  return (tokenId) => {
    let text = known.get(tokenId);
    if (text === undefined) known.set(tokenId, (text = decode(tokenId)));
    return text ?? undefined;
  };
}

function concatenate(parts: readonly Uint8Array[]): Pick<TokenTable, 'bytes' | 'offsets'> {
  const offsets = new Uint32Array(parts.length + 1);
  for (const [i, part] of parts.entries()) offsets[i + 1] = offsets[i]! + part.length;
  const bytes = new Uint8Array(offsets[parts.length]!);
  for (const [i, part] of parts.entries()) bytes.set(part, offsets[i]);
  return { bytes, offsets };
}

type ToBytes = (token: string) => Uint8Array;

interface Decoder {
  readonly toBytes: ToBytes;
  /** Set when the first token of a text is decoded differently. */
  readonly firstToBytes: ToBytes | undefined;
  readonly spacesToStrip: number;
}

type Replacement = readonly [mark: string, by: string];

/** Reads the stages of a decoder into one function per token plus a rule for the start of the text. */
function readDecoder(component: Component | null, path: string): Decoder {
  const steps = stages(component);
  if (steps.length === 0) throw unsupported(path, 'none');
  if (steps.length === 1 && steps[0]!.type === 'ByteLevel')
    return { toBytes: byteLevelDecoder(), firstToBytes: undefined, spacesToStrip: 0 };
  const types = steps.map((step) => step.type);
  const bytes = types.includes('ByteFallback');
  const replacements = steps.flatMap((step) => readReplacement(step, path, ' '));
  const firsts = steps.flatMap((step) => readReplacement(step, path, dropsFirstMarks(step) ? '' : ' '));
  const spacesToStrip = readStrip(steps, path);
  return {
    toBytes: textToBytes(replacements, bytes),
    firstToBytes: steps.some(dropsFirstMarks) ? textToBytes(firsts, bytes) : undefined,
    spacesToStrip,
  };
}

function textToBytes(replacements: readonly Replacement[], hasByteFallback: boolean): ToBytes {
  const encoder = new TextEncoder();
  return (token) => {
    const byte = hasByteFallback ? /^<0x([0-9A-Fa-f]{2})>$/.exec(token)?.[1] : undefined;
    if (byte !== undefined) return Uint8Array.of(Number.parseInt(byte, 16));
    return encoder.encode(replacements.reduce((text, [mark, by]) => text.replaceAll(mark, by), token));
  };
}

const dropsFirstMarks = (step: Component): boolean =>
  step.type === 'Metaspace' && step['prepend_scheme'] !== 'never' && step['add_prefix_space'] !== false;

/** @param markText what a Metaspace mark turns into. */
function readReplacement(step: Component, path: string, markText: string): Replacement[] {
  switch (step.type) {
    case 'Metaspace':
      return [[stringField(step, 'replacement', '▁'), markText]];
    case 'Replace': {
      const pattern = step['pattern'];
      if (isRecord(pattern) && typeof pattern['String'] === 'string')
        return [[pattern['String'], stringField(step, 'content', '')]];
      throw unsupported(path, 'Replace with a regular expression');
    }
    case 'ByteFallback':
    case 'Fuse':
    case 'Strip':
      return [];
    default:
      throw unsupported(path, step.type);
  }
}

/** `Strip` means the start of the text only behind `Fuse`; before it, it would strip every token. */
function readStrip(steps: readonly Component[], path: string): number {
  const index = steps.findIndex((step) => step.type === 'Strip');
  const strip = steps[index];
  if (!strip) return 0;
  const isFused = steps.slice(0, index).some((step) => step.type === 'Fuse');
  if (strip['content'] !== ' ' || strip['stop'] !== 0 || typeof strip['start'] !== 'number' || !isFused)
    throw unsupported(path, 'Strip of other than leading spaces');
  return strip['start'];
}

function unsupported(path: string, decoder: string): AloftError {
  return new AloftError(
    'TOKENIZER_INVALID',
    `${path} has a decoder that is not supported (${decoder}); use a byte-level, Metaspace or byte-fallback tokenizer.`,
  );
}
