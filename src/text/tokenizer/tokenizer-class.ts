/** The class that transformers makes a tokenizer of: it has control tokens of its own, and may put some around a prompt. */
import { isRecord } from './hf-json.js';
import type { SpecialTokens } from './special-tokens.js';

const END_OF_TEXT = '<|endoftext|>';

/** Control tokens where the settings name none, by the class without its `Fast`. */
const DEFAULT_TOKENS: ReadonlyMap<string, SpecialTokens> = new Map<string, SpecialTokens>([
  ['LlamaTokenizer', { bos_token: '<s>', eos_token: '</s>', unk_token: '<unk>' }],
  ['CodeLlamaTokenizer', { bos_token: '<s>', eos_token: '</s>', unk_token: '<unk>' }],
  ['GemmaTokenizer', { bos_token: '<bos>', eos_token: '<eos>', unk_token: '<unk>', pad_token: '<pad>' }],
  [
    'CohereTokenizer',
    { bos_token: '<BOS_TOKEN>', eos_token: '<|END_OF_TURN_TOKEN|>', unk_token: '<UNK>', pad_token: '<PAD>' },
  ],
  ['Qwen2Tokenizer', { eos_token: END_OF_TEXT, pad_token: END_OF_TEXT, unk_token: END_OF_TEXT }],
  ['GPT2Tokenizer', { bos_token: END_OF_TEXT, eos_token: END_OF_TEXT, unk_token: END_OF_TEXT }],
]);

/** Classes that make their post-processor from `add_bos_token` (default true) and `add_eos_token` (default false). */
const WITH_OWN_ENDS = new Set(['LlamaTokenizer', 'CodeLlamaTokenizer', 'GemmaTokenizer', 'CohereTokenizer']);

/** Classes by `model_type` or by the name of the architecture, both without what {@link plainName} leaves out. */
const CLASSES_OF_MODELS: ReadonlyMap<string, string> = new Map([
  ...['llama', 'mistral', 'mixtral', 'phi3'].map((model) => [model, 'LlamaTokenizer'] as const),
  ...['gemma', 'gemma2', 'gemma3', 'gemma3text'].map((model) => [model, 'GemmaTokenizer'] as const),
  ...['qwen2', 'qwen2moe', 'qwen3', 'qwen3moe'].map((model) => [model, 'Qwen2Tokenizer'] as const),
]);

export interface TokenizerClass {
  readonly defaults: SpecialTokens;
  readonly hasOwnEnds: boolean;
}

const NO_CLASS: TokenizerClass = { defaults: {}, hasOwnEnds: false };

/** The class of a name in the settings; one without properties of its own if nothing is known of it. */
export function namedClass(name: unknown): TokenizerClass {
  if (typeof name !== 'string') return NO_CLASS;
  const plain = name.replace(/Fast$/, '');
  return { defaults: DEFAULT_TOKENS.get(plain) ?? {}, hasOwnEnds: WITH_OWN_ENDS.has(plain) };
}

/**
 * The class for a model whose tokenizer has no settings that name one.
 * @param config members of the config.json of a checkpoint or of an engine
 * @param isSpecial whether the vocabulary has a control token of this text; without those of the class it is not of it
 */
export function classOfModel(
  config: Readonly<Record<string, unknown>>,
  isSpecial: (text: string) => boolean,
): TokenizerClass {
  const { aloft } = config;
  const model = isRecord(aloft) ? aloft['architecture'] : config['model_type'];
  const named = config['tokenizer_class'] ?? CLASSES_OF_MODELS.get(plainName(model));
  const found = namedClass(named);
  const { bos_token, eos_token } = found.defaults;
  const isComplete = [bos_token, eos_token].every((text) => text === undefined || isSpecial(text));
  return isComplete ? found : NO_CLASS;
}

function plainName(model: unknown): string {
  return typeof model === 'string'
    ? model
        .replace(/ForCausalLM$/, '')
        .replaceAll('_', '')
        .toLowerCase()
    : '';
}
