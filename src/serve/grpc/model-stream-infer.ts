/**
 * ModelStreamInfer: many requests on one stream. Answers of decoupled models come as they are made, interleaved and
 * matched by id; those of other models in the order of their requests. One request's error does not end the stream.
 */
import { setMaxListeners } from 'node:events';
import type { ServerDuplexStream } from '@grpc/grpc-js';
import type { ServerHttp2Stream } from 'node:http2';
import { ModelInferRequestSchema } from '../../protocol/gen/inference_pb.js';
import { EMPTY_FINAL, readGrpcRequest } from '../../protocol/grpc/infer-request.js';
import { GrpcResponseEncoder, streamedError } from '../../protocol/grpc/infer-response.js';
import { decodeRequest, type Outgoing } from '../../protocol/grpc/service.js';
import { AloftError } from '../../core/errors.js';
import type { InferRequest, InferResponse } from '../../protocol/kserve/infer.js';
import type { InferCall, ResponseBatch } from '../inference/infer-call.js';
import type { ServedModel } from '../repository/served-model.js';
import { clientReport } from '../inference/client-report.js';
import type { Caller } from '../context/access.js';
import type { ServerContext } from '../context/server-context.js';
import { remainingMs } from './deadline.js';
import { callCredentials, textOf } from './guard.js';
import { grpcStatus } from './status.js';
import { PacedWriter } from './paced-writer.js';
import type { RawStreams } from './raw-streams.js';

type Stream = ServerDuplexStream<Outgoing, Outgoing>;

const LAST = { triton_final_response: true };
const NOT_LAST = { triton_final_response: false };

/** The streams of a server. */
export class InferStreams {
  readonly #context: ServerContext;
  readonly #rawStreams: RawStreams;
  readonly #open = new Set<StreamSession>();

  constructor(context: ServerContext, rawStreams: RawStreams) {
    this.#context = context;
    this.#rawStreams = rawStreams;
  }

  readonly handler = (stream: Stream): void => {
    const session = new StreamSession(this.#context, stream, this.#rawStreams.of(stream.metadata));
    this.#open.add(session);
    session.ended.addEventListener('abort', () => this.#open.delete(session));
    stream.on('data', (message: Outgoing) => session.take(message));
    // The client has sent all: the stream ends when all is answered.
    stream.on('end', () => session.finish());
    stream.on('cancelled', () => session.cancel());
    // A broken connection: 'cancelled' follows, which does the work.
    stream.on('error', () => session.cancel());
  };

  /** Ends those that clients keep open with the reason, each when what it has asked for is answered. */
  shutDown(): void {
    for (const session of this.#open) session.shutDown();
  }
}

class StreamSession {
  readonly #context: ServerContext;
  readonly #stream: Stream;
  readonly #writer: PacedWriter;
  readonly #controller = new AbortController();
  /** `triton_grpc_error: true` in the metadata: the first error ends the stream with a status. */
  readonly #endsOnError: boolean;
  readonly #caller: Caller;
  #ordered: Promise<void> = Promise.resolve();
  #openCount = 0;
  #hasAllRequests = false;
  #isShutDown = false;

  constructor(context: ServerContext, stream: Stream, raw: ServerHttp2Stream) {
    this.#context = context;
    // Each request of the stream that runs listens to it.
    setMaxListeners(0, this.#controller.signal);
    this.#stream = stream;
    this.#writer = new PacedWriter(stream, raw, context.options.writeTimeoutMs);
    this.#caller = context.access.callerOf(callCredentials(stream.metadata));
    this.#endsOnError = textOf(stream.metadata, 'triton_grpc_error') === 'true';
  }

  take(bytes: Outgoing): void {
    if (this.#controller.signal.aborted) return;
    this.#openCount++;
    let request: InferRequest;
    let model: ServedModel;
    /** Names that an error is reported under, as far as they are known. */
    let named = { id: '', modelName: '' };
    try {
      const message = decodeRequest(ModelInferRequestSchema, bytes);
      named = message;
      request = readGrpcRequest(message);
      model = this.#context.repository.resolve(request.modelName, request.modelVersion);
      this.#context.health.requireServing(model);
    } catch (error) {
      void this.#ending(this.#fail(named.id, named.modelName, error));
      return;
    }
    const isDecoupled = 'engine' in model && model.isDecoupled;
    // All run at once; of those whose order counts each waits with its answer until the one before it has written its own.
    const turn = isDecoupled ? undefined : this.#ordered;
    const answered = this.#answer(model, request, turn);
    if (!isDecoupled) this.#ordered = answered;
    void this.#ending(answered);
  }

  finish(): void {
    this.#hasAllRequests = true;
    this.#endWhenAnswered();
  }

  cancel(): void {
    this.#controller.abort();
  }

  shutDown(): void {
    this.#isShutDown = true;
    this.#endWhenAnswered();
  }

  /** Aborted when the stream has ended, however it did. */
  get ended(): AbortSignal {
    return this.#controller.signal;
  }

  async #ending(answered: Promise<void>): Promise<void> {
    await answered;
    this.#openCount--;
    this.#endWhenAnswered();
  }

  #endWhenAnswered(): void {
    if (this.#openCount > 0 || this.#controller.signal.aborted) return;
    if (this.#hasAllRequests) {
      this.#controller.abort();
      this.#stream.end();
    } else if (this.#isShutDown) this.#endWith(new AloftError('SHUTTING_DOWN', 'Server exiting'));
  }

  /** Ends the stream, and the requests on it, with a status. */
  #endWith(error: unknown): void {
    this.#controller.abort();
    this.#stream.emit('error', grpcStatus(error, this.#context.log));
  }

  /** @param turn what must be written before; undefined for decoupled models, whose answers may interleave. Never rejects. */
  async #answer(model: ServedModel, request: InferRequest, turn: Promise<void> | undefined): Promise<void> {
    const isDecoupled = turn === undefined;
    const { [EMPTY_FINAL]: wantsEmptyFinal, ...parameters } = request.parameters;
    const call: InferCall = {
      model,
      request: { ...request, parameters },
      signal: this.#controller.signal,
      protocol: 'grpc',
      caller: this.#caller,
      traceparent: textOf(this.#stream.metadata, 'traceparent'),
      deadlineMs: remainingMs(this.#stream.getDeadline()),
      acceptsMany: true,
      isStream: true,
    };
    const encoder = new GrpcResponseEncoder();
    const write = ({ responses, isFinal }: ResponseBatch) => {
      const isEmptyFinal = isFinal && responses.length === 0 && isDecoupled && wantsEmptyFinal === true;
      const list = isEmptyFinal ? [emptyResponse(model, request)] : responses;
      const frames = list.map((response, i) => {
        const flag = isFinal && i === list.length - 1 ? LAST : NOT_LAST;
        return { response, more: isDecoupled ? flag : undefined };
      });
      return frames.length === 0 ? undefined : this.#writer.write(encoder.frames(frames));
    };
    const failure = await new Promise<AloftError | undefined>((resolve) => {
      const take = turn === undefined ? write : (batch: ResponseBatch) => turn.then(() => write(batch));
      this.#context.infer(call, { take, end: resolve });
    });
    await turn;
    if (failure !== undefined) await this.#fail(request.id, request.modelName, failure);
  }

  async #fail(id: string, modelName: string, error: unknown): Promise<void> {
    const { log } = this.#context;
    const report = clientReport(error, log);
    const { code } = report;
    if (code === 'CANCELLED' && this.#controller.signal.aborted) return;
    if (this.#endsOnError || code === 'SLOW_READER') {
      this.#endWith(error);
      return;
    }
    try {
      await this.#writer.write(streamedError(id, modelName, report));
    } catch {
      this.cancel(); // the client is gone, so there is no one to answer
    }
  }
}

function emptyResponse(model: ServedModel, request: InferRequest): InferResponse {
  return { modelName: model.name, modelVersion: model.version, id: request.id, parameters: {}, outputs: [] };
}
