/** Tokens that transformers puts before and after every prompt, whatever `tokenizer.json` says. */
import { CHATGLM_ENDS, isChatglm } from './chatglm.js';
import type { SpecialTokens } from './special-tokens.js';
import type { TokenFiles } from './token-files.js';

export interface PromptEnds {
  readonly before: readonly string[];
  readonly after: readonly string[];
}

export function promptEnds(files: TokenFiles, { bos_token: bos, eos_token: eos }: SpecialTokens): PromptEnds {
  if (isChatglm(files)) return { before: CHATGLM_ENDS, after: [] };
  const { settings } = files;
  return {
    before: settings['add_bos_token'] === false || bos === undefined ? [] : [bos],
    after: settings['add_eos_token'] === true && eos !== undefined ? [eos] : [],
  };
}
