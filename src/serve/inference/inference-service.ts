/** Tensor requests against any served model, the same for HTTP and gRPC. */
import { AloftError } from '../../core/errors.js';
import type { GenerateRequest } from '../../core/generate.js';
import type { InferRequest, InferResponse, ParameterValue } from '../../protocol/kserve/infer.js';
import type { Tensor } from '../../protocol/kserve/tensor.js';
import type { RequestInfo } from '../generation/observer.js';
import type { RunGeneration } from '../generation/run-generation.js';
import type { GenerationModel, ServedModel } from '../repository/served-model.js';
import { readTensorRequest, type AnswerForm } from '../tensors/tensor-request.js';
import { outputTensors } from '../tensors/tensor-response.js';
import { validateInputs } from '../tensors/validate-inputs.js';
import { AnswerBuilder } from './answer-builder.js';
import { mergeRows, type RowEvents } from './merge-rows.js';
import { requestLimits } from './request-limits.js';
import { runCodec } from './run-codec.js';

export interface InferCall {
  readonly model: ServedModel;
  readonly request: InferRequest;
  readonly signal: AbortSignal;
  readonly protocol: RequestInfo['protocol'];
  readonly traceparent: string | undefined;
  /** Time the client gives, in ms from now. */
  readonly deadlineMs: number | undefined;
  /** Refused when the model's answer may have many parts and the caller can carry only one. */
  readonly acceptsMany: boolean;
}

/** Responses that are ready together. The last batch is final; it may be empty. */
export interface ResponseBatch {
  readonly responses: readonly InferResponse[];
  readonly isFinal: boolean;
}

export type Infer = (call: InferCall) => AsyncGenerator<ResponseBatch, void, void>;

export function inferenceService(runGeneration: RunGeneration): Infer {
  return async function* infer(call) {
    const { model, request } = call;
    const arrivedMs = performance.now();
    const batchSize = validateInputs(request, model.interface);
    if ('codec' in model) {
      const outputs = await runCodec(model, request, batchSize);
      yield { responses: [respond(model, request, outputs)], isFinal: true };
      return;
    }
    const { form, rows } = readTensorRequest(request, model.interface, batchSize);
    if (form.isCancel) {
      model.engine.active.stop(request.id);
      yield { responses: [], isFinal: true };
      return;
    }
    requireStreamable(model, form, call.acceptsMany);
    const info: RequestInfo = {
      modelName: model.name,
      modelVersion: model.version,
      engineName: model.engine.name,
      protocol: call.protocol,
      arrivedMs,
      traceparent: call.traceparent,
    };
    const limits = requestLimits(call, model);
    const echo = !form.isStreaming && !(form.excludeInput ?? model.excludeInput);
    const requests = rows.map((row, i) =>
      named({ ...row, ...limits, ...(echo ? { echo } : {}) }, request.id, i, rows.length),
    );
    const events = mergeRows(
      requests.map((row) => runGeneration({ engine: model.engine, request: row, signal: call.signal, info })),
    );
    yield* answer(call, model, form, { events, requests, echo });
  };
}

interface Running {
  readonly events: AsyncIterable<readonly RowEvents[]>;
  readonly requests: readonly GenerateRequest[];
  readonly echo: boolean;
}

async function* answer(
  call: InferCall,
  model: GenerationModel,
  form: AnswerForm,
  running: Running,
): AsyncGenerator<ResponseBatch, void, void> {
  const { request } = call;
  const requested = new Set(request.outputs.map((output) => output.name));
  const builder = new AnswerBuilder(running.requests.length, {
    echoTokens: running.echo && model.kind === 'engine',
    sequenceCount: running.requests[0]?.sequenceCount ?? 1,
  });
  const tensors = (part: ReturnType<AnswerBuilder['whole']>) =>
    outputTensors(part, model.interface, form, requested);
  let wasFinal = false;
  for await (const batch of running.events) {
    for (const { row, events } of batch) for (const event of events) builder.push(row, event);
    if (!form.isStreaming) continue;
    const responses = builder.takePieces().map((piece) => respond(model, request, tensors(piece)));
    wasFinal = builder.isComplete;
    if (responses.length > 0 || wasFinal) yield { responses, isFinal: wasFinal };
  }
  if (form.isStreaming) {
    if (!wasFinal) yield { responses: [], isFinal: true };
    return;
  }
  const isStopped = !builder.isComplete && builder.isEmpty;
  const responses = isStopped ? [] : [respond(model, request, tensors(builder.whole()))];
  yield { responses, isFinal: true };
}

/** Responses of an ensemble carry the parameters of a sequence, as Triton's do. */
const SEQUENCE_PARAMETERS: Readonly<Record<string, ParameterValue>> = {
  sequence_end: false,
  sequence_id: 0,
  sequence_start: false,
};

function respond(model: ServedModel, request: InferRequest, outputs: readonly Tensor[]): InferResponse {
  return {
    modelName: model.name,
    modelVersion: model.version,
    id: request.id,
    parameters: model.kind === 'ensemble' ? SEQUENCE_PARAMETERS : {},
    outputs,
  };
}

/** The client's id, when it gave one; `0` counts as none. */
function named(request: GenerateRequest, id: string, row: number, rowCount: number): GenerateRequest {
  if (id === '' || id === '0') return request;
  return { ...request, id: rowCount === 1 ? id : `${id}-${row}` };
}

function requireStreamable(model: GenerationModel, form: AnswerForm, acceptsMany: boolean): void {
  if (!form.isStreaming) return;
  if (!model.isDecoupled) throw streamingFault(NOT_DECOUPLED);
  if (!acceptsMany) throw streamingFault(ONE_RESPONSE);
}

const NOT_DECOUPLED = 'Streaming is only supported if model is deployed using decoupled mode.';
const ONE_RESPONSE =
  'A streamed answer has many responses, which this call cannot carry; use generate_stream or ModelStreamInfer, or set the streaming input to false.';

function streamingFault(message: string): AloftError {
  return new AloftError('UNSUPPORTED', message);
}
