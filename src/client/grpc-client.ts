/** A client over gRPC, for this server and for Triton. */
import { create, type MessageInitShape, type MessageShape, type DescMethod } from '@bufbuild/protobuf';
import {
  Client,
  Metadata,
  credentials,
  type ClientDuplexStream,
  type ClientUnaryCall,
  type ServiceError,
} from '@grpc/grpc-js';
import { AloftError, ERROR_CATALOGUE, GRPC, isErrorCode, type ErrorCode } from '../core/errors.js';
import {
  GRPCInferenceService as Service,
  type ModelInferResponse,
  type ModelStreamInferResponse,
} from '../protocol/gen/inference_pb.js';
import { writeGrpcRequest } from '../protocol/grpc/infer-request.js';
import { ERROR_CODE, readGrpcResponse } from '../protocol/grpc/infer-response.js';
import { INFERENCE_SERVICE, type Outgoing } from '../protocol/grpc/service.js';
import type { Datatype } from '../protocol/kserve/datatype.js';
import type { InferRequest, InferResponse } from '../protocol/kserve/infer.js';
import { numbers, numberTensor, texts, textTensor, type Tensor } from '../protocol/kserve/tensor.js';
import { GrpcConnections } from './grpc-connections.js';
import type { CallOptions } from './http-client.js';
import { fieldTensors, type FieldTensor, type TextPiece, type TextRequest } from './text-request.js';

export interface TlsOptions {
  /** PEM texts. Without a root the system's are used. */
  readonly rootCertificates?: Uint8Array;
  readonly privateKey?: Uint8Array;
  readonly certificateChain?: Uint8Array;
}

export interface GrpcClientOptions {
  /** `host:port` */
  readonly address: string;
  readonly apiKey?: string;
  readonly tls?: TlsOptions;
}

const bufferOf = (bytes: Uint8Array | undefined): Buffer | null =>
  bytes === undefined ? null : Buffer.from(bytes);

export class GrpcClient {
  readonly #connections: GrpcConnections;
  readonly #metadata = new Metadata();
  readonly #knownTypes = new Map<string, Promise<ReadonlyMap<string, Datatype>>>();

  constructor({ address, apiKey, tls }: GrpcClientOptions) {
    const channel =
      tls === undefined
        ? credentials.createInsecure()
        : credentials.createSsl(
            bufferOf(tls.rootCertificates),
            bufferOf(tls.privateKey),
            bufferOf(tls.certificateChain),
          );
    const options = {
      'grpc.max_receive_message_length': -1,
      'grpc.max_send_message_length': -1,
      // Otherwise all clients of one address share a connection.
      'grpc.use_local_subchannel_pool': 1,
    };
    this.#connections = new GrpcConnections(() => new Client(address, channel, options));
    if (apiKey !== undefined) this.#metadata.set('authorization', `Bearer ${apiKey}`);
  }

  /** Any unary call of the service, typed by its descriptor. @throws {AloftError} with the server's message */
  async call<Method extends DescMethod>(
    method: Method,
    request: MessageInitShape<Method['input']>,
    options: CallOptions = {},
  ): Promise<MessageShape<Method['output']>> {
    return (await this.#unary(method.name, create(method.input, request), options)) as MessageShape<
      Method['output']
    >;
  }

  async isReady(): Promise<boolean> {
    return (await this.call(Service.method.serverReady, {})).ready;
  }

  /** One request, one response. */
  async infer(request: InferRequest, options: CallOptions = {}): Promise<InferResponse> {
    const message = await this.#unary('ModelInfer', writeGrpcRequest(request), options);
    return readGrpcResponse(message as ModelInferResponse);
  }

  /**
   * One request on a stream of its own; responses as they come. Leaving early or aborting cancels it on the server.
   * @throws {AloftError} what the server said of the request
   */
  async *inferStream(
    request: InferRequest,
    options: CallOptions = {},
  ): AsyncGenerator<InferResponse, void, void> {
    const { path, requestSerialize, responseDeserialize } = INFERENCE_SERVICE['ModelStreamInfer']!;
    const stream = this.#connections.start((client): ClientDuplexStream<Outgoing, Outgoing> =>
      client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, this.#metadata),
    );
    const ignoreSignal = cancelOnAbort(stream, options.signal);
    stream.write(writeGrpcRequest(request));
    stream.end();
    try {
      for await (const item of stream) {
        const { errorMessage, inferResponse } = item as ModelStreamInferResponse;
        if (errorMessage !== '') throw streamError(errorMessage, inferResponse);
        if (inferResponse !== undefined) yield readGrpcResponse(inferResponse);
      }
    } catch (error) {
      throw asAloftError(error);
    } finally {
      ignoreSignal();
      // An error that comes after the reader has left concerns nobody.
      stream.on('error', () => undefined);
      stream.cancel();
    }
  }

  /** The text of a request in pieces: many when `request.stream`, otherwise one. */
  async *generate(request: TextRequest, options: CallOptions = {}): AsyncGenerator<TextPiece, void, void> {
    const modelName = request.model ?? 'ensemble';
    const types = await this.inputTypes(modelName);
    const inputs = fieldTensors(request).flatMap((field) => {
      const datatype = types.get(field.name);
      return datatype === undefined ? [] : [tensorOf({ ...field, datatype })];
    });
    const inferRequest: InferRequest = {
      modelName,
      modelVersion: '',
      id: request.id ?? '',
      parameters: {},
      inputs,
      outputs: [],
    };
    for await (const response of this.inferStream(inferRequest, options)) yield* piecesOf(response);
  }

  close(): void {
    this.#connections.close();
  }

  /**
   * Datatypes of a model's inputs: older servers have UINT32 where later ones have INT32. All requests wait for one answer, so
   * none of them may cancel it. @throws {AloftError}
   */
  async inputTypes(modelName: string): Promise<ReadonlyMap<string, Datatype>> {
    let types = this.#knownTypes.get(modelName);
    if (types === undefined) {
      types = this.call(Service.method.modelMetadata, { name: modelName }).then(
        ({ inputs }) => new Map(inputs.map((input) => [input.name, input.datatype as Datatype])),
      );
      this.#knownTypes.set(modelName, types);
      types.catch(() => this.#knownTypes.delete(modelName));
    }
    return await types;
  }

  async #unary(name: string, request: Outgoing, { signal }: CallOptions): Promise<Outgoing> {
    const { path, requestSerialize, responseDeserialize } = INFERENCE_SERVICE[name]!;
    return await new Promise((resolve, reject) => {
      const done = (error: ServiceError | null, response?: Outgoing) => {
        ignoreSignal();
        if (response !== undefined) resolve(response);
        else reject(asAloftError(error));
      };
      const call = this.#connections.start((client): ClientUnaryCall =>
        client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, this.#metadata, done),
      );
      const ignoreSignal = cancelOnAbort(call, signal);
    });
  }
}

/** @returns a function that stops listening: a signal may outlive many calls. */
function cancelOnAbort(call: { cancel(): void }, signal: AbortSignal | undefined): () => void {
  const cancel = () => call.cancel();
  if (signal?.aborted === true) cancel();
  signal?.addEventListener('abort', cancel, { once: true });
  return () => signal?.removeEventListener('abort', cancel);
}

/** Aloft sends the code in a parameter; Triton sends none. */
function streamError(message: string, response: ModelInferResponse | undefined): AloftError {
  const code = response === undefined ? undefined : readGrpcResponse(response).parameters[ERROR_CODE];
  return new AloftError(isErrorCode(code) ? code : 'REQUEST_INVALID', message);
}

function tensorOf({ name, datatype, value }: FieldTensor): Tensor {
  if (datatype === 'BYTES') {
    const list = typeof value === 'object' ? value : [String(value)];
    return textTensor(name, [1, list.length], list);
  }
  return numberTensor(name, datatype, [1, 1], [value as number | bigint | boolean]);
}

function piecesOf({ outputs }: InferResponse): TextPiece[] {
  const find = (name: string) => outputs.find((output) => output.name === name);
  const text = find('text_output');
  if (text === undefined) return [];
  const index = find('sequence_index');
  const first = index === undefined ? 0 : (numbers(index)[0] ?? 0);
  const list = texts(text);
  const logProbs = find('output_log_probs');
  return list.map((item, i) => ({
    text: item,
    sequence: first + i,
    logProbs: logProbs === undefined || list.length > 1 ? [] : numbers(logProbs),
  }));
}

/** gRPC statuses that need no other code than the catalogue's first of that status. */
function asAloftError(error: unknown): AloftError {
  if (error instanceof AloftError) return error;
  if (!(error instanceof Error)) return new AloftError('INTERNAL', String(error));
  const status = 'code' in error ? error.code : undefined;
  const details = 'details' in error && typeof error.details === 'string' ? error.details : error.message;
  if (status === GRPC.UNAVAILABLE && BROKEN_CONNECTION.test(details)) {
    const message = `The server cannot be reached, or the connection broke (${causeOf(details)}); is it running?`;
    return new AloftError('SERVER_UNREACHABLE', message, { cause: error });
  }
  return new AloftError(STATUS_CODES.get(Number(status)) ?? 'INTERNAL', details, { cause: error });
}

/** The library wraps the system's own words in sentences of its own. */
function causeOf(details: string): string {
  return /Last error: (?:Error: )?(.+?)\.? Resolution note:/.exec(details)?.[1] ?? details;
}

/** Messages with which the gRPC library itself reports that there is no server; servers use the same status with others. */
const BROKEN_CONNECTION = /^(No connection established|Connection dropped|Name resolution failed|.*ECONN)/;

const PREFERRED: readonly ErrorCode[] = [
  'REQUEST_INVALID',
  'MODEL_NOT_FOUND',
  'QUEUE_FULL',
  'MODEL_UNAVAILABLE',
  'CANCELLED',
  'DEADLINE_EXCEEDED',
  'UNAUTHENTICATED',
  'UNSUPPORTED',
  'INTERNAL',
];
const STATUS_CODES: ReadonlyMap<number, ErrorCode> = new Map(
  PREFERRED.map((code) => [ERROR_CATALOGUE[code].grpc, code]),
);
