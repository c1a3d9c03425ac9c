/** Rewrites a SentencePiece model as the `tokenizer.json` that gives the same token ids. */
import { AloftError } from '../../core/errors.js';
import type { AddedToken, Component, HfTokenizerJson } from './hf-json.js';
import { PIECE_TYPE, type SentencePieceModel } from './sentencepiece.js';

const MARK = '▁';
const UNIGRAM = 1;
const BPE = 2;

/** Members of `tokenizer_config.json` about the start and end of a prompt. */
export interface PromptEnds {
  readonly addsBos: boolean;
  readonly addsEos: boolean;
}

/** @throws {AloftError} TOKENIZER_INVALID for a model that is neither BPE nor unigram. */
export function sentencePieceToHf(
  model: SentencePieceModel,
  ends: PromptEnds,
  path: string,
): HfTokenizerJson {
  return {
    added_tokens: addedTokens(model),
    normalizer: normalizer(model),
    pre_tokenizer: userPieces(model),
    post_processor: postProcessor(model, ends),
    decoder: decoder(model),
    model: hfModel(model, path),
  };
}

/** Control pieces, which text never holds; the library still finds them in it, as chat templates want. */
function addedTokens(model: SentencePieceModel): AddedToken[] {
  const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false };
  return model.pieces.flatMap(({ text, type }, id) =>
    type === PIECE_TYPE.CONTROL || type === PIECE_TYPE.UNKNOWN
      ? [{ id, content: text, special: true, ...flags }]
      : [],
  );
}

/**
 * Normalises the text, then writes spaces as marks behind the dummy prefix. The prefix comes from the normaliser, not from
 * `Metaspace`, which leaves it out when the text itself starts with a space.
 */
function normalizer(model: SentencePieceModel): Component {
  const normalizers: Component[] = [];
  if (model.charsmap.length > 0) {
    const precompiled_charsmap = Buffer.from(model.charsmap).toString('base64');
    normalizers.push({ type: 'Precompiled', precompiled_charsmap });
  }
  if (model.removesExtraSpaces) {
    normalizers.push({ type: 'Replace', pattern: { Regex: String.raw`\A +| +\z` }, content: '' });
    normalizers.push({ type: 'Replace', pattern: { Regex: ' {2,}' }, content: ' ' });
  }
  if (model.hasDummyPrefix) normalizers.push({ type: 'Prepend', prepend: MARK });
  normalizers.push({ type: 'Replace', pattern: { String: ' ' }, content: MARK });
  return { type: 'Sequence', normalizers };
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

function postProcessor(model: SentencePieceModel, ends: PromptEnds): Component | null {
  const bos = ends.addsBos ? model.pieces[model.bosId] : undefined;
  const eos = ends.addsEos ? model.pieces[model.eosId] : undefined;
  if (!bos && !eos) return null;
  const special = (text: string) => ({ SpecialToken: { id: text, type_id: 0 } });
  const around = (id: 'A' | 'B') => [
    ...(bos ? [special(bos.text)] : []),
    { Sequence: { id, type_id: 0 } },
    ...(eos ? [special(eos.text)] : []),
  ];
  const known = [
    ...(bos ? [[bos.text, model.bosId] as const] : []),
    ...(eos ? [[eos.text, model.eosId] as const] : []),
  ];
  return {
    type: 'TemplateProcessing',
    single: around('A'),
    pair: [...around('A'), ...around('B')],
    special_tokens: Object.fromEntries(
      known.map(([text, id]) => [text, { id: text, ids: [id], tokens: [text] }]),
    ),
  };
}

function decoder(model: SentencePieceModel): Component {
  const decoders: Component[] = [{ type: 'Replace', pattern: { String: MARK }, content: ' ' }];
  if (model.hasByteFallback) decoders.push({ type: 'ByteFallback' });
  decoders.push({ type: 'Fuse' });
  if (model.hasDummyPrefix) decoders.push({ type: 'Strip', content: ' ', start: 1, stop: 0 });
  return { type: 'Sequence', decoders };
}

function hfModel(model: SentencePieceModel, path: string): Component {
  const byte_fallback = model.hasByteFallback;
  if (model.modelType === UNIGRAM) {
    const vocab = model.pieces.map(({ text, score }) => [text, score]);
    return { type: 'Unigram', unk_id: model.unkId, vocab, byte_fallback };
  }
  if (model.modelType === BPE) {
    const unk_token = model.pieces[model.unkId]?.text ?? null;
    const vocab = Object.fromEntries(model.pieces.map(({ text }, id) => [text, id]));
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
