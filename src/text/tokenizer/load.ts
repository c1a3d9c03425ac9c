/** Opens the tokenizer of a checkpoint or engine directory. */
import { join } from 'node:path';
import { AloftError } from '../../core/errors.js';
import { isChatglm, withChatglmTokens } from './chatglm.js';
import { readFileIfPresent, readJsonIfPresent, readTextIfPresent } from './files.js';
import { type AddedToken, type HfTokenizerJson, parseTokenizerJson } from './hf-json.js';
import { TokenizerLibrary } from './library.js';
import { tryPatterns } from './pattern-trial.js';
import { promptEnds } from './prompt-ends.js';
import { readSentencePieceModel, type SentencePieceModel } from './sentencepiece.js';
import { sentencePieceToHf } from './sentencepiece-to-hf.js';
import { namedTokens, type SpecialTokens } from './special-tokens.js';
import { plainToken, readTokenFiles, specialTexts, type TokenFiles } from './token-files.js';
import { buildTokenTable } from './token-table.js';
import { classOfModel, namedClass, type TokenizerClass } from './tokenizer-class.js';
import { Tokenizer } from './tokenizer.js';

/** A tokenizer in the library's form, wherever it came from. */
interface Source {
  readonly path: string;
  readonly json: HfTokenizerJson;
  /** `json` as text. */
  readonly text: string;
  /** Control tokens that the file itself names. */
  readonly specialTokens: SpecialTokens;
  /** The files beside it, with the tokens that the tokenizer's class adds. */
  readonly files: TokenFiles;
  /** True if the settings decide which tokens stand around a prompt. */
  readonly hasOwnEnds: boolean;
}

/**
 * Makes the tokenizer that transformers makes of the same files: `tokenizer.json`, else the SentencePiece model
 * `tokenizer.model`, completed by `tokenizer_config.json`, `special_tokens_map.json` and `added_tokens.json`; `config.json`
 * decides where those name no class.
 * @throws {AloftError} TOKENIZER_NOT_FOUND, TOKENIZER_INVALID, FILE_UNREADABLE
 */
export async function loadTokenizer(directory: string): Promise<Tokenizer> {
  const files = await readTokenFiles(directory);
  const source = (await readTokenizerJson(directory, files)) ?? (await readTokenizerModel(directory, files));
  if (!source)
    throw new AloftError(
      'TOKENIZER_NOT_FOUND',
      `No tokenizer.json or tokenizer.model in ${directory}; copy it there from the checkpoint, or name the directory that has it (tokenizer_dir).`,
    );
  const specialTokens = namedTokens(files, source.specialTokens);
  await tryPatterns(source.json, source.path);
  const library = TokenizerLibrary.open(source.text, source.path);
  const extra = extraTokens(source.files, source.json.added_tokens);
  library.add(extra);
  if (source.hasOwnEnds) library.setEnds(promptEnds(files, specialTokens));
  const json = { ...source.json, added_tokens: [...source.json.added_tokens, ...extra] };
  return new Tokenizer({
    library,
    specialTokens,
    table: buildTokenTable(json, library.vocabulary(), source.path),
  });
}

/** Tokens that the file of the vocabulary lacks, or has with other flags. */
function extraTokens(
  { settings, declared, isOlder }: TokenFiles,
  known: readonly AddedToken[],
): Omit<AddedToken, 'id'>[] {
  // An older save guesses at its tokens; the tokenizer's own file knows them.
  const knownIds = new Set(isOlder ? known.map(({ id }) => id) : []);
  const added = declared.filter(({ id }) => !knownIds.has(id));
  const present = new Set([...known, ...added].map(({ content }) => content));
  const specials = new Set(specialTexts(settings));
  const missing = [...specials].filter((text) => !present.has(text)).map((text) => plainToken(text, true));
  return [
    ...added.map((token) => ({ ...token, special: token.special || specials.has(token.content) })),
    ...missing,
  ];
}

async function readTokenizerJson(directory: string, files: TokenFiles): Promise<Source | undefined> {
  const path = join(directory, 'tokenizer.json');
  const text = await readTextIfPresent(path);
  if (text === undefined) return undefined;
  const json = parseTokenizerJson(text, path);
  const { defaults, hasOwnEnds } = await tokenizerClass(directory, files, json);
  return { path, text, json, files, specialTokens: defaults, hasOwnEnds: hasOwnEnds || isChatglm(files) };
}

/** The class that the settings name, else that of the model. */
async function tokenizerClass(
  directory: string,
  { settings }: TokenFiles,
  { added_tokens }: HfTokenizerJson,
): Promise<TokenizerClass> {
  const name = settings['tokenizer_class'];
  if (name !== undefined) return namedClass(name);
  const special = new Set(added_tokens.flatMap((token) => (token.special ? [token.content] : [])));
  return classOfModel(await readJsonIfPresent(directory, 'config.json'), (text) => special.has(text));
}

async function readTokenizerModel(directory: string, files: TokenFiles): Promise<Source | undefined> {
  const path = join(directory, 'tokenizer.model');
  const bytes = await readFileIfPresent(path);
  if (!bytes) return undefined;
  const model = readSentencePieceModel(bytes, path);
  const completed = withChatglmTokens(files, model.pieces.length);
  // Through its text, so that it passes the same checks as a published tokenizer.json.
  const text = JSON.stringify(sentencePieceToHf(model, completed, path));
  return {
    path,
    text,
    json: parseTokenizerJson(text, path),
    files: completed,
    specialTokens: namedPieces(model),
    hasOwnEnds: true,
  };
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
