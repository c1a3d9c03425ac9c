/** The preprocessing and postprocessing models: tensors in, tensors out, no engine. */
import { AloftError } from '../../core/errors.js';
import { requireWithin } from '../../core/request-limits.js';
import type { InferRequest } from '../../protocol/kserve/infer.js';
import { numberTensor, numbers, textTensor, texts, type Tensor } from '../../protocol/kserve/tensor.js';
import type { CodecModel } from '../repository/served-model.js';
import { readWords } from '../tensors/words.js';

/** Tensors of the one response; names and shapes are tensorrtllm_backend's. */
export async function runCodec(
  model: CodecModel,
  request: InferRequest,
  batchSize: number,
): Promise<Tensor[]> {
  const find = (name: string) => request.inputs.find((tensor) => tensor.name === name);
  const textBytes = request.inputs.reduce(
    (sum, { data }) => sum + (ArrayBuffer.isView(data) ? 0 : bytesOf(data)),
    0,
  );
  requireWithin('codecBytes', textBytes, 'The request');
  const all =
    model.kind === 'preprocessing' ? await preprocess(model, find, batchSize) : postprocess(model, find);
  const requested = new Set(request.outputs.map((output) => output.name));
  return all.filter(
    (tensor) =>
      model.interface.outputs.has(tensor.name) && (requested.size === 0 || requested.has(tensor.name)),
  );
}

function bytesOf(texts: readonly Uint8Array[]): number {
  return texts.reduce((sum, { length }) => sum + length, 0);
}

type Find = (name: string) => Tensor | undefined;

async function preprocess(model: CodecModel, find: Find, batchSize: number): Promise<Tensor[]> {
  const query = find('QUERY');
  if (query === undefined) throw new AloftError('REQUEST_INVALID', 'QUERY is required');
  const { codec } = model;
  const queries = texts(query).filter((_, i, list) => i % (list.length / batchSize) === 0);
  const ids = await Promise.all(queries.map((text) => codec.encode(text, model.addSpecialTokens)));
  const endId = find('END_ID') ?? scalarIds('OUT_END_ID', codec.endId, batchSize);
  const padId = find('PAD_ID') ?? scalarIds('OUT_PAD_ID', codec.padId ?? codec.endId, batchSize);
  const outputLengths = find('REQUEST_OUTPUT_LEN');
  const width = Math.max(...ids.map((row) => row.length));
  return [
    idBlock('INPUT_ID', ids, width, codec.padId ?? codec.endId ?? 0),
    numberTensor(
      'REQUEST_INPUT_LEN',
      'INT32',
      [batchSize, 1],
      ids.map((row) => row.length),
    ),
    ...decoderInputs(padId, batchSize),
    await wordTensor(model, 'BAD_WORDS_IDS', find('BAD_WORDS_DICT'), batchSize),
    await wordTensor(model, 'STOP_WORDS_IDS', find('STOP_WORDS_DICT'), batchSize),
    ...(outputLengths ? [outputLengths] : []),
    ...(endId ? [{ ...endId, name: 'OUT_END_ID' }] : []),
    ...(padId ? [{ ...padId, name: 'OUT_PAD_ID' }] : []),
  ];
}

/** Rows of unequal length as one tensor, [rows, width]. @throws {AloftError} REQUEST_INVALID */
function idBlock(name: string, rows: readonly (readonly number[])[], width: number, filler: number): Tensor {
  requireWithin('tensorNumbers', rows.length * width, `Output '${name}'`);
  const data = new Int32Array(rows.length * width).fill(filler);
  for (const [i, row] of rows.entries()) data.set(row, i * width);
  return { name, datatype: 'INT32', shape: [rows.length, width], data };
}

/** The start of a decoder's input, one padding id, which upstream makes for models of any kind. */
function decoderInputs(padId: Tensor | undefined, batchSize: number): Tensor[] {
  const [first = 0] = padId === undefined ? [] : numbers(padId);
  const each = (value: number) => Array.from({ length: batchSize }, () => value);
  return [
    numberTensor('DECODER_INPUT_ID', 'INT32', [batchSize, 1], each(first)),
    numberTensor('REQUEST_DECODER_INPUT_LEN', 'INT32', [batchSize, 1], each(1)),
  ];
}

function scalarIds(name: string, id: number | undefined, batchSize: number): Tensor | undefined {
  if (id === undefined) return undefined;
  return numberTensor(
    name,
    'INT32',
    [batchSize, 1],
    Array.from({ length: batchSize }, () => id),
  );
}

/** [batch, 2, length]: all ids one after another, padded with 0; inclusive end offsets, padded with -1. */
async function wordTensor(
  model: CodecModel,
  name: string,
  words: Tensor | undefined,
  batchSize: number,
): Promise<Tensor> {
  const elements = words === undefined ? [] : texts(words);
  const perRow = elements.length / batchSize;
  const rows = await Promise.all(
    Array.from({ length: batchSize }, async (_, row) => {
      const list = readWords(elements.slice(row * perRow, (row + 1) * perRow));
      const ids = await Promise.all(list.map((word) => model.codec.encode(word, false)));
      let end = 0;
      return { ids: ids.flat(), ends: ids.map((word) => (end += word.length)) };
    }),
  );
  const width = Math.max(1, ...rows.map((row) => row.ids.length));
  const size = batchSize * 2 * width;
  requireWithin('tensorNumbers', size, `Output '${name}'`);
  const data = new Int32Array(size);
  for (const [i, row] of rows.entries()) {
    const start = i * 2 * width;
    data.set(row.ids, start);
    data.fill(-1, start + width, start + 2 * width).set(row.ends, start + width);
  }
  return { name, datatype: 'INT32', shape: [batchSize, 2, width], data };
}

/** TOKENS_BATCH [batch, beams, tokens], SEQUENCE_LENGTH [batch, beams] -> OUTPUT [batch * beams]. */
function postprocess(model: CodecModel, find: Find): Tensor[] {
  const tokens = find('TOKENS_BATCH');
  if (tokens === undefined) throw new AloftError('REQUEST_INVALID', 'TOKENS_BATCH is required');
  const width = tokens.shape.at(-1) ?? 0;
  requireWithin('codecIds', tokens.data.length, `Input 'TOKENS_BATCH'`);
  requireWithin('codecRows', width === 0 ? 0 : tokens.data.length / width, `Input 'TOKENS_BATCH'`);
  const ids = numbers(tokens);
  const lengthTensor = find('SEQUENCE_LENGTH');
  const lengths = lengthTensor && numbers(lengthTensor);
  const rowCount = width === 0 ? 0 : ids.length / width;
  const rows = Array.from({ length: rowCount }, (_, i) => {
    const row = ids.slice(i * width, (i + 1) * width).slice(0, lengths?.[i] ?? width);
    return model.codec.decode(row, model.skipSpecialTokens);
  });
  return [textTensor('OUTPUT', [rows.length], rows)];
}
