/** Checks a request's tensors against the model's interface, with Triton's messages. */
import { AloftError } from '../../core/errors.js';
import { requireWithin } from '../../core/request-limits.js';
import type { Datatype } from '../../protocol/kserve/datatype.js';
import type { InferRequest } from '../../protocol/kserve/infer.js';
import type { Tensor } from '../../protocol/kserve/tensor.js';
import type { InputTensor, ModelInterface } from './interface.js';

/** v0.5.0 clients send lengths as UINT32, later ones as INT32: either is fine where the other is declared. */
const INTERCHANGEABLE: ReadonlySet<Datatype> = new Set(['INT32', 'UINT32']);

/**
 * @returns the batch size, 1 for models without a batch dimension.
 * @throws {AloftError} REQUEST_INVALID
 */
export function validateInputs(request: InferRequest, model: ModelInterface): number {
  const fault = (message: string, named = true) =>
    new AloftError(
      'REQUEST_INVALID',
      `${named ? `[request id: ${request.id || '<id_unknown>'}] ` : ''}${message}`,
    );
  for (const tensor of request.inputs) {
    if (model.inputs.has(tensor.name)) continue;
    throw fault(`unexpected inference input '${tensor.name}' for model '${request.modelName}'`, false);
  }
  for (const output of request.outputs) {
    if (model.outputs.has(output.name)) continue;
    throw fault(`unexpected inference output '${output.name}' for model '${request.modelName}'`, false);
  }
  const twice = duplicate(request.inputs) ?? duplicate(request.outputs);
  if (twice !== undefined) {
    const kind = request.inputs.some(({ name }) => name === twice) ? 'input' : 'output';
    throw fault(`${kind} '${twice}' already exists in request`, false);
  }
  const classified = request.outputs.find(({ parameters }) => parameters['classification'] !== undefined);
  if (classified !== undefined)
    throw fault(
      `'classification' (class_count) of output '${classified.name}' is not supported, because no output of these models has classes; leave it out`,
      false,
    );
  const numberCount = request.inputs.reduce(
    (sum, { data }) => sum + (Array.isArray(data) ? 0 : data.length),
    0,
  );
  requireWithin('tensorNumbers', numberCount, 'The request');
  const missing = missingMessage(request, model);
  if (missing !== undefined) throw fault(missing);
  let batchSize: number | undefined;
  for (const tensor of request.inputs) {
    const message = tensorFault(request.modelName, tensor, model);
    if (message !== undefined) throw fault(message);
    if (model.maxBatchSize === 0) continue;
    batchSize ??= tensor.shape[0];
    if (tensor.shape[0] === batchSize) continue;
    throw fault(`input '${tensor.name}' batch size does not match other inputs for '${request.modelName}'`);
  }
  if (batchSize === 0) {
    throw fault(
      `inference request batch-size must be at least 1 for '${request.modelName}', but the first dimension of its inputs is 0`,
    );
  }
  if (batchSize !== undefined && batchSize > model.maxBatchSize) {
    throw fault(`inference request batch-size must be <= ${model.maxBatchSize} for '${request.modelName}'`);
  }
  return batchSize ?? 1;
}

/** The first name that occurs twice. */
function duplicate(tensors: readonly { readonly name: string }[]): string | undefined {
  const names = tensors.map(({ name }) => name);
  return names.find((name, i) => names.indexOf(name) < i);
}

function missingMessage(request: InferRequest, model: ModelInterface): string | undefined {
  const given = new Set(request.inputs.map((tensor) => tensor.name));
  const all = [...model.inputs.values()];
  const missing = all.filter((input) => !input.isOptional && !given.has(input.name));
  if (missing.length === 0) return undefined;
  const required = all.filter((input) => !input.isOptional).length;
  const expected =
    required === all.length
      ? `expected ${required} inputs`
      : `expected number of inputs between ${required} and ${all.length}`;
  const names = (list: Iterable<string>) => `[${[...list].map((name) => `'${name}'`).join(',')}]`;
  return (
    `${expected} but got ${given.size} inputs for model '${request.modelName}'. Got input(s) ${names(given)}, ` +
    `but missing required input(s) ${names(missing.map((input) => input.name))}. Please provide all required input(s).`
  );
}

function tensorFault(modelName: string, tensor: Tensor, model: ModelInterface): string | undefined {
  const input = model.inputs.get(tensor.name)!;
  const isSameType =
    tensor.datatype === input.datatype ||
    (INTERCHANGEABLE.has(tensor.datatype) && INTERCHANGEABLE.has(input.datatype));
  if (!isSameType) {
    return `inference input '${tensor.name}' data-type is '${tensor.datatype}', but model '${modelName}' expects '${input.datatype}'`;
  }
  if (fits(tensor.shape, input)) return undefined;
  const note =
    model.maxBatchSize > 0
      ? ` NOTE: Setting a non-zero max_batch_size in the model config requires a batch dimension to be prepended to each input shape. If you want to specify the full shape including the batch dim in your input dims config, try setting max_batch_size to zero. See the model configuration docs for more info on max_batch_size.`
      : '';
  return `unexpected shape for input '${tensor.name}' for model '${modelName}'. Expected [${input.shape.join(',')}], got [${tensor.shape.join(',')}].${note}`;
}

function fits(shape: readonly number[], input: InputTensor): boolean {
  return shape.length === input.shape.length && input.shape.every((dim, i) => dim < 0 || dim === shape[i]);
}
