/** The named control tokens of a tokenizer, by their text. */
import { type TokenFiles, tokenText } from './token-files.js';

const NAMES = ['bos_token', 'eos_token', 'pad_token', 'unk_token'] as const;

type SpecialTokenName = (typeof NAMES)[number];
export type SpecialTokens = Readonly<Partial<Record<SpecialTokenName, string>>>;

/** Those that the settings name, else those of `fallback`. A member that is null says that there is none. */
export function namedTokens({ settings }: TokenFiles, fallback: SpecialTokens): SpecialTokens {
  const found: Partial<Record<SpecialTokenName, string>> = {};
  for (const name of NAMES) {
    const text = settings[name] === null ? undefined : (tokenText(settings[name]) ?? fallback[name]);
    if (text !== undefined) found[name] = text;
  }
  return found;
}
