/** config.pbtxt of an engine model -> how to load its engine. Names, values and defaults are tensorrtllm_backend's. */
import { existsSync } from 'node:fs';
import { isAbsolute, join, relative, resolve } from 'node:path';
import type { BatchingStrategy, EngineSettings, SchedulerPolicy } from '../engine/loader.js';
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
  parameters.reportIdle('engine');
  const strategyKey =
    parameters.text('gpt_model_type') === undefined ? 'batching_strategy' : 'gpt_model_type';
  const tokenizer = parameters.text('tokenizer_dir');
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
    overlap: parameters.boolean('enable_trt_overlap'),
    maxQueuedRequestCount: queuePolicy(model.file)?.maxQueueSize || undefined,
    worldSize: model.worldSize,
    deviceId: deviceId(parameters),
  };
  return { settings, findings: parameters.findings };
}

/** The first of gpu_device_ids: one engine of one rank runs on one GPU. */
function deviceId(parameters: ParameterReader): number | undefined {
  const text = parameters.text('gpu_device_ids');
  if (text === undefined) return undefined;
  const ids = text.split(/[,;]/).map((part) => (part.trim() === '' ? NaN : Number(part)));
  const [first] = ids;
  if (first === undefined || !ids.every((id) => Number.isInteger(id) && id >= 0)) {
    const message = `parameter 'gpu_device_ids' is '${text}', but must be numbers of GPUs, such as 0.`;
    parameters.add('error', 'gpu_device_ids', message);
    return undefined;
  }
  if (ids.length > 1) {
    const message = `parameter 'gpu_device_ids' names ${ids.length} GPUs, but a model runs on one; only GPU ${first} is used.`;
    parameters.add('warning', 'gpu_device_ids', message);
  }
  return first;
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
