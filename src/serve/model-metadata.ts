/** Metadata and statistics of a model, for both protocols. */
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import {
  ModelStatisticsResponseSchema,
  type ModelStatisticsResponse,
  type ModelStatisticsSchema,
} from '../protocol/gen/inference_pb.js';
import type { TensorMetadata } from '../protocol/kserve/infer.js';
import type { DurationSum } from './metrics/model-statistics.js';
import type { ServedModel } from './repository/served-model.js';
import type { ServerContext } from './server-context.js';

export interface ModelMetadata {
  readonly name: string;
  readonly versions: readonly string[];
  readonly platform: string;
  readonly inputs: readonly TensorMetadata[];
  readonly outputs: readonly TensorMetadata[];
}

export function modelMetadata(context: ServerContext, name: string, version: string): ModelMetadata {
  const model = context.repository.resolve(name, version);
  const versions = context.repository
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
  context: ServerContext,
  name: string,
  version: string,
): ModelStatisticsResponse {
  const models = name === '' ? context.repository.served() : statisticsModels(context, name, version);
  return create(ModelStatisticsResponseSchema, {
    modelStats: models.map((model) => statisticsOf(context, model)),
  });
}

function statisticsModels(context: ServerContext, name: string, version: string): ServedModel[] {
  const model = context.repository.resolve(name, version);
  return version === '' ? context.repository.served().filter((other) => other.name === name) : [model];
}

function statisticsOf(
  context: ServerContext,
  { name, version }: ServedModel,
): MessageInitShape<typeof ModelStatisticsSchema> {
  const statistics = context.metrics.statistics.of(name, version);
  const zero = { count: 0n, ns: 0n };
  return {
    name,
    version,
    lastInference: BigInt(statistics.lastInferenceMs),
    inferenceCount: BigInt(statistics.success.count),
    executionCount: BigInt(statistics.success.count),
    inferenceStats: {
      success: duration(statistics.success),
      fail: duration(statistics.fail),
      queue: duration(statistics.queue),
      computeInput: duration(statistics.computeInput),
      computeInfer: duration(statistics.computeInfer),
      computeOutput: duration(statistics.computeOutput),
      cacheHit: zero,
      cacheMiss: zero,
    },
    batchStats: [],
  };
}

function duration(sum: DurationSum): { count: bigint; ns: bigint } {
  return { count: BigInt(sum.count), ns: BigInt(sum.ns) };
}
