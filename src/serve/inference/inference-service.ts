/** Tensor requests against any served model, the same for HTTP and gRPC. */
import { AloftError } from '../../core/errors.js';
import type { GenerateRequest } from '../../core/generate.js';
import { present } from '../../core/present.js';
import { requireWithin } from '../../core/request-limits.js';
import type { InferRequest, InferResponse } from '../../protocol/kserve/infer.js';
import type { Tensor } from '../../protocol/kserve/tensor.js';
import type { Reader } from '../generation/reader.js';
import { asAloftError, type RunGeneration } from '../generation/run-generation.js';
import type { StatisticsBook } from '../metrics/model-statistics.js';
import { ResponseFollower } from '../metrics/response-statistics.js';
import type { CodecModel, GenerationModel, ServedModel } from '../repository/served-model.js';
import { inFieldNames } from '../../protocol/field-names.js';
import { isUnsupportedInput } from '../tensors/fields.js';
import { fieldNamesOf } from '../tensors/interface.js';
import { readTensorRequest, type AnswerForm } from '../tensors/tensor-request.js';
import { outputTensors, type TensorAnswer } from '../tensors/tensor-response.js';
import { validateInputs } from '../tensors/validate-inputs.js';
import { AnswerBuilder } from './answer-builder.js';
import { saltOf, withTenant } from './cache-salt.js';
import type { HeldAnswer, HeldAnswers } from './held-answers.js';
import type { Infer, InferCall, ResponseBatch } from './infer-call.js';
import { requestInfo } from './request-info.js';
import { requestLimits } from './queue-limits.js';
import { fixedParameters, responseParameters } from './response-parameters.js';
import { runCodec } from './run-codec.js';
import { runRows, type RowEvents } from './run-rows.js';

/** @param statistics counts responses, and requests to models without an engine; `run` observes requests to the others */
export function inferenceService(
  run: RunGeneration,
  statistics: StatisticsBook,
  heldAnswers: HeldAnswers,
): Infer {
  return (call, reader) => {
    try {
      const { model } = call;
      if ('codec' in model) answerByCodec(model, call, { reader, statistics });
      else begin(run, model, call, { reader, statistics, heldAnswers });
    } catch (error) {
      reader.end(asAloftError(error));
    }
  };
}

interface AnswerParts {
  readonly reader: Reader<ResponseBatch>;
  readonly statistics: StatisticsBook;
}

interface GenerationParts extends AnswerParts {
  readonly heldAnswers: HeldAnswers;
}

function answerByCodec(model: CodecModel, { request }: InferCall, { reader, statistics }: AnswerParts): void {
  const observer = statistics.of(model.name, model.version).observe(performance.now());
  const answer = async () => {
    const batchSize = validateInputs(request, model.interface);
    observer.batchSize = batchSize;
    return [respond(model, request, await runCodec(model, request, batchSize))];
  };
  void answerOnce(
    {
      take: (batch) => reader.take(batch),
      end(failure) {
        observer.onEnd(failure, performance.now());
        reader.end(failure);
      },
    },
    answer(),
  );
}

function begin(
  run: RunGeneration,
  model: GenerationModel,
  call: InferCall,
  { reader, statistics, heldAnswers }: GenerationParts,
): void {
  const { request } = call;
  const arrivedMs = performance.now();
  requireWithin('idCharacters', request.id.length, 'The id of the request');
  const batchSize = validateInputs(request, model.interface);
  refuseUnsupportedParameters(request);
  const parametersOf = responseParameters(model, request);
  const { vocabulary } = model.engine.loaded.generator.model;
  const { form, rows } = readTensorRequest(request, model.interface, { batchSize, vocabulary });
  if (form.isCancel) {
    model.engine.active.stop(request.id);
    return void answerOnce(reader, []);
  }
  requireStreamable(model, form, call.acceptsMany);
  const echo = !form.isStreaming && !(form.excludeInput ?? model.excludeInput);
  const calls = rowCalls(rows, model, { ...call, arrivedMs }, echo);
  const builder = new AnswerBuilder(calls.length, {
    isStreaming: form.isStreaming,
    echoTokens: echo && model.kind === 'engine',
    splitsTokens: model.kind === 'engine',
    sequenceCount: calls[0]?.request.sequenceCount ?? 1,
  });
  const requested = new Set(request.outputs.map((output) => output.name));
  const tensors = outputTensors(model.interface, form, requested);
  const follower = followResponses(model, statistics, arrivedMs);
  const followed = followedReader(reader, model, follower);
  const responseOf = (answer: TensorAnswer) =>
    respond(model, request, tensors(answer), parametersOf(answer.rows));
  const answersOf = () => (call.isStream && model.isDecoupled ? builder.wholes() : [builder.whole()]);
  const answer = form.isStreaming
    ? streamedAnswer(builder, responseOf, followed)
    : wholeAnswer(builder, () => answersOf().map(responseOf), followed, heldAnswers.open());
  runRows(run, calls, {
    take(row) {
      follower?.noteTokens(performance.now());
      return answer.take(row);
    },
    end: (failure) => answer.end(failure),
  });
}

/** The rows of a request as requests to the engine, all with the same limits. @param echo begin each answer with its prompt */
function rowCalls(
  rows: readonly GenerateRequest[],
  model: GenerationModel,
  call: InferCall & { readonly arrivedMs: number },
  echo: boolean,
) {
  const { id, parameters } = call.request;
  const limits = requestLimits(call, model);
  const common = { ...limits.fields, ...present({ echo: echo || undefined, cacheSalt: saltOf(parameters) }) };
  const info = requestInfo(model, call);
  return rows.map((row, i) => ({
    engine: model.engine,
    request: withTenant(named({ ...row, ...common }, id, i, rows.length), call.caller.tenant),
    queue: limits.queue,
    signal: call.signal,
    info,
  }));
}

/** A response of an ensemble is one of its engine's model, too. */
function followResponses(
  { isDecoupled, name, version, engine }: GenerationModel,
  statistics: StatisticsBook,
  arrivedMs: number,
): ResponseFollower | undefined {
  if (!isDecoupled) return undefined;
  const models = new Set([statistics.of(name, version), statistics.of(engine.name, engine.version)]);
  return new ResponseFollower(
    [...models].map((model) => model.responses),
    arrivedMs,
  );
}

/** Counts what a reader takes, and names the fields of a failure as the model's interface does. */
function followedReader(
  reader: Reader<ResponseBatch>,
  model: GenerationModel,
  follower: ResponseFollower | undefined,
): Reader<ResponseBatch> {
  return {
    take(batch) {
      const busy = reader.take(batch);
      follower?.noteWritten(batch.responses.length, performance.now());
      return busy;
    },
    end(failure) {
      if (failure !== undefined) follower?.noteFailure(failure, performance.now());
      reader.end(failure && inFieldNames(failure, fieldNamesOf(model.interface)));
    },
  };
}

/** In the JSON of `generate` an input that the model does not declare is a parameter; such an input must not be ignored. */
function refuseUnsupportedParameters({ parameters, modelName }: InferRequest): void {
  const key = Object.keys(parameters).find(isUnsupportedInput);
  if (key === undefined) return;
  throw new AloftError(
    'UNSUPPORTED',
    `'${key}' of model '${modelName}' is not supported here; leave it out.`,
  );
}

/** Passes on each piece as it comes. */
function streamedAnswer(
  builder: AnswerBuilder,
  responseOf: (answer: TensorAnswer) => InferResponse,
  reader: Reader<ResponseBatch>,
): Reader<RowEvents> {
  let wasFinal = false;
  return {
    take({ row, events }) {
      for (const event of events) builder.push(row, event);
      const responses = builder.takePieces().map(responseOf);
      wasFinal = builder.isComplete;
      return responses.length > 0 || wasFinal ? reader.take({ responses, isFinal: wasFinal }) : undefined;
    },
    end(failure) {
      if (failure !== undefined || wasFinal) reader.end(failure);
      else void answerOnce(reader, []);
    },
  };
}

/** All responses at the end; none when the request was stopped before its first token. */
function wholeAnswer(
  builder: AnswerBuilder,
  responses: () => InferResponse[],
  reader: Reader<ResponseBatch>,
  held: HeldAnswer,
): Reader<RowEvents> {
  return {
    take({ row, events }) {
      held.add(events);
      for (const event of events) builder.push(row, event);
      return undefined;
    },
    end(failure) {
      held.release();
      if (failure !== undefined) return reader.end(failure);
      const isStopped = !builder.isComplete && builder.isEmpty;
      void answerOnce(reader, isStopped ? [] : responses());
    },
  };
}

async function answerOnce(
  reader: Reader<ResponseBatch>,
  responses: readonly InferResponse[] | Promise<readonly InferResponse[]>,
): Promise<void> {
  let failure: AloftError | undefined;
  try {
    await reader.take({ responses: await responses, isFinal: true });
  } catch (error) {
    failure = asAloftError(error);
  }
  reader.end(failure);
}

/** All responses of a request that is answered as a whole. @throws {AloftError} */
export async function allResponses(infer: Infer, call: InferCall): Promise<readonly InferResponse[]> {
  const all: InferResponse[] = [];
  await new Promise<void>((resolve, reject) => {
    infer(call, {
      take: ({ responses }) => void all.push(...responses),
      end: (failure) => (failure === undefined ? resolve() : reject(failure)),
    });
  });
  return all;
}

function respond(
  model: ServedModel,
  { id }: InferRequest,
  outputs: readonly Tensor[],
  parameters = fixedParameters(model),
): InferResponse {
  return { modelName: model.name, modelVersion: model.version, id, parameters, outputs };
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
