/**
 * Responses -> bytes of ModelInferResponse and ModelStreamInferResponse, and back.
 * Written by hand because a stream sends one per token: what repeats within a stream is encoded once.
 */
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import type { ModelInferResponse } from '../gen/inference_pb.js';
import type { ErrorReport } from '../../core/errors.js';
import { isDatatype } from '../kserve/datatype.js';
import type { InferResponse, Parameters, ParameterValue } from '../kserve/infer.js';
import { dataFromRaw, rawBytes } from '../kserve/tensor-bytes.js';
import type { Tensor } from '../kserve/tensor.js';
import { readParameters } from './infer-request.js';

/** Encodes the responses of one call. Keep one per stream. */
export class GrpcResponseEncoder {
  #headKey = '';
  #head: Uint8Array = new Uint8Array();
  readonly #outputHeads = new Map<string, Uint8Array>();
  readonly #parameters = new WeakMap<Parameters, Uint8Array>();

  /** Bytes of a ModelInferResponse. @param more parameters besides the response's */
  unary(response: InferResponse, more?: Parameters): Uint8Array {
    const writer = new BinaryWriter()
      .raw(this.#headOf(response))
      .raw(this.#parametersOf(response.parameters));
    if (more !== undefined) writer.raw(this.#parametersOf(more));
    for (const tensor of response.outputs) writer.raw(this.#outputHeadOf(tensor));
    for (const tensor of response.outputs) writer.tag(6, WireType.LengthDelimited).bytes(rawBytes(tensor));
    return writer.finish();
  }

  /** Bytes of a ModelStreamInferResponse. */
  streamed(response: InferResponse, more?: Parameters): Uint8Array {
    return new BinaryWriter().tag(2, WireType.LengthDelimited).bytes(this.unary(response, more)).finish();
  }

  /** A stream's responses share their parameter objects. */
  #parametersOf(parameters: Parameters): Uint8Array {
    let bytes = this.#parameters.get(parameters);
    if (bytes === undefined) {
      const writer = new BinaryWriter();
      for (const [key, value] of Object.entries(parameters)) writeParameter(writer, key, value);
      this.#parameters.set(parameters, (bytes = writer.finish()));
    }
    return bytes;
  }

  #headOf({ modelName, modelVersion, id }: InferResponse): Uint8Array {
    const key = `${modelName}\n${modelVersion}\n${id}`;
    if (key !== this.#headKey) {
      this.#headKey = key;
      this.#head = writeHead(modelName, modelVersion, id);
    }
    return this.#head;
  }

  #outputHeadOf(tensor: Tensor): Uint8Array {
    const key = `${tensor.name}\n${tensor.datatype}\n${tensor.shape.join(',')}`;
    let head = this.#outputHeads.get(key);
    if (head === undefined) {
      head = writeOutputHead(tensor);
      if (this.#outputHeads.size < MAX_CACHED_HEADS) this.#outputHeads.set(key, head);
    }
    return head;
  }
}

/** Shapes of a stream are few: those of one token, and perhaps of a merged pair. */
const MAX_CACHED_HEADS = 64;

/** Response parameter with the code of an error on a stream, which has no status; Triton has no such. */
export const ERROR_CODE = 'error_code';

/** Bytes of a ModelStreamInferResponse that says one request failed; the stream goes on. */
export function streamedError(id: string, modelName: string, { code, message }: ErrorReport): Uint8Array {
  const head = new BinaryWriter().raw(writeHead(modelName, '', id));
  writeParameter(head, ERROR_CODE, code);
  return new BinaryWriter()
    .tag(1, WireType.LengthDelimited)
    .string(message)
    .tag(2, WireType.LengthDelimited)
    .bytes(head.finish())
    .finish();
}

/** @throws {AloftError} REQUEST_INVALID when the contents do not fit the types. */
export function readGrpcResponse(message: ModelInferResponse): InferResponse {
  return {
    modelName: message.modelName,
    modelVersion: message.modelVersion,
    id: message.id,
    parameters: readParameters(message.parameters),
    outputs: message.outputs.flatMap((output, i) => {
      const { name, datatype } = output;
      const raw = message.rawOutputContents[i];
      if (!isDatatype(datatype) || raw === undefined) return [];
      return [{ name, datatype, shape: output.shape.map(Number), data: dataFromRaw(name, datatype, raw) }];
    }),
  };
}

function writeHead(modelName: string, modelVersion: string, id: string): Uint8Array {
  const writer = new BinaryWriter();
  for (const [i, text] of [modelName, modelVersion, id].entries()) {
    if (text !== '') writer.tag(i + 1, WireType.LengthDelimited).string(text);
  }
  return writer.finish();
}

function writeParameter(writer: BinaryWriter, key: string, value: ParameterValue): void {
  writer.tag(4, WireType.LengthDelimited).fork();
  writer.tag(1, WireType.LengthDelimited).string(key);
  writer.tag(2, WireType.LengthDelimited).fork();
  if (typeof value === 'boolean') writer.tag(1, WireType.Varint).bool(value);
  else if (typeof value === 'string') writer.tag(3, WireType.LengthDelimited).string(value);
  else if (typeof value === 'bigint' || Number.isSafeInteger(value))
    writer.tag(2, WireType.Varint).int64(value);
  else writer.tag(4, WireType.Bit64).double(value);
  writer.join().join();
}

function writeOutputHead({ name, datatype, shape }: Tensor): Uint8Array {
  const writer = new BinaryWriter().tag(5, WireType.LengthDelimited).fork();
  writer.tag(1, WireType.LengthDelimited).string(name);
  writer.tag(2, WireType.LengthDelimited).string(datatype);
  writer.tag(3, WireType.LengthDelimited).fork();
  for (const dim of shape) writer.int64(dim);
  return writer.join().join().finish();
}
