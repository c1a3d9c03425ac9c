/** Opens the tokenizer of a checkpoint or engine directory. */
import { join } from 'node:path';
import { Tokenizer as LibraryTokenizer } from 'tokenizers';
import { AloftError } from '../../core/errors.js';
import { readFileIfPresent, readJsonIfPresent } from './files.js';
import { type HfTokenizerJson, invalid, parseTokenizerJson } from './hf-json.js';
import { readSentencePieceModel, type SentencePieceModel } from './sentencepiece.js';
import { sentencePieceToHf } from './sentencepiece-to-hf.js';
import { readSpecialTokens, type SpecialTokens } from './special-tokens.js';
import { buildTokenTable } from './token-table.js';
import { Tokenizer } from './tokenizer.js';

/** A tokenizer in the library's form, wherever it came from. */
interface Source {
  readonly path: string;
  readonly json: HfTokenizerJson;
  /** `json` as text. */
  readonly text: string;
  /** Control tokens that the file itself names. */
  readonly specialTokens: SpecialTokens;
}

/**
 * Reads `tokenizer.json`, else the SentencePiece model `tokenizer.model`, with the special tokens of
 * `tokenizer_config.json` or `special_tokens_map.json` beside it.
 * @throws {AloftError} TOKENIZER_NOT_FOUND, TOKENIZER_INVALID
 */
export async function loadTokenizer(directory: string): Promise<Tokenizer> {
  const source = (await readTokenizerJson(directory)) ?? (await readTokenizerModel(directory));
  if (!source)
    throw new AloftError(
      'TOKENIZER_NOT_FOUND',
      `No tokenizer.json or tokenizer.model in ${directory}; copy it there from the checkpoint, or name the directory that has it (tokenizer_dir).`,
    );
  const library = openLibrary(source);
  const table = buildTokenTable(source.json, library.getVocab(true), source.path);
  const specialTokens = await readSpecialTokens(directory, source.specialTokens);
  return new Tokenizer({ library, table, specialTokens });
}

async function readTokenizerJson(directory: string): Promise<Source | undefined> {
  const path = join(directory, 'tokenizer.json');
  const text = (await readFileIfPresent(path))?.toString('utf8');
  if (text === undefined) return undefined;
  return { path, text, json: parseTokenizerJson(text, path), specialTokens: {} };
}

async function readTokenizerModel(directory: string): Promise<Source | undefined> {
  const path = join(directory, 'tokenizer.model');
  const bytes = await readFileIfPresent(path);
  if (!bytes) return undefined;
  const model = readSentencePieceModel(bytes, path);
  const config = await readJsonIfPresent(directory, 'tokenizer_config.json');
  const ends = { addsBos: config['add_bos_token'] !== false, addsEos: config['add_eos_token'] === true };
  // Through its text, so that it passes the same checks as a published tokenizer.json.
  const text = JSON.stringify(sentencePieceToHf(model, ends, path));
  return { path, text, json: parseTokenizerJson(text, path), specialTokens: namedPieces(model) };
}

function namedPieces(model: SentencePieceModel): SpecialTokens {
  const ids = {
    bos_token: model.bosId,
    eos_token: model.eosId,
    pad_token: model.padId,
    unk_token: model.unkId,
  };
  const named = Object.entries(ids).flatMap(([name, id]) => {
    const piece = model.pieces[id];
    return piece ? [[name, piece.text] as const] : [];
  });
  return Object.fromEntries(named);
}

function openLibrary(source: Source): LibraryTokenizer {
  try {
    const library = LibraryTokenizer.fromString(source.text);
    // Some published files carry the length limits of their training.
    library.disableTruncation();
    library.disablePadding();
    return library;
  } catch (cause) {
    throw invalid(source.path, `is not a tokenizer that can be used (${(cause as Error).message})`, cause);
  }
}
