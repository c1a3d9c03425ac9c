/** Body of POST /v2/models/M/infer -> request: JSON, optionally followed by raw tensors. */
import { AloftError } from '../../core/errors.js';
import { requireWithin } from '../../core/request-limits.js';
import { isObject, parseJsonObject, type JsonObject, type JsonValue } from '../json.js';
import { isDatatype, type Datatype } from './datatype.js';
import { readUtf8 } from '../utf8.js';
import type { InferRequest, Parameters, ParameterValue, RequestedOutput, TensorMetadata } from './infer.js';
import { dataFromJson } from './tensor-json.js';
import { dataFromRaw } from './tensor-bytes.js';
import { elementsOf, type Tensor } from './tensor.js';

export interface HttpInferBody {
  readonly body: Uint8Array;
  /** Value of `Inference-Header-Content-Length`: bytes of the JSON part. Undefined: all. */
  readonly jsonBytes: number | undefined;
  readonly modelName: string;
  readonly modelVersion: string;
  /** Inputs of the model; a raw request (JSON part of 0 bytes) needs it. */
  readonly modelInputs: readonly TensorMetadata[];
}

/** A deeper tensor has no use and would only cost time. */
const MAX_RANK = 16;

/** @throws {AloftError} REQUEST_INVALID with Triton's texts. */
export function readInferRequest(source: HttpInferBody): InferRequest {
  const jsonBytes = source.jsonBytes ?? source.body.length;
  if (jsonBytes > source.body.length) {
    throw fault(
      `'Inference-Header-Content-Length' is ${jsonBytes}, but the body has only ${source.body.length} bytes`,
    );
  }
  if (source.jsonBytes === 0) return rawRequest(source);
  requireWithin('jsonBytes', jsonBytes, 'The JSON of the request');
  const json = parseJsonObject(readUtf8(source.body.subarray(0, jsonBytes)));
  const raw = new RawReader(
    source.body.subarray(jsonBytes),
    source.modelName,
    source.jsonBytes !== undefined,
  );
  const inputs = arrayMember(json, 'inputs').map((item) => readInput(item, raw));
  raw.end();
  const parameters = readParameters(json['parameters'], 'the request');
  for (const key of Object.keys(parameters)) {
    if (key.startsWith('triton_')) {
      throw fault(
        `parameter keys starting with 'triton_' are reserved for Triton usage and should not be specified.`,
      );
    }
  }
  const id = json['id'] ?? '';
  if (typeof id !== 'string') throw fault(`'id' of the request must be a string`);
  const outputs = json['outputs'] === undefined ? [] : arrayMember(json, 'outputs').map(readOutput);
  return { modelName: source.modelName, modelVersion: source.modelVersion, id, parameters, inputs, outputs };
}

/** Hands out the binary part tensor by tensor. */
class RawReader {
  readonly #bytes: Uint8Array;
  readonly #modelName: string;
  readonly #headerGiven: boolean;
  #offset = 0;

  constructor(bytes: Uint8Array, modelName: string, headerGiven: boolean) {
    this.#bytes = bytes;
    this.#modelName = modelName;
    this.#headerGiven = headerGiven;
  }

  take(name: string, byteCount: number): Uint8Array {
    if (!this.#headerGiven) {
      throw fault(
        `must specify valid 'Inference-Header-Content-Length' in request header and 'binary_data_size' when passing inputs in binary data format`,
      );
    }
    const missing = this.#offset + byteCount - this.#bytes.length;
    if (missing > 0) {
      throw fault(
        `unexpected size for input '${name}', expecting ${missing} additional bytes for model '${this.#modelName}'`,
      );
    }
    const taken = this.#bytes.subarray(this.#offset, this.#offset + byteCount);
    this.#offset += byteCount;
    return taken;
  }

  end(): void {
    if (this.#offset < this.#bytes.length)
      throw fault(`unexpected additional input data for model '${this.#modelName}'`);
  }
}

function readInput(item: JsonValue, raw: RawReader): Tensor {
  const { name, datatype, shape, parameters, data } = inputMembers(item);
  if (parameters['shared_memory_region'] !== undefined) {
    throw new AloftError(
      'UNSUPPORTED',
      `Input '${name}' is in shared memory, which is not supported; send its data.`,
    );
  }
  const byteCount = parameters['binary_data_size'];
  if (byteCount !== undefined) {
    if (typeof byteCount !== 'number' || !Number.isInteger(byteCount) || byteCount < 0) {
      throw fault(`'binary_data_size' of input '${name}' must be a number of bytes`);
    }
    return { name, datatype, shape, data: checkedRaw(name, datatype, shape, raw.take(name, byteCount)) };
  }
  if (data === undefined) throw fault(`input '${name}' has neither 'data' nor 'binary_data_size'`);
  return { name, datatype, shape, data: dataFromJson(name, datatype, shape, data) };
}

interface InputMembers {
  readonly name: string;
  readonly datatype: Datatype;
  readonly shape: readonly number[];
  readonly parameters: Parameters;
  readonly data: JsonValue | undefined;
}

function inputMembers(item: JsonValue): InputMembers {
  if (!isObject(item) || typeof item['name'] !== 'string')
    throw fault(`each input must be an object with a 'name'`);
  const name = item['name'];
  const datatype = item['datatype'];
  if (typeof datatype !== 'string' || !isDatatype(datatype)) {
    throw fault(`input '${name}' has the unknown datatype ${JSON.stringify(datatype ?? null)}`);
  }
  const parameters = readParameters(item['parameters'], `input '${name}'`);
  return { name, datatype, shape: readShape(name, item['shape']), parameters, data: item['data'] };
}

function readShape(name: string, value: JsonValue | undefined): number[] {
  const isShape =
    Array.isArray(value) &&
    value.length <= MAX_RANK &&
    value.every((dim) => typeof dim === 'number' && Number.isInteger(dim) && dim >= 0);
  if (!isShape) throw fault(`'shape' of input '${name}' must be an array of at most ${MAX_RANK} counts`);
  return value as number[];
}

/** Raw data of a tensor whose shape is known. */
export function checkedRaw(
  name: string,
  datatype: Datatype,
  shape: readonly number[],
  bytes: Uint8Array,
): Tensor['data'] {
  const data = dataFromRaw(name, datatype, bytes);
  if (data.length !== elementsOf(shape)) {
    throw fault(
      `input byte size mismatch for input '${name}'. Expected ${elementsOf(shape)} elements, got ${data.length}`,
    );
  }
  return data;
}

function rawRequest(source: HttpInferBody): InferRequest {
  const [input, ...others] = source.modelInputs;
  if (input === undefined || others.length > 0) {
    throw fault(
      `a raw binary request needs a model with a single input; '${source.modelName}' has ${source.modelInputs.length}`,
    );
  }
  const data = dataFromRaw(input.name, input.datatype, source.body);
  const fixed = elementsOf(input.shape.filter((dim) => dim >= 0));
  if (input.shape.filter((dim) => dim < 0).length > 1) {
    throw fault(
      `the shape of input '${input.name}' of model '${source.modelName}' cannot be deduced from a raw request`,
    );
  }
  const shape = input.shape.map((dim) => (dim < 0 ? data.length / fixed : dim));
  if (elementsOf(shape) !== data.length || shape.some((dim) => !Number.isInteger(dim))) {
    throw fault(
      `a raw request of ${data.length} elements does not fit input '${input.name}' [${input.shape.join(',')}]`,
    );
  }
  const tensor: Tensor = { name: input.name, datatype: input.datatype, shape, data };
  const { modelName, modelVersion } = source;
  return {
    modelName,
    modelVersion,
    id: '',
    parameters: { binary_data_output: true },
    inputs: [tensor],
    outputs: [],
  };
}

function readOutput(item: JsonValue): RequestedOutput {
  if (!isObject(item) || typeof item['name'] !== 'string')
    throw fault(`each output must be an object with a 'name'`);
  return { name: item['name'], parameters: readParameters(item['parameters'], `output '${item['name']}'`) };
}

function readParameters(value: JsonValue | undefined, owner: string): Parameters {
  if (value === undefined) return {};
  if (!isObject(value)) throw fault(`'parameters' of ${owner} must be an object`);
  for (const [key, item] of Object.entries(value)) {
    if (!isParameter(item) && key !== 'headers') {
      throw fault(`parameter '${key}' of ${owner} must be a string, a number or a boolean`);
    }
  }
  return value as Parameters;
}

function isParameter(value: JsonValue): value is ParameterValue {
  return ['string', 'number', 'bigint', 'boolean'].includes(typeof value);
}

function arrayMember(json: JsonObject, key: string): readonly JsonValue[] {
  const value = json[key];
  if (!Array.isArray(value)) throw fault(`the request must have an array '${key}'`);
  return value;
}

function fault(message: string): AloftError {
  return new AloftError('REQUEST_INVALID', message);
}
