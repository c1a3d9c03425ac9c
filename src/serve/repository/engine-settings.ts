/** config.pbtxt of an engine model -> how to load its engine. Names, values and defaults are tensorrtllm_backend's. */
import { existsSync } from 'node:fs';
import { isAbsolute, join, relative, resolve } from 'node:path';
import type { BatchingStrategy, EngineSettings, SchedulerPolicy } from '../loader.js';
import type { ConfigFile } from './config-file.js';
import type { Finding } from './finding.js';
import { ParameterReader } from './parameters.js';

const STRATEGIES: Readonly<Record<string, BatchingStrategy>> = {
  V1: 'static',
  v1: 'static',
  inflight_batching: 'inflight',
  inflight_fused_batching: 'inflight_fused',
};

const POLICIES: Readonly<Record<string, SchedulerPolicy>> = {
  guaranteed_no_evict: 'guaranteed_no_evict',
  max_utilization: 'max_utilization',
};

/** Parameters with an effect here. */
const HONOURED = [
  'gpt_model_type',
  'batching_strategy',
  'gpt_model_path',
  'tokenizer_dir',
  'batch_scheduler_policy',
  'max_tokens_in_paged_kv_cache',
  'kv_cache_free_gpu_mem_fraction',
  'kv_cache_host_memory_bytes',
  'max_num_sequences',
  'max_beam_width',
  'enable_kv_cache_reuse',
  'enable_chunked_context',
  'exclude_input_in_output',
  'gpu_device_ids',
];

/** Upstream's parameters that are accepted and need nothing here. */
const ACCEPTED = [
  'FORCE_CPU_ONLY_INPUT_TENSORS',
  'enable_trt_overlap',
  'cancellation_check_period_ms',
  'stats_check_period_ms',
  'recv_poll_period_ms',
  'iter_stats_max_iterations',
  'request_stats_max_iterations',
  'normalize_log_probs',
  'executor_worker_path',
  'decoding_mode',
  'max_queue_size',
  'tokenizer_type',
  'enable_context_fmha_fp32_acc',
  'multi_block_mode',
  'cuda_graph_mode',
  'cuda_graph_cache_size',
  'max_attention_window_size',
  'sink_token_length',
  'kv_cache_onboard_blocks',
  'gpu_weights_percent',
  'participant_ids',
  'num_nodes',
  'encoder_model_path',
  'cross_kv_cache_fraction',
  'lora_cache_optimal_adapter_size',
  'lora_cache_max_adapter_size',
  'lora_cache_gpu_memory_fraction',
  'lora_cache_host_memory_bytes',
  'lora_prefetch_dir',
  'medusa_choices',
  'eagle_choices',
  'lookahead_window_size',
  'lookahead_ngram_size',
  'lookahead_verification_set_size',
  'speculative_decoding_fast_logits',
  'guided_decoding_backend',
  'xgrammar_tokenizer_info_path',
  'prompt_embedding_table_dtype',
];

export interface EngineModel {
  readonly file: ConfigFile;
  readonly modelName: string;
  /** Undefined for a model that lives in memory only. */
  readonly modelDirectory: string | undefined;
  readonly version: string;
  readonly worldSize: number | undefined;
  /** From the preprocessing model that feeds this engine, where the engine itself names none. */
  readonly tokenizerDirectory: string | undefined;
}

export interface SettingsRead {
  readonly settings: EngineSettings;
  readonly findings: readonly Finding[];
}

export function readEngineSettings(model: EngineModel): SettingsRead {
  const parameters = new ParameterReader(model.file);
  parameters.reportUnknown([...HONOURED, ...ACCEPTED]);
  const strategyKey =
    parameters.text('gpt_model_type') === undefined ? 'batching_strategy' : 'gpt_model_type';
  const tokenizer = parameters.text('tokenizer_dir');
  const devices = parameters.text('gpu_device_ids');
  const settings: EngineSettings = {
    modelName: model.modelName,
    modelVersion: model.version,
    engineDirectory: engineDirectory(model, parameters),
    tokenizerDirectory: tokenizer === undefined ? model.tokenizerDirectory : fromModel(model, tokenizer),
    batchingStrategy: parameters.choice(strategyKey, STRATEGIES) ?? 'inflight_fused',
    schedulerPolicy: parameters.choice('batch_scheduler_policy', POLICIES),
    maxTokensInPagedKvCache: parameters.number('max_tokens_in_paged_kv_cache', { minimum: 1, integer: true }),
    kvCacheFreeGpuMemFraction: parameters.number('kv_cache_free_gpu_mem_fraction', {
      minimum: 0,
      maximum: 1,
    }),
    kvCacheHostMemoryBytes: parameters.number('kv_cache_host_memory_bytes', { minimum: 0, integer: true }),
    maxRunningRequestCount: parameters.number('max_num_sequences', { minimum: 1, integer: true }),
    maxBeamWidth: parameters.number('max_beam_width', { minimum: 1, integer: true }),
    enableKvCacheReuse: parameters.boolean('enable_kv_cache_reuse'),
    enableChunkedContext: parameters.boolean('enable_chunked_context'),
    maxQueuedRequestCount: queuePolicy(model.file)?.maxQueueSize || undefined,
    worldSize: model.worldSize,
    deviceIds: devices?.split(/[,;]/).map(Number),
  };
  return { settings, findings: parameters.findings };
}

/** The default queue policy of a configuration. */
export function queuePolicy(file: ConfigFile) {
  const { schedulingChoice } = file.config;
  return schedulingChoice.case === 'dynamicBatching' ? schedulingChoice.value.defaultQueuePolicy : undefined;
}

/**
 * gpt_model_path, relative to the model's directory. A path inside the model's own directory only names one version,
 * so each version then uses its own folder.
 */
function engineDirectory(model: EngineModel, parameters: ParameterReader): string {
  const versionDirectory =
    model.modelDirectory === undefined ? undefined : join(model.modelDirectory, model.version);
  const text = parameters.text('gpt_model_path');
  const path = text === undefined ? undefined : fromModel(model, text);
  const isOwn =
    path !== undefined &&
    model.modelDirectory !== undefined &&
    !relative(model.modelDirectory, path).startsWith('..');
  const directory = path === undefined || isOwn ? (versionDirectory ?? path) : path;
  if (directory === undefined) return '';
  if (!existsSync(join(directory, 'config.json'))) {
    const message = `no engine in '${directory}': config.json is missing; set 'gpt_model_path' to an engine directory.`;
    parameters.add('error', 'gpt_model_path', message);
  }
  return directory;
}

function fromModel(model: EngineModel, path: string): string {
  return isAbsolute(path) || model.modelDirectory === undefined
    ? resolve(path)
    : resolve(model.modelDirectory, path);
}
