/** Tensors of one request, by meaning -> text-level requests, one per row of the batch. */
import type { Constraint } from '../../core/constraint.js';
import { AloftError } from '../../core/errors.js';
import type { GenerateRequest, Prompt } from '../../core/generate.js';
import { requireWithin } from '../../core/request-limits.js';
import { present } from '../../core/present.js';
import { byName, SAMPLING_FIELD_NAMES, type SamplingFieldName } from '../../core/sampling-fields.js';
import { constraintOfGuide } from '../../protocol/constraint-guide.js';
import type { InferRequest } from '../../protocol/kserve/infer.js';
import { bigints, numbers, texts, type Tensor } from '../../protocol/kserve/tensor.js';
import type { RequestField } from './fields.js';
import type { ModelInterface } from './interface.js';
import { readTokenLists, readWords } from './words.js';

/** Wishes that decide the form of the answer rather than the generation. */
export interface AnswerForm {
  readonly isStreaming: boolean;
  readonly isCancel: boolean;
  readonly excludeInput: boolean | undefined;
  /** Fills rows of unequal length. */
  readonly padId: number;
  readonly wants: ReadonlySet<RequestField>;
}

export interface TensorRequest {
  readonly form: AnswerForm;
  readonly rows: readonly GenerateRequest[];
}

/** Reads the elements of one row by meaning. */
class Row {
  readonly #tensors: ReadonlyMap<RequestField, Tensor>;
  readonly #row: number;
  readonly #batchSize: number;

  constructor(tensors: ReadonlyMap<RequestField, Tensor>, row: number, batchSize: number) {
    this.#tensors = tensors;
    this.#row = row;
    this.#batchSize = batchSize;
  }

  numbers(field: RequestField): number[] | undefined {
    const tensor = this.#tensors.get(field);
    return tensor && numbers(this.#cut(tensor));
  }

  number(field: RequestField): number | undefined {
    const tensor = this.#tensors.get(field);
    return tensor && numbers(this.#one(tensor))[0];
  }

  seed(): bigint | undefined {
    const tensor = this.#tensors.get('seed');
    const value = tensor && bigints(this.#one(tensor))[0];
    return value === undefined ? undefined : BigInt.asUintN(64, value);
  }

  text(field: RequestField): string | undefined {
    const tensor = this.#tensors.get(field);
    return tensor && texts(this.#one(tensor))[0];
  }

  has(field: RequestField): boolean {
    return this.#tensors.has(field);
  }

  flag(field: RequestField): boolean | undefined {
    const value = this.number(field);
    return value === undefined ? undefined : value !== 0;
  }

  texts(field: RequestField): string[] | undefined {
    const tensor = this.#tensors.get(field);
    return tensor && texts(this.#cut(tensor));
  }

  tokenLists(field: RequestField): number[][] | undefined {
    const tensor = this.#tensors.get(field);
    return tensor && readTokenLists(tensor.name, numbers(this.#cut(tensor)));
  }

  /** The part of a tensor with one value for a row, which some send as an empty one. @throws {AloftError} REQUEST_INVALID */
  #one(tensor: Tensor): Tensor {
    const own = this.#cut(tensor);
    if (own.data.length <= 1) return own;
    throw new AloftError(
      'REQUEST_INVALID',
      `Input '${tensor.name}' has ${own.data.length} elements for a request, but one is read; send a batch with a row for each, or one element.`,
    );
  }

  /** The part of a tensor that belongs to this row, without the rest being read. */
  #cut(tensor: Tensor): Tensor {
    const rowLength = tensor.data.length / this.#batchSize;
    return { ...tensor, data: tensor.data.slice(this.#row * rowLength, (this.#row + 1) * rowLength) };
  }
}

/** @throws {AloftError} UNSUPPORTED for a tensor without meaning here, REQUEST_INVALID for a wrong value. */
export function readTensorRequest(
  request: InferRequest,
  model: ModelInterface,
  { batchSize, vocabulary }: { readonly batchSize: number; readonly vocabulary: number },
): TensorRequest {
  const tensors = new Map<RequestField, Tensor>();
  for (const tensor of request.inputs) {
    const { field } = model.inputs.get(tensor.name)!;
    if (field === 'unsupported' && tensor.data.length > 0) throw unsupported(tensor, request.modelName);
    tensors.set(field, tensor);
  }
  const rows = Array.from({ length: batchSize }, (_, i) => new Row(tensors, i, batchSize));
  const first = rows[0]!;
  const wants = [...tensors.keys()].filter(
    (field) => field.startsWith('return') && first.flag(field) === true,
  );
  if (alwaysHasLogprobs(model)) wants.push('returnLogProbs');
  const form: AnswerForm = {
    isStreaming: first.flag('streaming') ?? false,
    isCancel: first.flag('cancel') ?? false,
    excludeInput: first.flag('excludeInput'),
    padId: Math.max(0, first.number('padId') ?? first.number('endId') ?? 0),
    wants: new Set(wants),
  };
  if (form.isCancel) return { form, rows: [] };
  requireFewBiases(tensors.get('embeddingBias'));
  if (hasEmbeddings(model)) return { form, rows: rows.map(embeddingRequest) };
  return { form, rows: rows.map((row) => rowRequest(row, form, vocabulary)) };
}

function hasEmbeddings({ outputs }: ModelInterface): boolean {
  return [...outputs.values()].some(({ field }) => field === 'embedding');
}

function embeddingRequest(row: Row): GenerateRequest {
  return { prompt: promptOf(row), embedding: present({ dimensions: row.number('dimensions') }) };
}

/** True for models as of v0.6.1, whose postprocessing needs the log probabilities of every answer; logits came with later versions. */
function alwaysHasLogprobs({ inputs, outputs }: ModelInterface): boolean {
  const asksForLogits = [...inputs.values()].some(({ field }) => field === 'returnContextLogits');
  return !asksForLogits && [...outputs.values()].some(({ field }) => field === 'cumulativeLogprobs');
}

function rowRequest(row: Row, form: AnswerForm, vocabulary: number): GenerateRequest {
  const beamWidth = row.number('beamWidth') ?? 1;
  const endId = row.number('endId');
  // -1, and the same bits as UINT32: no end detection.
  const ignoreEos = endId === -1 || endId === 0xffffffff;
  const beam = {
    width: beamWidth,
    lengthPenalty: row.number('lengthPenalty') ?? 1,
    earlyStopping: row.flag('earlyStopping') ?? true,
  };
  return {
    prompt: promptOf(row),
    continuesPrompt: true,
    ...present({
      maxOutputTokens: maxOutputTokens(row),
      ...samplingOf(row),
      badWords: readWords(row.texts('badWords') ?? []),
      stop: readWords(row.texts('stopWords') ?? []),
      badTokenLists: row.tokenLists('badTokenLists'),
      stopTokenLists: row.tokenLists('stopTokenLists'),
      logitBias: logitBias(row, vocabulary),
      endIds: endId === undefined || ignoreEos ? undefined : [endId],
      ignoreEos: ignoreEos ? true : undefined,
      seed: row.seed(),
      constraint: constraintOf(row),
      beam: beamWidth > 1 ? beam : undefined,
      sequenceCount: row.number('sequenceCount') ?? (beamWidth > 1 ? beamWidth : undefined),
      logprobs: form.wants.has('returnLogProbs') ? 0 : undefined,
      returnContextLogits: form.wants.has('returnContextLogits') || undefined,
      returnGenerationLogits: form.wants.has('returnGenerationLogits') || undefined,
    }),
  };
}

/** An empty text asks for nothing, as an empty stop word does. */
function constraintOf(row: Row): Constraint | undefined {
  const [type = ''] = row.texts('guideType') ?? [];
  const [guide = ''] = row.texts('guide') ?? [];
  if (type === '' && guide === '') return undefined;
  return constraintOfGuide(type === '' ? undefined : type, guide);
}

function promptOf(row: Row): Prompt {
  if (row.has('text')) {
    const text = row.text('text');
    if (text === undefined) throw new AloftError('REQUEST_INVALID', 'text_input is required');
    return { type: 'text', text, addSpecialTokens: true };
  }
  const tokenIds = row.numbers('tokenIds') ?? [];
  const count = row.number('tokenCount') ?? tokenIds.length;
  if (count < 1 || count > tokenIds.length) {
    const message = `input_lengths is ${count}, but input_ids has ${tokenIds.length} ids and at least one is needed.`;
    throw new AloftError('REQUEST_INVALID', message);
  }
  return { type: 'tokens', tokenIds: tokenIds.slice(0, count) };
}

function maxOutputTokens(row: Row): number {
  const value = row.number('maxTokens');
  if (value !== undefined && value >= 1) return value;
  throw new AloftError(
    'REQUEST_INVALID',
    `max_tokens must be a single value > 0, but is ${value ?? 'missing'}.`,
  );
}

/**
 * TensorRT-LLM takes top_p 0 as "not set", and together with no top_k that leaves greedy. Its clients always send a temperature of
 * 1.0, which without top_k and top_p is greedy there, too; any other temperature samples.
 */
function samplingOf(row: Row): { readonly [Name in SamplingFieldName]: number | undefined } {
  const given = byName(SAMPLING_FIELD_NAMES, (name) => row.number(name));
  if (given.topP === 0) return { ...given, topP: undefined, topK: given.topK || 1 };
  const isUnset = given.topK === undefined && given.topP === undefined && given.minP === undefined;
  return isUnset && given.temperature === 1 ? { ...given, temperature: undefined, topK: 1 } : given;
}

function requireFewBiases(tensor: Tensor | undefined): void {
  if (tensor === undefined || !ArrayBuffer.isView(tensor.data)) return;
  let count = 0;
  for (const value of tensor.data) if (value) count++;
  requireWithin('biases', count, `Input '${tensor.name}'`);
}

/** embedding_bias [vocabulary]: only what is not zero. @throws {AloftError} REQUEST_INVALID for fewer values */
function logitBias(row: Row, vocabulary: number): Record<number, number> | undefined {
  const values = row.numbers('embeddingBias');
  if (values === undefined) return undefined;
  if (values.length > 0 && values.length < vocabulary)
    throw new AloftError(
      'REQUEST_INVALID',
      `embedding_bias has ${values.length} values, but needs one for each of the model's ${vocabulary} tokens.`,
    );
  const bias: Record<number, number> = {};
  for (const [id, value] of values.entries()) if (value !== 0) bias[id] = value;
  return bias;
}

function unsupported(tensor: Tensor, modelName: string): AloftError {
  return new AloftError(
    'UNSUPPORTED',
    `Input '${tensor.name}' of model '${modelName}' is not supported here; leave it out.`,
  );
}
