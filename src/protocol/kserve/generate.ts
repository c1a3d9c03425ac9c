/**
 * Triton's generate extension: a flat JSON object <-> tensors.
 * https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_generate.md
 */
import { AloftError } from '../../core/errors.js';
import { isObject, parseJsonObject, writeJson, type JsonObject, type JsonValue } from '../json.js';
import { repeatedKey } from '../json-keys.js';
import type { InferRequest, InferResponse, ParameterValue, TensorMetadata } from './infer.js';
import { dataFromValues, valuesOf } from './tensor-json.js';
import type { Tensor } from './tensor.js';

/**
 * A key that names no input is a parameter of the request. As upstream, those that begin with `triton_` are no exception:
 * only `infer` and gRPC refuse them.
 * @throws {AloftError} REQUEST_INVALID with Triton's texts.
 */
export function readGenerateRequest(
  text: string,
  model: { readonly name: string; readonly version: string; readonly inputs: readonly TensorMetadata[] },
): InferRequest {
  const json = parseJsonObject(text);
  const metadata = new Map(model.inputs.map((input) => [input.name, input]));
  const inputs: Tensor[] = [];
  const parameters: Record<string, ParameterValue> = {};
  const takeKeys = (members: JsonObject, nested: boolean): void => {
    for (const [key, value] of Object.entries(members)) {
      const input = metadata.get(key);
      if (key === 'parameters' && !nested) {
        if (input !== undefined)
          throw fault(`Keyword 'parameters' for nested schema also given as input tensor name`);
        if (!isObject(value)) throw fault(`Expected JSON object for keyword: 'parameters'`);
        takeKeys(value, true);
      } else if (input === undefined) {
        parameters[key] = readParameter(key, value);
      } else {
        inputs.push(readTensor(input, value));
      }
    }
  };
  takeKeys(json, false);
  const twice = repeatedKey(text);
  if (twice !== undefined)
    throw fault(`${metadata.has(twice) ? 'input' : 'parameter'} '${twice}' already exists in request`);
  const id = typeof json['id'] === 'string' ? json['id'] : '';
  return { modelName: model.name, modelVersion: model.version, id, parameters, inputs, outputs: [] };
}

/**
 * Writes the JSON objects of one request's responses: keys in alphabetical order, one-element tensors as scalars.
 * Text that repeats from response to response is written once.
 */
export class GenerateResponseWriter {
  /** Request that the pieces answer. */
  #model: InferResponse | undefined;
  /** Text before each value, in the order of the keys, and behind the last one. */
  #pieces: string[] = [];
  /** Index of the output that gives each value. */
  #order: number[] = [];

  write(response: InferResponse): string {
    if (this.#model === undefined || !hasSameMembers(this.#model, response)) this.#prepare(response);
    let text = this.#pieces[0]!;
    for (let i = 0; i < this.#order.length; i++)
      text += valueJson(response.outputs[this.#order[i]!]!) + this.#pieces[i + 1]!;
    return text;
  }

  #prepare(response: InferResponse): void {
    const { outputs, parameters, id, modelName, modelVersion } = response;
    /** Index of an output, or JSON text that is always the same. */
    const members = new Map<string, number | string>();
    for (const [i, { name }] of outputs.entries()) members.set(name, i);
    for (const [key, value] of Object.entries(parameters)) members.set(key, writeJson(value));
    if (id !== '') members.set('id', writeJson(id));
    members.set('model_name', writeJson(modelName)).set('model_version', writeJson(modelVersion));
    this.#model = response;
    this.#pieces = [];
    this.#order = [];
    let piece = '{';
    for (const [key, member] of [...members].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
      piece += `${piece === '{' ? '' : ','}${writeJson(key)}:`;
      if (typeof member === 'string') piece += member;
      else {
        this.#pieces.push(piece);
        this.#order.push(member);
        piece = '';
      }
    }
    this.#pieces.push(`${piece}}`);
  }
}

/** All but the values of the outputs is the same. */
function hasSameMembers(a: InferResponse, b: InferResponse): boolean {
  return (
    a.outputs.length === b.outputs.length &&
    a.outputs.every(({ name }, i) => name === b.outputs[i]!.name) &&
    a.parameters === b.parameters &&
    a.id === b.id &&
    a.modelName === b.modelName &&
    a.modelVersion === b.modelVersion
  );
}

function valueJson(tensor: Tensor): string {
  const values = valuesOf(tensor);
  return writeJson(values.length === 1 ? values[0] : values);
}

function readTensor(input: TensorMetadata, value: JsonValue): Tensor {
  const values: readonly JsonValue[] = Array.isArray(value) ? value : [value];
  const data = dataFromValues(input.name, input.datatype, values);
  return { name: input.name, datatype: input.datatype, shape: fitShape(input, values.length), data };
}

/** Triton's rule: fixed dimensions divide the element count, the innermost free one takes the rest, other free ones are 1. */
function fitShape(input: TensorMetadata, elementCount: number): number[] {
  let rest = elementCount;
  for (const dim of input.shape.toReversed()) {
    if (dim <= 0) continue;
    if (rest % dim !== 0) throw shapeFault(input);
    rest /= dim;
  }
  const shape = input.shape
    .toReversed()
    .map((dim) => {
      if (dim >= 0) return dim;
      const taken = rest;
      rest = 1;
      return taken;
    })
    .toReversed();
  if (rest !== 1) throw shapeFault(input);
  return shape;
}

function readParameter(key: string, value: JsonValue): ParameterValue {
  if (typeof value === 'string' || typeof value === 'boolean') return value;
  if (typeof value === 'number' || typeof value === 'bigint') return value;
  throw fault(`parameter '${key}' has invalid type. It should be either 'int', 'bool', or 'string'.`);
}

function shapeFault(input: TensorMetadata): AloftError {
  return fault(`The schema can not convert input '${input.name}' to tensor with proper shape`);
}

function fault(message: string): AloftError {
  return new AloftError('REQUEST_INVALID', message);
}
