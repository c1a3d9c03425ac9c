/** Tensors of tensorrtllm_backend's models, for the configurations that `aloft repo create` writes. */
import { SAMPLING_FIELD_NAMES, samplingField } from '../../core/sampling-fields.js';
import type { DataType } from '../../protocol/gen/model_config_pb.js';

export type TemplateTensor = readonly [
  name: string,
  type: keyof typeof DataType,
  dims: readonly number[],
  kind?: 'optional',
];

const optional = (list: readonly (readonly [string, keyof typeof DataType])[]): TemplateTensor[] =>
  list.map(([name, type]) => [name, type, [1], 'optional']);

/** Inputs of the sampling parameters, by the name that models of this level give them. */
const sampling = (level: 'text' | 'engine'): TemplateTensor[] =>
  optional(
    SAMPLING_FIELD_NAMES.map((name) => {
      const { tensor } = samplingField(name);
      return [tensor[level], `TYPE_${tensor.type}`];
    }),
  );

/** Inputs that models of both levels have by the same name. */
const SHARED = optional([
  ['end_id', 'TYPE_INT32'],
  ['pad_id', 'TYPE_INT32'],
  ['random_seed', 'TYPE_UINT64'],
  ['beam_width', 'TYPE_INT32'],
  ['early_stopping', 'TYPE_BOOL'],
  ['num_return_sequences', 'TYPE_INT32'],
  ['exclude_input_in_output', 'TYPE_BOOL'],
  ['return_log_probs', 'TYPE_BOOL'],
  ['return_context_logits', 'TYPE_BOOL'],
  ['return_generation_logits', 'TYPE_BOOL'],
  ['return_perf_metrics', 'TYPE_BOOL'],
  ['return_num_input_tokens', 'TYPE_BOOL'],
  ['return_num_output_tokens', 'TYPE_BOOL'],
  ['return_finish_reason', 'TYPE_BOOL'],
  ['guided_decoding_guide_type', 'TYPE_STRING'],
  ['guided_decoding_guide', 'TYPE_STRING'],
]);

export const TEXT_INPUTS: readonly TemplateTensor[] = [
  ['text_input', 'TYPE_STRING', [-1]],
  ['max_tokens', 'TYPE_INT32', [-1]],
  ['bad_words', 'TYPE_STRING', [-1], 'optional'],
  ['stop_words', 'TYPE_STRING', [-1], 'optional'],
  ...optional([
    ['length_penalty', 'TYPE_FP32'],
    ['stream', 'TYPE_BOOL'],
    ['stop', 'TYPE_BOOL'],
  ]),
  ...sampling('text'),
  ...SHARED,
];

export const ENGINE_INPUTS: readonly TemplateTensor[] = [
  ['input_ids', 'TYPE_INT32', [-1]],
  ['input_lengths', 'TYPE_INT32', [1]],
  ['request_output_len', 'TYPE_INT32', [1]],
  ['bad_words_list', 'TYPE_INT32', [2, -1], 'optional'],
  ['stop_words_list', 'TYPE_INT32', [2, -1], 'optional'],
  ['embedding_bias', 'TYPE_FP32', [-1], 'optional'],
  ['decoder_input_ids', 'TYPE_INT32', [-1], 'optional'],
  ...optional([
    ['len_penalty', 'TYPE_FP32'],
    ['stop', 'TYPE_BOOL'],
    ['streaming', 'TYPE_BOOL'],
  ]),
  ...sampling('engine'),
  ...SHARED,
];

/** Outputs that the engine makes and the text-level models pass on. */
export const PASSED_OUTPUTS: readonly TemplateTensor[] = [
  ['cum_log_probs', 'TYPE_FP32', [-1]],
  ['output_log_probs', 'TYPE_FP32', [-1, -1]],
  ['context_logits', 'TYPE_FP32', [-1, -1]],
  ['generation_logits', 'TYPE_FP32', [-1, -1, -1]],
  ['batch_index', 'TYPE_INT32', [1]],
  ['sequence_index', 'TYPE_INT32', [1]],
  ['kv_cache_alloc_new_blocks', 'TYPE_INT32', [1]],
  ['kv_cache_reused_blocks', 'TYPE_INT32', [1]],
  ['kv_cache_alloc_total_blocks', 'TYPE_INT32', [1]],
  ['acceptance_rate', 'TYPE_FP32', [1]],
  ['total_accepted_draft_tokens', 'TYPE_INT32', [1]],
  ['total_draft_tokens', 'TYPE_INT32', [1]],
  ['arrival_time_ns', 'TYPE_INT64', [1]],
  ['first_scheduled_time_ns', 'TYPE_INT64', [1]],
  ['first_token_time_ns', 'TYPE_INT64', [1]],
  ['last_token_time_ns', 'TYPE_INT64', [1]],
  ['num_input_tokens', 'TYPE_INT32', [1]],
  ['num_output_tokens', 'TYPE_INT32', [1]],
  ['finish_reason', 'TYPE_STRING', [-1]],
];

export const ENGINE_OUTPUTS: readonly TemplateTensor[] = [
  ['output_ids', 'TYPE_INT32', [-1, -1]],
  ['sequence_length', 'TYPE_INT32', [-1]],
  ...PASSED_OUTPUTS,
];

/** The ensemble's names of the engine's inputs where they differ. */
export const ENSEMBLE_NAMES: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    SAMPLING_FIELD_NAMES.map(samplingField).map(({ tensor }) => [tensor.engine, tensor.text]),
  ),
  len_penalty: 'length_penalty',
  streaming: 'stream',
  input_ids: '_INPUT_ID',
  input_lengths: '_REQUEST_INPUT_LEN',
  request_output_len: '_REQUEST_OUTPUT_LEN',
  bad_words_list: '_BAD_WORDS_IDS',
  stop_words_list: '_STOP_WORDS_IDS',
};
