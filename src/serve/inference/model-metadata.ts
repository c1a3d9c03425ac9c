/** Metadata of the server and of models, and their statistics, for both protocols. */
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import {
  ModelStatisticsResponseSchema,
  type ModelStatisticsResponse,
  type ModelStatisticsSchema,
} from '../../protocol/gen/inference_pb.js';
import type { TensorMetadata } from '../../protocol/kserve/infer.js';
import type { DurationSum } from '../metrics/duration-sum.js';
import type { ComputeSums, ModelStatistics } from '../metrics/model-statistics.js';
import type { MemoryUse } from '../engine/engine-loader.js';
import type { ServedModel } from '../repository/served-model.js';
import type { ServerMetrics } from '../metrics/server-metrics.js';
import type { ModelRepository } from '../repository/model-repository.js';

/** Extensions of the protocol that the server's metadata names. */
export const EXTENSIONS: readonly string[] = [
  'model_repository',
  'model_repository(unload_dependents)',
  'schedule_policy',
  'model_configuration',
  'binary_tensor_data',
  'parameters',
  'statistics',
  'trace',
  'logging',
  'generate',
];

/** Parts of the server that know about models. */
export interface ModelSources {
  readonly repository: ModelRepository;
  readonly metrics: ServerMetrics;
}

export interface ModelMetadata {
  readonly name: string;
  readonly versions: readonly string[];
  readonly platform: string;
  readonly inputs: readonly TensorMetadata[];
  readonly outputs: readonly TensorMetadata[];
}

export function modelMetadata(sources: ModelSources, name: string, version: string): ModelMetadata {
  const model = sources.repository.resolve(name, version);
  const versions = sources.repository
    .served()
    .filter((other) => other.name === name)
    .map((other) => other.version);
  const plain = ({ name: tensor, datatype, shape }: TensorMetadata): TensorMetadata => ({
    name: tensor,
    datatype,
    shape,
  });
  return {
    name,
    versions,
    platform: model.config.platform || model.config.backend,
    inputs: [...model.interface.inputs.values()].map(plain),
    outputs: [...model.interface.outputs.values()].map(plain),
  };
}

/** @param name Empty: all models. */
export function modelStatistics(
  sources: ModelSources,
  name: string,
  version: string,
): ModelStatisticsResponse {
  const models = name === '' ? sources.repository.served() : statisticsModels(sources, name, version);
  return create(ModelStatisticsResponseSchema, {
    modelStats: models.map((model) => statisticsOf(sources, model)),
  });
}

function statisticsModels(sources: ModelSources, name: string, version: string): ServedModel[] {
  const model = sources.repository.resolve(name, version);
  return version === '' ? sources.repository.served().filter((other) => other.name === name) : [model];
}

type StatisticsMessage = MessageInitShape<typeof ModelStatisticsSchema>;

function statisticsOf(sources: ModelSources, model: ServedModel): StatisticsMessage {
  const { name, version } = model;
  const statistics = sources.metrics.statistics.of(name, version);
  const zero = { count: 0n, ns: 0n };
  return {
    name,
    version,
    lastInference: BigInt(statistics.lastInferenceMs),
    inferenceCount: BigInt(statistics.inferenceCount),
    executionCount: BigInt(statistics.success.count),
    inferenceStats: {
      success: duration(statistics.success),
      fail: duration(statistics.fail),
      queue: duration(statistics.queue),
      ...computeDurations(statistics),
      cacheHit: zero,
      cacheMiss: zero,
    },
    batchStats: [...statistics.batches]
      .toSorted(([a], [b]) => a - b)
      .map(([size, sums]) => ({ batchSize: BigInt(size), ...computeDurations(sums) })),
    responseStats: responseStats(statistics),
    // An ensemble and a tokenizer model work with parts of their engine.
    memoryUsage: model.kind === 'engine' ? memoryUsage(model.engine.loaded.memory) : [],
  };
}

function responseStats({ responses }: ModelStatistics): NonNullable<StatisticsMessage['responseStats']> {
  return Object.fromEntries(
    responses.byIndex.map((sums, index) => [
      String(index),
      {
        computeInfer: duration(sums.computeInfer),
        computeOutput: duration(sums.computeOutput),
        success: duration(sums.success),
        fail: duration(sums.fail),
        emptyResponse: duration(sums.emptyResponse),
        cancel: duration(sums.cancel),
      },
    ]),
  );
}

/** Triton's names of memory types. */
const MEMORY_TYPES: Readonly<Record<MemoryUse['kind'], string>> = {
  gpu: 'GPU',
  cpu: 'CPU',
  pinned: 'CPU_PINNED',
};

/** Bytes by type and device. */
function memoryUsage(uses: readonly MemoryUse[]): NonNullable<StatisticsMessage['memoryUsage']> {
  const sums = new Map<string, { type: string; id: bigint; byteSize: bigint }>();
  for (const { kind, deviceId, bytes } of uses) {
    if (bytes === 0) continue;
    const key = `${kind} ${deviceId}`;
    const sum = sums.get(key) ?? { type: MEMORY_TYPES[kind], id: BigInt(deviceId), byteSize: 0n };
    sums.set(key, { ...sum, byteSize: sum.byteSize + BigInt(bytes) });
  }
  return [...sums.values()];
}

function computeDurations({ computeInput, computeInfer, computeOutput }: ComputeSums) {
  return {
    computeInput: duration(computeInput),
    computeInfer: duration(computeInfer),
    computeOutput: duration(computeOutput),
  };
}

function duration(sum: DurationSum): { count: bigint; ns: bigint } {
  return { count: BigInt(sum.count), ns: BigInt(sum.ns) };
}
