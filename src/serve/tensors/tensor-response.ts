/** Events of the rows of one request -> responses with the model's output tensors. */
import { floatToHalf } from '../../core/dtype.js';
import type { GenerateEvent, TextLogprobs } from '../../core/generate.js';
import { joinLogits } from '../../core/logits.js';
import type { FinishReason, KvBlockUsage, RequestTimings, Usage } from '../../core/request.js';
import type { Datatype } from '../../protocol/kserve/datatype.js';
import { numberTensor, textTensor, type Tensor } from '../../protocol/kserve/tensor.js';
import type { RequestField, ResponseField } from './fields.js';
import type { ModelInterface } from './interface.js';
import type { AnswerForm } from './tensor-request.js';

/** One continuation, or one streamed piece of it. */
export interface Piece {
  readonly row: number;
  readonly sequence: number;
  readonly text: string;
  readonly tokenIds: readonly number[];
  /** Tokens of `tokenIds` that were generated; the others are the prompt's. */
  readonly outputCount: number;
  readonly logprobs: readonly TextLogprobs[];
  /** [tokens, vocabulary] */
  readonly logits: Float32Array | undefined;
  readonly cumulativeLogprob: number;
  readonly finishReason: FinishReason | undefined;
}

/** Facts about a row besides its continuations. */
export interface RowFacts {
  readonly promptTokenIds: readonly number[];
  /** Sampling parameters of the row. */
  readonly seed: bigint | undefined;
  /** [prompt tokens, vocabulary] */
  readonly contextLogits: Float32Array | undefined;
  /** [dimensions] */
  readonly embedding: Float32Array | undefined;
  readonly usage: Usage | undefined;
  readonly timings: RequestTimings | undefined;
}

export interface TensorAnswer {
  readonly pieces: readonly Piece[];
  readonly rows: readonly RowFacts[];
  /** One piece of several responses. */
  readonly isStreamed: boolean;
  /** True for more than one row or continuation: streamed pieces then name theirs. */
  readonly isMany: boolean;
}

/** Outputs that are made only when the request asks for them. */
const ON_REQUEST: Readonly<Partial<Record<ResponseField, RequestField>>> = {
  cumulativeLogprobs: 'returnLogProbs',
  outputLogprobs: 'returnLogProbs',
  contextLogits: 'returnContextLogits',
  generationLogits: 'returnGenerationLogits',
  arrivalNs: 'returnPerfMetrics',
  firstScheduledNs: 'returnPerfMetrics',
  firstTokenNs: 'returnPerfMetrics',
  lastTokenNs: 'returnPerfMetrics',
  draftCount: 'returnPerfMetrics',
  takenBlocks: 'returnPerfMetrics',
  freshBlocks: 'returnPerfMetrics',
  reusedBlocks: 'returnPerfMetrics',
  inputTokenCount: 'returnInputTokenCount',
  outputTokenCount: 'returnOutputTokenCount',
  finishReason: 'returnFinishReason',
};

/** Makes the tensors of one response, in the model's order; only those that were asked for and exist. */
export function outputTensors(
  model: ModelInterface,
  form: AnswerForm,
  requested: ReadonlySet<string>,
): (answer: TensorAnswer) => Tensor[] {
  const wanted = [...model.outputs.values()].filter(({ name, field }) => {
    const condition = ON_REQUEST[field];
    return (
      (requested.size === 0 || requested.has(name)) && (condition === undefined || form.wants.has(condition))
    );
  });
  return (answer) => {
    const tensors: Tensor[] = [];
    for (const output of wanted) {
      const tensor = MAKERS[output.field](output, answer, form);
      if (tensor !== undefined) tensors.push(tensor);
    }
    return tensors;
  };
}

/** The output of a model that a tensor is made for. */
interface Output {
  readonly name: string;
  readonly datatype: Datatype;
}

/** Undefined where the answer has no such thing, or not in this response. */
type MakeTensor = (output: Output, answer: TensorAnswer, form: AnswerForm) => Tensor | undefined;

const MAKERS: Readonly<Record<ResponseField, MakeTensor>> = {
  text: ({ name }, { pieces }) =>
    textTensor(
      name,
      [pieces.length],
      pieces.map((piece) => piece.text),
    ),
  tokenIds: ({ name }, answer, { padId }) => {
    const { shape, values } = padded(
      answer.pieces.map((piece) => piece.tokenIds),
      padId,
    );
    return numberTensor(name, 'INT32', [...rowShape(answer), ...shape], values);
  },
  sequenceLengths: ({ name }, answer) =>
    numberTensor(
      name,
      'INT32',
      rowShape(answer),
      answer.pieces.map((piece) => piece.tokenIds.length),
    ),
  cumulativeLogprobs: ({ name }, answer) =>
    numberTensor(
      name,
      'FP32',
      rowShape(answer),
      answer.pieces.map((piece) => piece.cumulativeLogprob),
    ),
  outputLogprobs: ({ name }, answer) => {
    const { shape, values } = padded(
      answer.pieces.map((piece) => piece.logprobs.map((entry) => entry.logprob)),
      0,
    );
    return numberTensor(name, 'FP32', [...rowShape(answer), ...shape], values);
  },
  embedding: (output, { rows }) => {
    const embeddings = rows.map((row) => row.embedding ?? new Float32Array());
    return logitsTensor(output, [rows.length, embeddings[0]?.length ?? 0], joinLogits(embeddings));
  },
  contextLogits: (output, { rows: [first] }) => {
    if (first?.contextLogits === undefined) return undefined;
    const tokenCount = first.promptTokenIds.length;
    const shape = [1, tokenCount, first.contextLogits.length / tokenCount];
    return logitsTensor(output, shape, first.contextLogits);
  },
  generationLogits: (output, answer) => {
    const block = generationLogits(answer.pieces);
    return block && logitsTensor(output, [...rowShape(answer), ...block.shape], block.logits);
  },
  draftCount: (output, { rows }) =>
    scalars(
      output,
      rows.map(() => 0),
    ),
  batchIndex: indexTensor('row'),
  sequenceIndex: indexTensor('sequence'),
  inputTokenCount: (output, { rows }) =>
    scalars(
      output,
      rows.map((row) => row.promptTokenIds.length),
    ),
  outputTokenCount: (output, { pieces }) =>
    scalars(
      output,
      pieces.map((piece) => piece.tokenIds.length),
    ),
  finishReason: ({ name }, { pieces }) => {
    const reasons = pieces.map((piece) => piece.finishReason ?? '');
    return reasons.some((reason) => reason !== '') ? textTensor(name, [pieces.length], reasons) : undefined;
  },
  arrivalNs: timeTensor('submittedMs'),
  firstScheduledNs: timeTensor('scheduledMs'),
  firstTokenNs: timeTensor('firstTokenMs'),
  lastTokenNs: timeTensor('finishedMs'),
  takenBlocks: blockTensor('taken'),
  freshBlocks: blockTensor('fresh'),
  reusedBlocks: blockTensor('reused'),
  absent: () => undefined,
};

/** [rows, continuations of each] */
function rowShape({ rows, pieces }: TensorAnswer): number[] {
  return [rows.length, rows.length === 0 ? 0 : pieces.length / rows.length];
}

/** Streamed pieces name their row and their continuation where there are several. */
function indexTensor(key: 'row' | 'sequence'): MakeTensor {
  return (output, { pieces, isStreamed, isMany }) =>
    isStreamed && isMany ? scalars(output, [pieces[0]?.[key] ?? 0]) : undefined;
}

function scalars({ name, datatype }: Output, values: readonly number[]): Tensor {
  return numberTensor(name, datatype === 'BYTES' ? 'INT32' : datatype, [values.length, 1], values);
}

/** Rows of unequal length as one block. */
function padded(
  rows: readonly (readonly number[])[],
  padding: number,
): { readonly shape: readonly number[]; readonly values: readonly number[] } {
  const [only] = rows;
  if (rows.length === 1 && only !== undefined) return { shape: [only.length], values: only };
  const width = Math.max(0, ...rows.map((row) => row.length));
  const values = rows.flatMap((row) => [
    ...row,
    ...Array.from({ length: width - row.length }, () => padding),
  ]);
  return { shape: [width], values };
}

/** Logits of all pieces as one block: [tokens of the longest, vocabulary] each, padded with 0. Undefined when a piece has none. */
function generationLogits(pieces: readonly Piece[]) {
  const parts = pieces.map(({ logits, outputCount }) => ({ logits, outputCount }));
  const longest = Math.max(0, ...parts.map(({ outputCount }) => outputCount));
  const given = parts.find(({ logits, outputCount }) => logits !== undefined && outputCount > 0);
  if (given === undefined) return undefined;
  const vocabulary = given.logits!.length / given.outputCount;
  const joined = new Float32Array(parts.length * longest * vocabulary);
  for (const [i, { logits }] of parts.entries()) joined.set(logits ?? [], i * longest * vocabulary);
  return { shape: [longest, vocabulary], logits: joined };
}

function logitsTensor({ name, datatype }: Output, shape: readonly number[], logits: Float32Array): Tensor {
  if (datatype !== 'FP16') return { name, datatype: 'FP32', shape, data: logits };
  return { name, datatype, shape, data: Uint16Array.from(logits, floatToHalf) };
}

/** Times are on the batcher's clock; the end of the request is now. */
function timeTensor(key: keyof RequestTimings): MakeTensor {
  return ({ name }, { rows: [first] }) => {
    const at = first?.timings?.[key];
    const finished = first?.timings?.finishedMs;
    if (at === undefined || finished === undefined) return undefined;
    const epochMs = Date.now() - (finished - at);
    return numberTensor(name, 'INT64', [1, 1], [BigInt(Math.round(epochMs * 1000)) * 1000n]);
  };
}

/** Known at the end of a request: a streamed answer has it with its last piece. */
function blockTensor(key: keyof KvBlockUsage): MakeTensor {
  return ({ name }, { rows }) => {
    const counts = rows.flatMap(({ usage }) => usage?.kvBlocks?.[key] ?? []);
    return counts.length === rows.length ? scalars({ name, datatype: 'INT32' }, counts) : undefined;
  };
}

/** Collects the facts of a row from its events. */
export function emptyRow(): RowFacts {
  return {
    promptTokenIds: [],
    seed: undefined,
    contextLogits: undefined,
    embedding: undefined,
    usage: undefined,
    timings: undefined,
  };
}

export function withEvent(row: RowFacts, event: GenerateEvent): RowFacts {
  switch (event.type) {
    case 'started':
      return { ...row, promptTokenIds: event.promptTokenIds, seed: event.seed };
    case 'prompt':
      return { ...row, contextLogits: event.logits, embedding: event.embedding };
    case 'finished':
      return { ...row, usage: event.usage, timings: event.timings };
    default:
      return row;
  }
}
