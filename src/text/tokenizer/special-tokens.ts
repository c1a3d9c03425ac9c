/** The named control tokens of a tokenizer, by their text. */
import { isRecord } from './hf-json.js';
import { readJsonIfPresent } from './files.js';

const NAMES = ['bos_token', 'eos_token', 'pad_token', 'unk_token'] as const;

type SpecialTokenName = (typeof NAMES)[number];
export type SpecialTokens = Readonly<Partial<Record<SpecialTokenName, string>>>;

/** From `tokenizer_config.json`, else `special_tokens_map.json`, else `fallback`. */
export async function readSpecialTokens(directory: string, fallback: SpecialTokens): Promise<SpecialTokens> {
  const config = await readJsonIfPresent(directory, 'tokenizer_config.json');
  const map = await readJsonIfPresent(directory, 'special_tokens_map.json');
  const found: Partial<Record<SpecialTokenName, string>> = {};
  for (const name of NAMES) {
    const text = tokenText(config[name]) ?? tokenText(map[name]) ?? fallback[name];
    if (text !== undefined) found[name] = text;
  }
  return found;
}

/** Both files write a token as its text or as an object with its text in `content`. */
function tokenText(entry: unknown): string | undefined {
  const text = isRecord(entry) ? entry['content'] : entry;
  return typeof text === 'string' ? text : undefined;
}
