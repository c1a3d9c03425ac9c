/**
 * Responses -> bytes of ModelInferResponse and ModelStreamInferResponse, and back.
 * Written by hand because a stream sends one per token: what repeats is encoded once, and those that are ready together
 * are written as one piece.
 */
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import type { ModelInferResponse } from '../gen/inference_pb.js';
import type { ErrorReport } from '../../core/errors.js';
import { isDatatype } from '../kserve/datatype.js';
import type { InferResponse, Parameters, ParameterValue } from '../kserve/infer.js';
import { dataFromRaw, rawLength, writeRaw } from '../kserve/tensor-bytes.js';
import type { Tensor } from '../kserve/tensor.js';
import { readParameters } from './infer-request.js';

/** A response and what is added to its parameters. */
export interface StreamedResponse {
  readonly response: InferResponse;
  readonly more?: Parameters | undefined;
}

/** All of a message before its contents, which many messages of a stream share. */
interface Front {
  readonly response: InferResponse;
  readonly more: Parameters | undefined;
  readonly bytes: Uint8Array;
}

/** Field 2 of ModelStreamInferResponse, and field 6 of ModelInferResponse: both have a length. */
const INFER_RESPONSE_TAG = (2 << 3) | WireType.LengthDelimited;
const RAW_CONTENTS_TAG = (6 << 3) | WireType.LengthDelimited;
/** A flag and a length before each message of gRPC. */
const PREFIX_BYTES = 5;

/** Encodes the responses of one call. Keep one per stream. */
export class GrpcResponseEncoder {
  #front: Front | undefined;

  /** Bytes of a ModelInferResponse. */
  unary(response: InferResponse): Uint8Array {
    const front = this.#frontOf({ response });
    const bytes = Buffer.allocUnsafe(front.length + contentsLength(response));
    bytes.set(front);
    writeContents(response, bytes, front.length);
    return bytes;
  }

  /** Messages of type ModelStreamInferResponse as gRPC sends them one after another, to be written at once. */
  frames(list: readonly StreamedResponse[]): Uint8Array {
    const parts = list.map((item) => {
      const front = this.#frontOf(item);
      const innerLength = front.length + contentsLength(item.response);
      return { item, front, innerLength, messageLength: 1 + varintLength(innerLength) + innerLength };
    });
    const total = parts.reduce((sum, { messageLength }) => sum + PREFIX_BYTES + messageLength, 0);
    const bytes = Buffer.allocUnsafe(total);
    let at = 0;
    for (const { item, front, innerLength, messageLength } of parts) {
      at = writePrefix(bytes, at, messageLength);
      bytes[at++] = INFER_RESPONSE_TAG;
      at = writeVarint(bytes, at, innerLength);
      bytes.set(front, at);
      at = writeContents(item.response, bytes, at + front.length);
    }
    return bytes;
  }

  /** That of the message before, if only the contents differ. */
  #frontOf({ response, more }: StreamedResponse): Uint8Array {
    const known = this.#front;
    if (known !== undefined && known.more === more && hasSameFront(known.response, response))
      return known.bytes;
    const bytes = writeFront(response, more);
    this.#front = { response, more, bytes };
    return bytes;
  }
}

function hasSameFront(a: InferResponse, b: InferResponse): boolean {
  return (
    a.parameters === b.parameters &&
    a.id === b.id &&
    a.modelName === b.modelName &&
    a.modelVersion === b.modelVersion &&
    a.outputs.length === b.outputs.length &&
    a.outputs.every((output, i) => hasSameHead(output, b.outputs[i]!))
  );
}

function hasSameHead(a: Tensor, b: Tensor): boolean {
  return (
    a.name === b.name &&
    a.datatype === b.datatype &&
    a.shape.length === b.shape.length &&
    a.shape.every((dim, i) => dim === b.shape[i])
  );
}

function writeFront(response: InferResponse, more: Parameters = {}): Uint8Array {
  const { modelName, modelVersion, id, parameters, outputs } = response;
  const writer = new BinaryWriter().raw(writeHead(modelName, modelVersion, id));
  for (const [key, value] of [...Object.entries(parameters), ...Object.entries(more)])
    writeParameter(writer, key, value);
  for (const output of outputs) writer.raw(writeOutputHead(output));
  return writer.finish();
}

function contentsLength({ outputs }: InferResponse): number {
  let total = 0;
  for (const output of outputs) {
    const length = rawLength(output);
    total += 1 + varintLength(length) + length;
  }
  return total;
}

/** @returns the place behind them */
function writeContents({ outputs }: InferResponse, bytes: Buffer, start: number): number {
  let at = start;
  for (const output of outputs) {
    bytes[at++] = RAW_CONTENTS_TAG;
    at = writeVarint(bytes, at, rawLength(output));
    at = writeRaw(output, bytes, at);
  }
  return at;
}

function writePrefix(bytes: Buffer, at: number, messageLength: number): number {
  bytes[at] = 0;
  return bytes.writeUInt32BE(messageLength, at + 1);
}

function varintLength(value: number): number {
  let length = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) length++;
  return length;
}

function writeVarint(bytes: Buffer, start: number, value: number): number {
  let at = start;
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes[at++] = (rest % 0x80) | 0x80;
  bytes[at++] = rest;
  return at;
}

/** Response parameter with the code of an error on a stream, which has no status; Triton has no such. */
export const ERROR_CODE = 'error_code';

/** A message of type ModelStreamInferResponse that says one request failed, as gRPC sends it; the stream goes on. */
export function streamedError(id: string, modelName: string, { code, message }: ErrorReport): Uint8Array {
  const head = new BinaryWriter().raw(writeHead(modelName, '', id));
  writeParameter(head, ERROR_CODE, code);
  const bytes = new BinaryWriter()
    .tag(1, WireType.LengthDelimited)
    .string(message)
    .tag(2, WireType.LengthDelimited)
    .bytes(head.finish())
    .finish();
  const prefix = Buffer.alloc(PREFIX_BYTES);
  writePrefix(prefix, 0, bytes.length);
  return Buffer.concat([prefix, bytes]);
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
