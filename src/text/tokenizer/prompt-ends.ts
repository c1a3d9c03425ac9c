/** Tokens that transformers puts before and after every prompt, whatever `tokenizer.json` says. */
import { CHATGLM_ENDS, isChatglm } from './chatglm.js';
import type { SpecialTokens } from './special-tokens.js';
import type { TokenFiles } from './token-files.js';

export interface PromptEnds {
  readonly before: readonly string[];
  readonly after: readonly string[];
}

/** Classes that make their post-processor from `add_bos_token` (default true) and `add_eos_token` (default false). */
const OWN_ENDS = /^(?:Llama|CodeLlama|Gemma|Cohere)Tokenizer(?:Fast)?$/;

/** Control tokens of a class of LLaMA where the settings name none. */
const LLAMA_CLASS = /^(?:Llama|CodeLlama)Tokenizer(?:Fast)?$/;
const LLAMA_TOKENS: SpecialTokens = { bos_token: '<s>', eos_token: '</s>', unk_token: '<unk>' };

function className({ settings }: TokenFiles): string {
  const name = settings['tokenizer_class'];
  return typeof name === 'string' ? name : '';
}

/** Tokens that the class of a tokenizer has by default. */
export function defaultTokens(files: TokenFiles): SpecialTokens {
  return LLAMA_CLASS.test(className(files)) ? LLAMA_TOKENS : {};
}

/** True if the tokens around a prompt come from the settings; otherwise the post-processor of `tokenizer.json` adds them. */
export function hasOwnEnds(files: TokenFiles): boolean {
  return OWN_ENDS.test(className(files)) || isChatglm(files);
}

export function promptEnds(files: TokenFiles, { bos_token: bos, eos_token: eos }: SpecialTokens): PromptEnds {
  if (isChatglm(files)) return { before: CHATGLM_ENDS, after: [] };
  const { settings } = files;
  return {
    before: settings['add_bos_token'] === false || bos === undefined ? [] : [bos],
    after: settings['add_eos_token'] === true && eos !== undefined ? [eos] : [],
  };
}
