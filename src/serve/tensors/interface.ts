/** The tensors of one served model with their meanings. */
import { DataType, type ModelConfig } from '../../protocol/gen/model_config_pb.js';
import { isDatatype, type Datatype } from '../../protocol/kserve/datatype.js';
import type { TensorMetadata } from '../../protocol/kserve/infer.js';
import type { FieldNames } from '../../protocol/field-names.js';
import { REQUEST_MEMBERS, type RequestField, type ResponseField } from './fields.js';

export interface InputTensor extends TensorMetadata {
  readonly field: RequestField;
  readonly isOptional: boolean;
}

interface OutputTensor extends TensorMetadata {
  readonly field: ResponseField;
}

export interface ModelInterface {
  readonly inputs: ReadonlyMap<string, InputTensor>;
  readonly outputs: ReadonlyMap<string, OutputTensor>;
  /** 0: requests have no batch dimension. */
  readonly maxBatchSize: number;
}

export interface FieldsOf {
  input(name: string): RequestField;
  output(name: string): ResponseField;
}

/** @param fields Meanings of the tensors; ALWAYS_OPTIONAL ones are made optional by the caller's choice. */
export function modelInterface(
  config: ModelConfig,
  fields: FieldsOf,
  alwaysOptional: ReadonlySet<RequestField>,
): ModelInterface {
  const batch = config.maxBatchSize > 0 ? [-1] : [];
  const inputs = config.input.map((input): InputTensor => {
    const field = fields.input(input.name);
    const isOptional = input.optional || alwaysOptional.has(field);
    return { ...metadata(input, batch), field, isOptional };
  });
  const outputs = config.output.map((output): OutputTensor => ({
    ...metadata(output, batch),
    field: fields.output(output.name),
  }));
  return {
    inputs: new Map(inputs.map((input) => [input.name, input])),
    outputs: new Map(outputs.map((output) => [output.name, output])),
    maxBatchSize: config.maxBatchSize,
  };
}

/** The model's own names of what a refusal is about. */
export function fieldNamesOf({ inputs }: ModelInterface): FieldNames {
  const byField = new Map([...inputs.values()].map(({ name, field }) => [field, name]));
  const members = REQUEST_MEMBERS.map(([field, member]) => [member, byField.get(field) ?? member] as const);
  // A place in a prompt is one in its token ids.
  return { ...Object.fromEntries(members), prompt: byField.get('tokenIds') ?? 'prompt' };
}

/** KServe's name of a configuration's data type. */
export function datatypeOf(dataType: DataType): Datatype {
  if (dataType === DataType.TYPE_STRING) return 'BYTES';
  const name = (DATA_TYPE_NAMES.get(dataType) ?? '').slice('TYPE_'.length);
  return isDatatype(name) ? name : 'BYTES';
}

const DATA_TYPE_NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(DataType).flatMap(([name, value]) => (typeof value === 'number' ? [[value, name]] : [])),
);

function metadata(
  tensor: { readonly name: string; readonly dataType: DataType; readonly dims: readonly bigint[] },
  batch: readonly number[],
): TensorMetadata {
  return {
    name: tensor.name,
    datatype: datatypeOf(tensor.dataType),
    shape: [...batch, ...tensor.dims.map(Number)],
  };
}
