/** ModelInfer: one request, one response. Works on decoupled models, too, when the answer is one response. */
import type { ServerUnaryCall, sendUnaryData } from '@grpc/grpc-js';
import { AloftError } from '../../core/errors.js';
import { ModelInferRequestSchema } from '../../protocol/gen/inference_pb.js';
import { readGrpcRequest } from '../../protocol/grpc/infer-request.js';
import { GrpcResponseEncoder } from '../../protocol/grpc/infer-response.js';
import { decodeRequest, type Outgoing } from '../../protocol/grpc/service.js';
import { allResponses } from '../inference/inference-service.js';
import type { ServerContext } from '../context/server-context.js';
import { remainingMs } from './deadline.js';
import { callCredentials, textOf } from './guard.js';
import { grpcStatus } from './status.js';

export function modelInferHandler(context: ServerContext) {
  return (call: ServerUnaryCall<Outgoing, Outgoing>, respond: sendUnaryData<Outgoing>): void => {
    const controller = new AbortController();
    call.on('cancelled', () => controller.abort());
    modelInfer(context, call, controller.signal).then(
      (bytes) => respond(null, bytes),
      (error: unknown) => respond(grpcStatus(error, context.log)),
    );
  };
}

async function modelInfer(
  context: ServerContext,
  call: ServerUnaryCall<Outgoing, Outgoing>,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const request = readGrpcRequest(decodeRequest(ModelInferRequestSchema, call.request));
  const model = context.repository.resolve(request.modelName, request.modelVersion);
  context.health.requireServing(model);
  const responses = await allResponses(context.infer, {
    model,
    request,
    signal,
    protocol: 'grpc',
    caller: context.access.callerOf(callCredentials(call.metadata)),
    traceparent: textOf(call.metadata, 'traceparent'),
    deadlineMs: remainingMs(call.getDeadline()),
    acceptsMany: false,
    isStream: false,
  });
  const [only] = responses;
  if (responses.length > 1) throw new AloftError('INTERNAL', `ModelInfer got ${responses.length} responses.`);
  const { modelName, modelVersion, id } = request;
  return new GrpcResponseEncoder().unary(
    only ?? { modelName, modelVersion, id, parameters: {}, outputs: [] },
  );
}
