/** Rewrites a SentencePiece model as the `tokenizer.json` that gives the same token ids. */
import { AloftError } from '../../core/errors.js';
import type { AddedToken, Component, HfTokenizerJson } from './hf-json.js';
import { PIECE_TYPE, type SentencePieceModel } from './sentencepiece.js';
import type { TokenFiles } from './token-files.js';

const MARK = '▁';
const UNIGRAM = 1;
const BPE = 2;

/**
 * @param files their tokens have ids of their own, also in place of a piece; their settings say what happens to spaces
 * @throws {AloftError} TOKENIZER_INVALID for a model that is neither BPE nor unigram.
 */
export function sentencePieceToHf(
  model: SentencePieceModel,
  { declared, settings }: Pick<TokenFiles, 'declared' | 'settings'>,
  path: string,
): HfTokenizerJson {
  const hasPrefix = model.hasDummyPrefix && settings['add_prefix_space'] !== false;
  // Since 4.31 transformers can leave the prefix out behind a control token; files say so with `legacy: false`.
  const isAtStartOnly = hasPrefix && settings['legacy'] === false;
  return {
    added_tokens: addedTokens(model, declared),
    normalizer: normalizer(model, hasPrefix && !isAtStartOnly),
    pre_tokenizer: preTokenizer(model, isAtStartOnly),
    post_processor: null,
    decoder: decoder(model, hasPrefix),
    model: hfModel(model, declared, path),
  };
}

/** Control pieces, which text never holds; the library still finds them in it, as chat templates want. */
function addedTokens(model: SentencePieceModel, declared: readonly AddedToken[]): AddedToken[] {
  const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false };
  const control = model.pieces.flatMap(({ text, type }, id) =>
    type === PIECE_TYPE.CONTROL || type === PIECE_TYPE.UNKNOWN
      ? [{ id, content: text, special: true, ...flags }]
      : [],
  );
  return [...new Map([...control, ...declared].map((token) => [token.content, token])).values()];
}

/**
 * Normalises the text, then writes spaces as marks behind the dummy prefix. The prefix comes from the normaliser, not from
 * `Metaspace`, which leaves it out when the text itself starts with a space.
 */
function normalizer(model: SentencePieceModel, hasPrefix: boolean): Component {
  const normalizers: Component[] = [];
  if (model.charsmap.length > 0) {
    const precompiled_charsmap = Buffer.from(model.charsmap).toString('base64');
    normalizers.push({ type: 'Precompiled', precompiled_charsmap });
  }
  if (model.removesExtraSpaces) {
    normalizers.push({ type: 'Replace', pattern: { Regex: String.raw`\A +| +\z` }, content: '' });
    normalizers.push({ type: 'Replace', pattern: { Regex: ' {2,}' }, content: ' ' });
  }
  if (hasPrefix) normalizers.push({ type: 'Prepend', prepend: MARK });
  normalizers.push({ type: 'Replace', pattern: { String: ' ' }, content: MARK });
  return { type: 'Sequence', normalizers };
}

/** @param isPrefixed whether the start of the text, and nothing behind it, gets the dummy prefix here */
function preTokenizer(model: SentencePieceModel, isPrefixed: boolean): Component | null {
  const pieces = userPieces(model);
  if (!isPrefixed) return pieces;
  const prefix = { type: 'Metaspace', replacement: MARK, prepend_scheme: 'first', split: false };
  return pieces === null ? prefix : { type: 'Sequence', pretokenizers: [pieces, prefix] };
}

/** Cuts out the pieces that a user defined, longest first, because nothing may split or join them. */
function userPieces(model: SentencePieceModel): Component | null {
  const texts = model.pieces.flatMap(({ text, type }) => (type === PIECE_TYPE.USER_DEFINED ? [text] : []));
  if (texts.length === 0) return null;
  const escaped = texts
    .toSorted((a, b) => b.length - a.length)
    .map((text) => text.replaceAll(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`));
  return { type: 'Split', pattern: { Regex: escaped.join('|') }, behavior: 'Isolated', invert: false };
}

function decoder(model: SentencePieceModel, hasPrefix: boolean): Component {
  const decoders: Component[] = [{ type: 'Replace', pattern: { String: MARK }, content: ' ' }];
  if (model.hasByteFallback) decoders.push({ type: 'ByteFallback' });
  decoders.push({ type: 'Fuse' });
  if (hasPrefix) decoders.push({ type: 'Strip', content: ' ', start: 1, stop: 0 });
  return { type: 'Sequence', decoders };
}

/** Vocabulary and merges. Declared tokens keep their ids; a unigram model has those behind its pieces from the library. */
function hfModel(model: SentencePieceModel, declared: readonly AddedToken[], path: string): Component {
  const byte_fallback = model.hasByteFallback;
  if (model.modelType === UNIGRAM) {
    const contents = new Map(declared.map(({ id, content }) => [id, content]));
    const vocab = model.pieces.map(({ text, score }, id) => [contents.get(id) ?? text, score]);
    return { type: 'Unigram', unk_id: model.unkId, vocab, byte_fallback };
  }
  if (model.modelType === BPE) {
    const unk_token = model.pieces[model.unkId]?.text ?? null;
    const own = declared.map(({ content, id }) => [content, id] as const);
    const pieces = model.pieces.map(({ text }, id) => [text, id] as const);
    const vocab = Object.fromEntries([...own, ...pieces]);
    // Lets a text that userPieces cut out be looked up whole.
    const ignore_merges = model.pieces.some(({ type }) => type === PIECE_TYPE.USER_DEFINED);
    const flags = { fuse_unk: true, byte_fallback, ignore_merges };
    return { type: 'BPE', unk_token, ...flags, vocab, merges: merges(model) };
  }
  throw new AloftError(
    'TOKENIZER_INVALID',
    `${path} is a SentencePiece model of type ${model.modelType}, but only BPE and unigram are supported; ` +
      'convert it to tokenizer.json with its publisher’s tools.',
  );
}

/**
 * SentencePiece joins the neighbours whose concatenation is the piece of highest score. As a merge list: every split of
 * every piece into two pieces, best piece first; splits of one piece are ordered by the ids of their parts.
 */
function merges(model: SentencePieceModel): [string, string][] {
  const idOf = new Map<string, number>();
  for (const [id, { text, type }] of model.pieces.entries())
    if (type === PIECE_TYPE.NORMAL) idOf.set(text, id);
  const order = [...idOf.values()].toSorted(
    (a, b) => model.pieces[b]!.score - model.pieces[a]!.score || a - b,
  );
  return order.flatMap((id) => splits(model.pieces[id]!.text, idOf));
}

/** All ways to write a piece as two pieces, lowest left id first. */
function splits(text: string, idOf: ReadonlyMap<string, number>): [string, string][] {
  const found: { left: string; right: string; leftId: number }[] = [];
  for (let cut = 1; cut < text.length; cut++) {
    const [left, right] = [text.slice(0, cut), text.slice(cut)];
    const leftId = idOf.get(left);
    if (leftId !== undefined && idOf.has(right)) found.push({ left, right, leftId });
  }
  return found.toSorted((a, b) => a.leftId - b.leftId).map(({ left, right }) => [left, right]);
}
