/**
 * Members that ask for something that is not done here, of OpenAI's own interface and of those of vLLM, SGLang and llama.cpp. An
 * answer that ignores them would look right and be wrong, so they are refused by name. Members that change nothing about the
 * text (metadata, store, service_tier, prompt_cache_key, ...) are allowed and have no effect.
 */
import type { JsonObject, JsonValue } from '../json.js';
import { OpenAiRequestError } from './error.js';

interface Unhonoured {
  /** Clause behind "is not supported". */
  readonly why: string;
  /** Values by which a client says that it does not ask for it; null is one always. */
  readonly harmless: readonly JsonValue[];
}

const GUIDED = 'use response_format, structured_outputs or grammar';
const SAMPLER = 'there is no such sampler; leave it out';

const unless = (why: string, ...harmless: JsonValue[]): Unhonoured => ({ why, harmless });

/** Members of both request kinds. */
const OF_BOTH: Readonly<Record<string, Unhonoured>> = {
  // Forms of the answer by other names.
  structural_tag: unless(GUIDED),
  regex: unless(GUIDED, ''),
  ebnf: unless(GUIDED, ''),
  // Sampling that is not done, or by other names.
  use_beam_search: unless('beams are searched by the Triton interface and the Node API only', false),
  length_penalty: unless('it acts on beams only', 1),
  allowed_token_ids: unless('use logit_bias'),
  repeat_penalty: unless('use repetition_penalty', 1),
  logits_processors: unless('there are no processors of clients'),
  custom_logit_processor: unless('there are no processors of clients', ''),
  typical_p: unless(SAMPLER, 1),
  tfs_z: unless(SAMPLER, 1),
  top_n_sigma: unless(SAMPLER, -1, 0),
  xtc_probability: unless(SAMPLER, 0),
  dry_multiplier: unless(SAMPLER, 0),
  dynatemp_range: unless(SAMPLER, 0),
  mirostat: unless(SAMPLER, 0),
  adaptive_target: unless(SAMPLER, -1),
  samplers: unless('the order of the samplers is fixed'),
  // Lengths and outputs by other names.
  n_predict: unless('use max_tokens', -1),
  min_keep: unless('use top_p or min_p alone', 0, 1),
  t_max_predict_ms: unless('close the connection instead', 0),
  n_probs: unless('use logprobs', 0),
  prompt_logprobs: unless('use echo with logprobs in /v1/completions', 0),
  return_tokens_as_token_ids: unless('log probabilities name tokens by their texts and bytes', false),
  return_token_ids: unless('token ids are answered by the Triton interface and the Node API', false),
  return_hidden_states: unless('hidden states are not answered', false),
  // Inputs other than text, and weights other than the model's.
  prompt_embeds: unless('only text and token ids are read'),
  image_data: unless('only text is read', '[]'),
  mm_processor_kwargs: unless('only text is read', '{}'),
  lora: unless('there are no adapters', '[]'),
  lora_path: unless('there are no adapters'),
  lora_request: unless('there are no adapters'),
  kv_transfer_params: unless('the KV cache is not moved between servers'),
};

const OF_CHAT: Readonly<Record<string, Unhonoured>> = {
  functions: unless("use 'tools'", '[]'),
  function_call: unless("use 'tools' and 'tool_choice'", 'none', 'auto'),
  modalities: unless('only text is answered', '["text"]'),
  audio: unless('only text is answered'),
  web_search_options: unless('nothing is looked up'),
  verbosity: unless('say in a message how long the answer should be', 'medium'),
  echo: unless('only /v1/completions echoes', false),
  best_of: unless('only /v1/completions has it', 1),
  add_special_tokens: unless('the chat template writes them', false),
};

const OF_COMPLETIONS: Readonly<Record<string, Unhonoured>> = {
  suffix: unless('the model continues text and does not fill gaps', ''),
};

const OF_RESPONSES: Readonly<Record<string, Unhonoured>> = {
  background: unless('a response is answered while its client waits', false),
  conversation: unless('use previous_response_id'),
  prompt: unless('there are no prompts on the server; use instructions and input'),
  truncation: unless('nothing is left out of the input', 'disabled'),
  top_logprobs: unless('use /v1/chat/completions', 0),
  context_management: unless('nothing is left out of the input', '[]'),
};

/** Tables of each request kind. */
export const UNHONOURED = {
  chat: { ...OF_BOTH, ...OF_CHAT },
  completions: { ...OF_BOTH, ...OF_COMPLETIONS },
  responses: { ...OF_BOTH, ...OF_RESPONSES },
} as const;

export type RequestKind = keyof typeof UNHONOURED;

/** @throws {OpenAiRequestError} that names the first member that asks for what is not done */
export function refuseUnhonoured(kind: RequestKind, json: JsonObject): void {
  for (const [name, { why, harmless }] of Object.entries(UNHONOURED[kind])) {
    const value = json[name];
    if (value === undefined || value === null) continue;
    if (harmless.includes(comparable(value))) continue;
    throw new OpenAiRequestError(name, `'${name}' is not supported: ${why}.`, 'UNSUPPORTED');
  }
}

/** Lists and objects as their JSON. */
const comparable = (value: JsonValue): JsonValue =>
  typeof value === 'object' ? JSON.stringify(value) : value;
