/** Every parameter that a config.pbtxt may have: which have an effect here, and why the others have none. */
import { ENGINE_OPTIONS } from '../../core/engine-option-table.js';
import type { ModelKind } from '../tensors/model-kind.js';

/** Parameters that are read. */
export const HONOURED: Readonly<Record<ModelKind, readonly string[]>> = {
  engine: [
    'gpt_model_path',
    'tokenizer_dir',
    'exclude_input_in_output',
    ...Object.values(ENGINE_OPTIONS).flatMap(({ parameters = [] }) => parameters),
  ],
  preprocessing: ['tokenizer_dir', 'add_special_tokens'],
  postprocessing: ['tokenizer_dir', 'skip_special_tokens'],
  bls: ['tensorrt_llm_model_name'],
  ensemble: [],
};

export interface WithoutEffect {
  readonly why: string;
  /** Values that ask for what happens anyway. */
  readonly settled?: RegExp;
}

const TRUE = /^(true|1)$/i;
const FALSE = /^(false|0|no)$/i;

const SPECULATIVE: WithoutEffect = { why: 'there is no speculative decoding' };
const LORA: WithoutEffect = { why: 'there are no LoRA adapters' };
const STATISTICS: WithoutEffect = { why: 'statistics are kept for every step and are read from the metrics' };
const AT_ONCE: WithoutEffect = {
  why: 'nothing is polled: requests and cancellations take effect within a step',
};
const ENCODER: WithoutEffect = { why: 'there are no encoder-decoder models' };
const PROCESSES: WithoutEffect = { why: 'no worker processes are started for it' };
const WINDOW: WithoutEffect = { why: 'attention always reaches over the whole sequence' };
const KERNELS: WithoutEffect = { why: 'kernels are chosen when the engine is built' };
const IMAGES: WithoutEffect = { why: 'there are no image inputs' };
const FROM_FILES: WithoutEffect = { why: "the tokenizer's files say what it is" };

/** Upstream's parameters that are known and need nothing here. */
export const WITHOUT_EFFECT: Readonly<Record<ModelKind, Readonly<Record<string, WithoutEffect>>>> = {
  engine: {
    FORCE_CPU_ONLY_INPUT_TENSORS: { why: 'inputs are always in host memory', settled: /^yes$/i },
    enable_chunked_context: { why: 'long prompts are always computed in chunks', settled: TRUE },
    normalize_log_probs: {
      why: 'log probabilities are always those of the whole distribution',
      settled: TRUE,
    },
    decoding_mode: { why: "each request's sampling decides how it is decoded" },
    max_queue_size: { why: 'the limit is dynamic_batching.default_queue_policy.max_queue_size' },
    tokenizer_type: FROM_FILES,
    cancellation_check_period_ms: AT_ONCE,
    recv_poll_period_ms: AT_ONCE,
    stats_check_period_ms: STATISTICS,
    iter_stats_max_iterations: STATISTICS,
    request_stats_max_iterations: STATISTICS,
    executor_worker_path: PROCESSES,
    participant_ids: PROCESSES,
    num_nodes: { ...PROCESSES, settled: /^1$/ },
    enable_context_fmha_fp32_acc: { why: 'attention always accumulates in float32', settled: TRUE },
    multi_block_mode: KERNELS,
    cuda_graph_mode: KERNELS,
    cuda_graph_cache_size: KERNELS,
    max_attention_window_size: WINDOW,
    sink_token_length: WINDOW,
    kv_cache_onboard_blocks: { why: 'blocks in host memory are always brought back', settled: TRUE },
    gpu_weights_percent: { why: 'all weights are always on the device', settled: /^1(\.0*)?$/ },
    encoder_model_path: ENCODER,
    cross_kv_cache_fraction: ENCODER,
    lora_cache_optimal_adapter_size: LORA,
    lora_cache_max_adapter_size: LORA,
    lora_cache_gpu_memory_fraction: LORA,
    lora_cache_host_memory_bytes: LORA,
    lora_prefetch_dir: LORA,
    medusa_choices: SPECULATIVE,
    eagle_choices: SPECULATIVE,
    lookahead_window_size: SPECULATIVE,
    lookahead_ngram_size: SPECULATIVE,
    lookahead_verification_set_size: SPECULATIVE,
    speculative_decoding_fast_logits: { ...SPECULATIVE, settled: FALSE },
    guided_decoding_backend: {
      why: 'answers are always held to their guides',
      settled: /^(xgrammar|llguidance)$/,
    },
    xgrammar_tokenizer_info_path: FROM_FILES,
    prompt_embedding_table_dtype: { why: 'there are no prompt embedding tables' },
  },
  preprocessing: {
    tokenizer_type: FROM_FILES,
    gpt_model_path: { why: 'only the tokenizer is read here' },
    engine_dir: { why: 'only the tokenizer is read here' },
    multimodal_model_path: IMAGES,
    max_num_images: IMAGES,
  },
  postprocessing: { tokenizer_type: FROM_FILES },
  bls: {
    accumulate_tokens: { why: 'text is always decoded in its whole context', settled: TRUE },
    tensorrt_llm_draft_model_name: SPECULATIVE,
    multimodal_encoders_name: IMAGES,
  },
  ensemble: {},
};
