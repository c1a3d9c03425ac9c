/**
 * Meanings of the tensors of tensorrtllm_backend's models. Several names and generations of names have one meaning:
 * the request mapping works on meanings ("fields"), so that any ensemble that only renames tensors can be served.
 */
import { SAMPLING_FIELD_NAMES, samplingField, type SamplingFieldName } from '../../core/sampling-fields.js';
import type { ModelKind } from './model-kind.js';

export type RequestField =
  | SamplingFieldName
  | 'text'
  | 'tokenIds'
  | 'tokenCount'
  | 'maxTokens'
  | 'endId'
  | 'padId'
  | 'lengthPenalty'
  | 'seed'
  | 'beamWidth'
  | 'earlyStopping'
  | 'sequenceCount'
  | 'streaming'
  | 'cancel'
  | 'badWords'
  | 'stopWords'
  | 'badTokenLists'
  | 'stopTokenLists'
  | 'excludeInput'
  | 'returnLogProbs'
  | 'returnContextLogits'
  | 'returnGenerationLogits'
  | 'returnPerfMetrics'
  | 'returnInputTokenCount'
  | 'returnOutputTokenCount'
  | 'returnFinishReason'
  | 'embeddingBias'
  /** Numbers of an embedding. */
  | 'dimensions'
  | 'guideType'
  | 'guide'
  /** Input of an encoder-decoder model, which preprocessing always makes: without effect. */
  | 'decoderInput'
  /** Declared by upstream's models, not supported here: refused when sent. */
  | 'unsupported';

export type ResponseField =
  | 'text'
  | 'tokenIds'
  | 'sequenceLengths'
  | 'cumulativeLogprobs'
  | 'outputLogprobs'
  | 'contextLogits'
  | 'generationLogits'
  | 'embedding'
  | 'batchIndex'
  | 'sequenceIndex'
  | 'arrivalNs'
  | 'firstScheduledNs'
  | 'firstTokenNs'
  | 'lastTokenNs'
  | 'takenBlocks'
  | 'freshBlocks'
  | 'reusedBlocks'
  | 'inputTokenCount'
  | 'outputTokenCount'
  | 'finishReason'
  /** Counts of speculative decoding, which there is none of: 0. */
  | 'draftCount'
  /** Declared by upstream's models, not produced here. */
  | 'absent';

type Names<Field> = Readonly<Record<string, Field>>;

function samplingInputs(level: 'text' | 'engine'): Names<RequestField> {
  const names = SAMPLING_FIELD_NAMES.flatMap((field) => {
    const { tensor } = samplingField(field);
    return [tensor[level], ...(tensor.alias === undefined ? [] : [tensor.alias])].map((name) => [
      name,
      field,
    ]);
  });
  return Object.fromEntries(names);
}

/** Names that mean the same in text-level and token-level models. */
const SHARED_INPUTS: Names<RequestField> = {
  end_id: 'endId',
  pad_id: 'padId',
  random_seed: 'seed',
  seed: 'seed',
  beam_width: 'beamWidth',
  early_stopping: 'earlyStopping',
  num_return_sequences: 'sequenceCount',
  stop: 'cancel',
  exclude_input_in_output: 'excludeInput',
  return_log_probs: 'returnLogProbs',
  return_context_logits: 'returnContextLogits',
  return_generation_logits: 'returnGenerationLogits',
  return_perf_metrics: 'returnPerfMetrics',
  return_num_input_tokens: 'returnInputTokenCount',
  return_num_output_tokens: 'returnOutputTokenCount',
  return_finish_reason: 'returnFinishReason',
  guided_decoding_guide_type: 'guideType',
  guided_decoding_guide: 'guide',
};

const TEXT_INPUTS: Names<RequestField> = {
  ...SHARED_INPUTS,
  ...samplingInputs('text'),
  text_input: 'text',
  dimensions: 'dimensions',
  max_tokens: 'maxTokens',
  bad_words: 'badWords',
  stop_words: 'stopWords',
  length_penalty: 'lengthPenalty',
  stream: 'streaming',
};

const ENGINE_INPUTS: Names<RequestField> = {
  ...SHARED_INPUTS,
  ...samplingInputs('engine'),
  input_ids: 'tokenIds',
  input_lengths: 'tokenCount',
  request_output_len: 'maxTokens',
  len_penalty: 'lengthPenalty',
  streaming: 'streaming',
  bad_words_list: 'badTokenLists',
  stop_words_list: 'stopTokenLists',
  embedding_bias: 'embeddingBias',
  decoder_input_ids: 'decoderInput',
  decoder_input_lengths: 'decoderInput',
};

const PREPROCESSING_INPUTS: Names<RequestField> = {
  QUERY: 'text',
  REQUEST_OUTPUT_LEN: 'maxTokens',
  BAD_WORDS_DICT: 'badWords',
  STOP_WORDS_DICT: 'stopWords',
  END_ID: 'endId',
  PAD_ID: 'padId',
};

const SHARED_OUTPUTS: Names<ResponseField> = {
  cum_log_probs: 'cumulativeLogprobs',
  output_log_probs: 'outputLogprobs',
  context_logits: 'contextLogits',
  generation_logits: 'generationLogits',
  batch_index: 'batchIndex',
  sequence_index: 'sequenceIndex',
  arrival_time_ns: 'arrivalNs',
  first_scheduled_time_ns: 'firstScheduledNs',
  first_token_time_ns: 'firstTokenNs',
  last_token_time_ns: 'lastTokenNs',
  kv_cache_alloc_total_blocks: 'takenBlocks',
  kv_cache_alloc_new_blocks: 'freshBlocks',
  kv_cache_reused_blocks: 'reusedBlocks',
  acceptance_rate: 'draftCount',
  total_accepted_draft_tokens: 'draftCount',
  total_draft_tokens: 'draftCount',
  num_input_tokens: 'inputTokenCount',
  num_output_tokens: 'outputTokenCount',
  finish_reason: 'finishReason',
};

const INPUTS: Readonly<Record<ModelKind, Names<RequestField>>> = {
  ensemble: TEXT_INPUTS,
  bls: TEXT_INPUTS,
  engine: ENGINE_INPUTS,
  preprocessing: PREPROCESSING_INPUTS,
  postprocessing: {},
};

const OUTPUTS: Readonly<Record<ModelKind, Names<ResponseField>>> = {
  ensemble: {},
  bls: { ...SHARED_OUTPUTS, text_output: 'text', embedding: 'embedding' },
  engine: { ...SHARED_OUTPUTS, output_ids: 'tokenIds', sequence_length: 'sequenceLengths' },
  preprocessing: {},
  postprocessing: { OUTPUT: 'text' },
};

/** Inputs of upstream's models that ask for what is not done here. A request that sends one as a parameter is refused, too. */
const UNSUPPORTED_INPUTS: ReadonlySet<string> = new Set([
  'decoder_text_input',
  'encoder_input_features',
  'draft_input_ids',
  'draft_logits',
  'draft_acceptance_threshold',
  'num_draft_tokens',
  'use_draft_logits',
  'prompt_embedding_table',
  'prompt_table_extra_id',
  'prompt_vocab_size',
  'embedding_bias_words',
  'embedding_bias_weights',
  'lora_task_id',
  'lora_weights',
  'lora_config',
  'image_input',
  'image_bytes_input',
  'image_url_input',
  'video_bytes_input',
  'lookahead_window_size',
  'lookahead_ngram_size',
  'lookahead_verification_set_size',
  'runtime_top_p_min',
  'runtime_top_p_decay',
  'beam_search_diversity_rate',
]);

export function isUnsupportedInput(name: string): boolean {
  return UNSUPPORTED_INPUTS.has(name);
}

/** Members of the Node API's request, or paths in it, that inputs set; undefined where no refusal can be about one. */
const MEMBERS: Readonly<Record<Exclude<RequestField, SamplingFieldName>, string | undefined>> = {
  text: undefined,
  tokenIds: undefined,
  tokenCount: undefined,
  maxTokens: 'maxOutputTokens',
  endId: 'endIds',
  padId: undefined,
  lengthPenalty: 'beam.lengthPenalty',
  seed: 'seed',
  beamWidth: 'beam.width',
  earlyStopping: undefined,
  sequenceCount: 'sequenceCount',
  streaming: undefined,
  cancel: undefined,
  badWords: 'badWords',
  stopWords: 'stop',
  badTokenLists: 'badTokenLists',
  stopTokenLists: 'stopTokenLists',
  excludeInput: undefined,
  returnLogProbs: undefined,
  returnContextLogits: undefined,
  returnGenerationLogits: 'returnGenerationLogits',
  returnPerfMetrics: undefined,
  returnInputTokenCount: undefined,
  returnOutputTokenCount: undefined,
  returnFinishReason: undefined,
  embeddingBias: 'logitBias',
  dimensions: 'embedding.dimensions',
  guideType: undefined,
  guide: 'constraint',
  decoderInput: undefined,
  unsupported: undefined,
};

/** Meanings of inputs with the members that they set. */
export const REQUEST_MEMBERS: readonly (readonly [RequestField, string])[] = [
  ...SAMPLING_FIELD_NAMES.map((name) => [name, name] as const),
  ...Object.entries(MEMBERS).flatMap(([field, member]) =>
    member === undefined ? [] : [[field as keyof typeof MEMBERS, member] as const],
  ),
];

/** The meaning of an input of a model of this kind. */
export function inputField(kind: ModelKind, tensorName: string): RequestField {
  const names = INPUTS[kind];
  return Object.hasOwn(names, tensorName) ? names[tensorName]! : 'unsupported';
}

/** The meaning of an output of a model of this kind. */
export function outputField(kind: ModelKind, tensorName: string): ResponseField {
  const names = OUTPUTS[kind];
  return Object.hasOwn(names, tensorName) ? names[tensorName]! : 'absent';
}

/** Fields that v0.5.0 models declare mandatory and later ones optional; optional for everybody here. */
export const ALWAYS_OPTIONAL: ReadonlySet<RequestField> = new Set(['badWords', 'stopWords']);
