/** The files beside a vocabulary that say which tokens are special and which come on top, as transformers reads them. */
import { readJsonIfPresent } from './files.js';
import { type AddedToken, isRecord } from './hf-json.js';

/** Special tokens by the names that transformers gives them. */
const SPECIAL_NAMES = [
  'bos_token',
  'eos_token',
  'unk_token',
  'sep_token',
  'pad_token',
  'cls_token',
  'mask_token',
] as const;
const SPECIAL_LISTS = ['additional_special_tokens', 'extra_special_tokens'] as const;

export interface TokenFiles {
  /** Members of `tokenizer_config.json`; those of `special_tokens_map.json` in an older save. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** Tokens of `added_tokens_decoder`, or of `added_tokens.json` in an older save, in ascending order of ids. */
  readonly declared: readonly AddedToken[];
  /** True if `declared` comes from an older save, whose flags are guesses. */
  readonly isOlder: boolean;
}

/**
 * A save of transformers 4.34 or later has everything in `tokenizer_config.json`. In an older one, which lacks
 * `added_tokens_decoder`, the other two files complete it, and `special_tokens_map.json` goes before it.
 * @throws {AloftError} TOKENIZER_INVALID
 */
export async function readTokenFiles(directory: string): Promise<TokenFiles> {
  const config = await readJsonIfPresent(directory, 'tokenizer_config.json');
  const decoder = config['added_tokens_decoder'];
  if (isRecord(decoder)) return { settings: config, declared: decoderTokens(decoder), isOlder: false };
  const map = await readJsonIfPresent(directory, 'special_tokens_map.json');
  const settings = { ...config, ...map };
  const added = await readJsonIfPresent(directory, 'added_tokens.json');
  return { settings, declared: listedTokens(added, new Set(specialTexts(settings))), isOlder: true };
}

function decoderTokens(decoder: Readonly<Record<string, unknown>>): AddedToken[] {
  return Object.entries(decoder)
    .flatMap(([id, entry]) => {
      const content = tokenText(entry);
      return content === undefined || !isRecord(entry)
        ? []
        : [{ ...flagsOf(entry), id: Number(id), content }];
    })
    .toSorted((a, b) => a.id - b.id);
}

function flagsOf(entry: Readonly<Record<string, unknown>>) {
  const isOn = (name: string) => entry[name] === true;
  const special = isOn('special');
  const normalized = typeof entry['normalized'] === 'boolean' ? entry['normalized'] : !special;
  return {
    special,
    single_word: isOn('single_word'),
    lstrip: isOn('lstrip'),
    rstrip: isOn('rstrip'),
    normalized,
  };
}

function listedTokens(added: Readonly<Record<string, unknown>>, specials: ReadonlySet<string>): AddedToken[] {
  return Object.entries(added)
    .flatMap(([content, id]) =>
      typeof id === 'number' ? [{ ...plainToken(content, specials.has(content)), id }] : [],
    )
    .toSorted((a, b) => a.id - b.id);
}

/** A token of which only the text is known. */
export function plainToken(content: string, special: boolean): Omit<AddedToken, 'id'> {
  return { content, special, single_word: false, lstrip: false, rstrip: false, normalized: !special };
}

/** Texts of all special tokens that the settings name. */
export function specialTexts(settings: TokenFiles['settings']): string[] {
  const named = SPECIAL_NAMES.map((name) => settings[name]);
  const listed = SPECIAL_LISTS.flatMap((name) => {
    const list = settings[name];
    return Array.isArray(list) ? (list as unknown[]) : Object.values(isRecord(list) ? list : {});
  });
  const texts = [...named, ...listed].flatMap((entry) => tokenText(entry) ?? []);
  return [...new Set(texts)];
}

/** The files write a token as its text or as an object with its text in `content`; an empty text is none. */
export function tokenText(entry: unknown): string | undefined {
  const text = isRecord(entry) ? entry['content'] : entry;
  return typeof text === 'string' && text !== '' ? text : undefined;
}
