/** ModelInferRequest <-> request. */
import { create, toBinary } from '@bufbuild/protobuf';
import { AloftError } from '../../core/errors.js';
import {
  InferParameterSchema,
  ModelInferRequestSchema,
  type InferParameter,
  type InferTensorContents,
  type ModelInferRequest,
  type ModelInferRequest_InferInputTensor,
} from '../gen/inference_pb.js';
import { isDatatype, type Datatype } from '../kserve/datatype.js';
import { checkedRaw } from '../kserve/http-request.js';
import type { InferRequest, Parameters, ParameterValue } from '../kserve/infer.js';
import { rawBytes } from '../kserve/tensor-bytes.js';
import { elementsOf, numberTensor, type Tensor } from '../kserve/tensor.js';

/** Request parameter of a stream: an answer that ends without a response ends with an empty one. */
export const EMPTY_FINAL = 'triton_enable_empty_final_response';

/** @throws {AloftError} REQUEST_INVALID */
export function readGrpcRequest(message: ModelInferRequest): InferRequest {
  const raw = message.rawInputContents;
  if (raw.length > 0 && raw.length !== message.inputs.length) {
    throw fault(
      `expected ${message.inputs.length} raw_input_contents, one for each input, but got ${raw.length}`,
    );
  }
  const parameters = readParameters(message.parameters);
  checkReserved(parameters);
  return {
    modelName: message.modelName,
    modelVersion: message.modelVersion,
    id: message.id,
    parameters,
    inputs: message.inputs.map((input, i) => readInput(input, raw[i])),
    outputs: message.outputs.map((output) => ({
      name: output.name,
      parameters: readParameters(output.parameters),
    })),
  };
}

function checkReserved(parameters: Parameters): void {
  const reserved = Object.keys(parameters).find((key) => key.startsWith('triton_') && key !== EMPTY_FINAL);
  if (reserved !== undefined) {
    throw fault(
      `parameter keys starting with 'triton_' are reserved for Triton usage. Only the following keys starting with 'triton_' are allowed: ${EMPTY_FINAL} (got '${reserved}')`,
    );
  }
  const value = parameters[EMPTY_FINAL];
  if (value !== undefined && typeof value !== 'boolean')
    throw fault(`invalid value type for '${EMPTY_FINAL}' parameter, expected bool_param.`);
}

/** The bytes of a request with raw contents, as the official clients send it. */
export function writeGrpcRequest(request: InferRequest): Uint8Array {
  const message = create(ModelInferRequestSchema, {
    modelName: request.modelName,
    modelVersion: request.modelVersion,
    id: request.id,
    parameters: writeParameters(request.parameters),
    inputs: request.inputs.map(({ name, datatype, shape }) => ({ name, datatype, shape: shape.map(BigInt) })),
    outputs: request.outputs.map(({ name, parameters }) => ({
      name,
      parameters: writeParameters(parameters),
    })),
    rawInputContents: request.inputs.map(rawBytes),
  });
  return toBinary(ModelInferRequestSchema, message);
}

export function readParameters(parameters: Readonly<Record<string, InferParameter>>): Parameters {
  const read: Record<string, ParameterValue> = {};
  for (const [key, parameter] of Object.entries(parameters)) {
    const { value } = parameter.parameterChoice;
    if (value === undefined) throw fault(`parameter '${key}' has no value`);
    read[key] = value;
  }
  return read;
}

function writeParameters(parameters: Parameters): Record<string, InferParameter> {
  return Object.fromEntries(
    Object.entries(parameters).map(([key, value]) => [
      key,
      create(InferParameterSchema, { parameterChoice: parameterChoice(value) }),
    ]),
  );
}

function parameterChoice(value: ParameterValue): InferParameter['parameterChoice'] {
  if (typeof value === 'boolean') return { case: 'boolParam', value };
  if (typeof value === 'string') return { case: 'stringParam', value };
  if (typeof value === 'bigint' || Number.isSafeInteger(value))
    return { case: 'int64Param', value: BigInt(value) };
  return { case: 'doubleParam', value };
}

function readInput(input: ModelInferRequest_InferInputTensor, raw: Uint8Array | undefined): Tensor {
  const { name, datatype } = input;
  if (!isDatatype(datatype)) throw fault(`input '${name}' has the unknown datatype '${datatype}'`);
  if (input.parameters['shared_memory_region'] !== undefined) {
    throw new AloftError(
      'UNSUPPORTED',
      `Input '${name}' is in shared memory, which is not supported; send its data.`,
    );
  }
  const shape = input.shape.map(Number);
  if (raw === undefined) return readContents(name, datatype, shape, input.contents);
  if (input.contents !== undefined) {
    throw fault(`contents field must not be specified when using raw_input_contents for '${name}'`);
  }
  return { name, datatype, shape, data: checkedRaw(name, datatype, shape, raw) };
}

function readContents(
  name: string,
  datatype: Datatype,
  shape: readonly number[],
  contents: InferTensorContents | undefined,
): Tensor {
  const values = contents === undefined ? [] : typedContents(name, datatype, contents);
  if (values.length !== elementsOf(shape)) {
    throw fault(
      `input byte size mismatch for input '${name}'. Expected ${elementsOf(shape)} elements, got ${values.length}`,
    );
  }
  if (datatype === 'BYTES') return { name, datatype, shape, data: values as Uint8Array[] };
  return numberTensor(name, datatype, shape, values as (number | bigint | boolean)[]);
}

function typedContents(
  name: string,
  datatype: Datatype,
  contents: InferTensorContents,
): readonly (boolean | number | bigint | Uint8Array)[] {
  switch (datatype) {
    case 'BOOL':
      return contents.boolContents;
    case 'INT8':
    case 'INT16':
    case 'INT32':
      return contents.intContents;
    case 'INT64':
      return contents.int64Contents;
    case 'UINT8':
    case 'UINT16':
    case 'UINT32':
      return contents.uintContents;
    case 'UINT64':
      return contents.uint64Contents;
    case 'FP32':
      return contents.fp32Contents;
    case 'FP64':
      return contents.fp64Contents;
    case 'BYTES':
      return contents.bytesContents;
    default:
      throw fault(`input '${name}' of type ${datatype} must be sent in raw_input_contents`);
  }
}

function fault(message: string): AloftError {
  return new AloftError('REQUEST_INVALID', message);
}
