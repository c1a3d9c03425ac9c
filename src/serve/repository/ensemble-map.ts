/** The scheduling of an ensemble -> meanings of its tensors and the engine behind it. */
import type { ModelConfig, ModelEnsembling_Step } from '../../protocol/gen/model_config_pb.js';
import { inputField, outputField, type RequestField, type ResponseField } from '../tensors/fields.js';
import { datatypeOf, type FieldsOf } from '../tensors/interface.js';
import { modelKind } from '../tensors/model-kind.js';

export type FindConfig = (modelName: string) => ModelConfig | undefined;

export interface EnsembleMap {
  readonly fields: FieldsOf;
  readonly engineName: string | undefined;
  readonly preprocessingName: string | undefined;
  readonly postprocessingName: string | undefined;
  /** Texts of faults, each starting `in ensemble E, `. */
  readonly faults: readonly string[];
}

/**
 * Any ensemble is served whose tensors all reach tensors with a known meaning: the order of its steps does not matter,
 * because the chain itself is one call into the engine.
 */
export function mapEnsemble(config: ModelConfig, find: FindConfig): EnsembleMap {
  const steps = stepsOf(config);
  const members = steps.map((step) => ({ step, config: find(step.modelName) }));
  const ofKind = (kind: string) =>
    members.find((member) => member.config && modelKind(member.config) === kind)?.step.modelName;
  return {
    fields: { input: (name) => inputMeaning(members, name), output: (name) => outputMeaning(members, name) },
    engineName: ofKind('engine') ?? ofKind('bls'),
    preprocessingName: ofKind('preprocessing'),
    postprocessingName: ofKind('postprocessing'),
    faults: ensembleFaults(config, members).map((fault) => `in ensemble ${config.name}, ${fault}`),
  };
}

export function stepsOf(config: ModelConfig): readonly ModelEnsembling_Step[] {
  return config.schedulingChoice.case === 'ensembleScheduling' ? config.schedulingChoice.value.step : [];
}

interface Member {
  readonly step: ModelEnsembling_Step;
  readonly config: ModelConfig | undefined;
}

function inputMeaning(members: readonly Member[], tensor: string): RequestField {
  for (const { step, config } of members) {
    const kind = config && modelKind(config);
    if (kind === undefined) continue;
    for (const [memberInput, ensembleTensor] of Object.entries(step.inputMap)) {
      const field = inputField(kind, memberInput);
      if (ensembleTensor === tensor && field !== 'unsupported') return field;
    }
  }
  return 'unsupported';
}

function outputMeaning(members: readonly Member[], tensor: string): ResponseField {
  for (const { step, config } of members) {
    const kind = config && modelKind(config);
    if (kind === undefined) continue;
    for (const [memberOutput, ensembleTensor] of Object.entries(step.outputMap)) {
      if (ensembleTensor === tensor) return outputField(kind, memberOutput);
    }
  }
  return 'absent';
}

function ensembleFaults(config: ModelConfig, members: readonly Member[]): string[] {
  // Findings that only follow from a missing member would bury it.
  const missing = members.filter((member) => member.config === undefined);
  if (missing.length > 0)
    return missing.map(
      ({ step }) =>
        `step '${step.modelName}' names a model that is not in the repository, or whose config.pbtxt cannot be read`,
    );
  const faults: string[] = [];
  const producers = new Map<string, string>(config.input.map((input) => [input.name, 'the request']));
  const types = new Map(config.input.map((input) => [input.name, datatypeOf(input.dataType)]));
  for (const { step, config: member } of members) {
    if (member === undefined) continue;
    faults.push(...memberFaults(config, step, member));
    for (const [output, tensor] of Object.entries(step.outputMap)) {
      const other = producers.get(tensor);
      if (other !== undefined)
        faults.push(`ensemble tensor '${tensor}' comes from both ${other} and '${step.modelName}'`);
      producers.set(tensor, `'${step.modelName}'`);
      const declared = member.output.find((item) => item.name === output);
      if (declared) types.set(tensor, datatypeOf(declared.dataType));
    }
  }
  for (const { step, config: member } of members) {
    for (const [input, tensor] of Object.entries(step.inputMap)) {
      if (!producers.has(tensor)) {
        faults.push(
          `input '${input}' in model '${step.modelName}' needs ensemble tensor '${tensor}', which nothing produces`,
        );
      }
      const declared = member?.input.find((item) => item.name === input);
      const type = types.get(tensor);
      if (declared && type && !sameType(datatypeOf(declared.dataType), type)) {
        faults.push(
          `inconsistent data type: '${tensor}' is ${type}, but input '${input}' in model '${step.modelName}' is ${datatypeOf(declared.dataType)}`,
        );
      }
    }
  }
  for (const output of config.output) {
    if (!producers.has(output.name)) faults.push(`output '${output.name}' is produced by no step`);
  }
  if (members.length === 0) faults.push(`there is no step`);
  return faults;
}

const sameType = (a: string, b: string) =>
  a === b || [a, b].every((type) => ['INT32', 'UINT32'].includes(type));

function memberFaults(ensemble: ModelConfig, step: ModelEnsembling_Step, member: ModelConfig): string[] {
  const faults: string[] = [];
  const inputs = new Set(member.input.map((input) => input.name));
  const outputs = new Set(member.output.map((output) => output.name));
  for (const input of Object.keys(step.inputMap)) {
    if (!inputs.has(input))
      faults.push(`input_map of '${step.modelName}' names '${input}', which is not an input of that model`);
  }
  for (const output of Object.keys(step.outputMap)) {
    if (!outputs.has(output))
      faults.push(
        `output_map of '${step.modelName}' names '${output}', which is not an output of that model`,
      );
  }
  for (const input of member.input) {
    if (input.optional || step.inputMap[input.name] !== undefined) continue;
    faults.push(`input ${input.name} in model ${step.modelName} is not mapped to any ensemble tensors`);
  }
  if (member.maxBatchSize > 0 && ensemble.maxBatchSize > member.maxBatchSize) {
    faults.push(
      `ensemble ${ensemble.name} allows maximum batch size ${ensemble.maxBatchSize}, but it contains model ${step.modelName} which only allows maximum batch size to be ${member.maxBatchSize}`,
    );
  }
  return faults;
}
