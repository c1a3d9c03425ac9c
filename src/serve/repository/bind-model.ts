/** A model's files and the engines that are loaded -> something that can be served. */
import { AloftError } from '../../core/errors.js';
import type { ModelConfig, ModelQueuePolicy } from '../../protocol/gen/model_config_pb.js';
import type { RunningEngine } from '../generation/running-engine.js';
import type { TokenCodec } from '../engine/engine-loader.js';
import { ALWAYS_OPTIONAL, inputField, outputField } from '../tensors/fields.js';
import { modelInterface } from '../tensors/interface.js';
import type { ConfigFile } from './config-file.js';
import { queuePolicy } from './option-parameters.js';
import { mapEnsemble, type FindConfig } from './ensemble-map.js';
import type { ModelKind } from '../tensors/model-kind.js';
import { ParameterReader } from './parameters.js';
import type {
  CodecModel,
  GenerationModel,
  PriorityLevels,
  QueuePolicies,
  QueuePolicy,
} from './served-model.js';

export interface ModelVersion {
  readonly name: string;
  readonly version: string;
  readonly file: ConfigFile;
}

/** The engine that a model uses, by name: itself, or the one its ensemble or parameters name. */
export function engineNameOf(kind: ModelKind, file: ConfigFile, find: FindConfig): string | undefined {
  if (kind === 'engine') return file.config.name;
  if (kind === 'bls') return new ParameterReader(file).text('tensorrt_llm_model_name') ?? 'tensorrt_llm';
  return kind === 'ensemble' ? mapEnsemble(file.config, find).engineName : undefined;
}

export function bindGeneration(
  model: ModelVersion,
  kind: GenerationModel['kind'],
  context: { readonly engine: RunningEngine; readonly engineFile: ConfigFile; readonly find: FindConfig },
): GenerationModel {
  const { config } = model.file;
  const map = kind === 'ensemble' ? mapEnsemble(config, context.find) : undefined;
  const fields = map?.fields ?? {
    input: (name: string) => inputField(kind, name),
    output: (name: string) => outputField(kind, name),
  };
  return {
    name: model.name,
    version: model.version,
    kind,
    config,
    interface: modelInterface(config, fields, ALWAYS_OPTIONAL),
    engine: context.engine,
    stages: { before: map?.preprocessingName, after: map?.postprocessingName },
    // An ensemble is decoupled as soon as one member is.
    isDecoupled: isDecoupled(config) || isDecoupled(context.engineFile.config),
    excludeInput: new ParameterReader(context.engineFile).boolean('exclude_input_in_output') ?? false,
    priorities: priorityLevels(context.engineFile),
    queuePolicies: queuePolicies(context.engineFile),
  };
}

function priorityLevels({ config }: ConfigFile): PriorityLevels {
  const { schedulingChoice } = config;
  if (schedulingChoice.case !== 'dynamicBatching') return { levelCount: 0, defaultLevel: 0 };
  const { priorityLevels: levelCount, defaultPriorityLevel: defaultLevel } = schedulingChoice.value;
  return { levelCount: Number(levelCount), defaultLevel: Number(defaultLevel) };
}

/** max_queue_size of all is the engine's own limit, so it is no part of its policy here. */
function queuePolicies(file: ConfigFile): QueuePolicies {
  const { schedulingChoice } = file.config;
  const levels =
    schedulingChoice.case === 'dynamicBatching' ? schedulingChoice.value.priorityQueuePolicy : {};
  const byLevel = Object.entries(levels).map(([level, policy]) => {
    const maxWaitingCount = policy.maxQueueSize || undefined;
    return [Number(level), { ...queuePolicyOf(policy), maxWaitingCount }] as const;
  });
  const ofAll = queuePolicy(file);
  return {
    ofAll:
      ofAll === undefined
        ? { timeoutMs: undefined, allowsTimeoutOverride: true, maxWaitingCount: undefined }
        : queuePolicyOf(ofAll),
    byLevel: new Map(byLevel),
  };
}

function queuePolicyOf({
  defaultTimeoutMicroseconds: timeout,
  allowTimeoutOverride,
}: ModelQueuePolicy): QueuePolicy {
  return {
    timeoutMs: timeout > 0n ? Number(timeout) / 1000 : undefined,
    allowsTimeoutOverride: allowTimeoutOverride,
    maxWaitingCount: undefined,
  };
}

export function bindCodec(model: ModelVersion, kind: CodecModel['kind'], codec: TokenCodec): CodecModel {
  const parameters = new ParameterReader(model.file);
  const fields = {
    input: (name: string) => inputField(kind, name),
    output: (name: string) => outputField(kind, name),
  };
  return {
    name: model.name,
    version: model.version,
    kind,
    config: model.file.config,
    interface: modelInterface(model.file.config, fields, ALWAYS_OPTIONAL),
    codec,
    addSpecialTokens: parameters.boolean('add_special_tokens') ?? true,
    skipSpecialTokens: parameters.boolean('skip_special_tokens') ?? true,
  };
}

/** @throws {AloftError} REPOSITORY_INVALID */
export function requireValidEnsemble(file: ConfigFile, find: FindConfig): void {
  const [fault] = mapEnsemble(file.config, find).faults;
  if (fault !== undefined) throw new AloftError('REPOSITORY_INVALID', `${file.path}: ${fault}.`);
}

function isDecoupled(config: ModelConfig): boolean {
  return config.modelTransactionPolicy?.decoupled ?? false;
}
