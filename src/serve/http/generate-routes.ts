/** POST /v2/models/M/generate and generate_stream: Triton's JSON without tensors. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { AloftError, ERROR_CATALOGUE } from '../../core/errors.js';
import type { Log } from '../../core/log.js';
import { clientReport } from '../inference/client-report.js';
import type { InferResponse } from '../../protocol/kserve/infer.js';
import { GenerateResponseWriter, readGenerateRequest } from '../../protocol/kserve/generate.js';
import { sseFrame } from '../../protocol/sse.js';
import type { InferCall } from '../inference/infer-call.js';
import type { ServerContext } from '../context/server-context.js';
import { bodyText } from './body.js';
import { clientSignal, StreamedReply } from './connection.js';
import { loadHeader } from './load-header.js';
import { errorBody, errorEvent, retryHeaders, sendJson } from './reply.js';
import { credentialsOf } from './guard.js';
import { modelOf, modelRoute, traceparentOf } from './route.js';

const NOT_ONE_RESPONSE =
  'generate expects model to produce exactly 1 response, use generate stream for model that generates various number of responses';

export function generateRoutes(app: FastifyInstance, context: ServerContext): void {
  modelRoute(app, '/generate', { POST: (request, reply) => generate(context, request, reply) });
  modelRoute(app, '/generate_stream', { POST: (request, reply) => generateStream(context, request, reply) });
}

/** Model and body are checked before anything is sent. */
function inferCall(
  context: ServerContext,
  request: FastifyRequest,
  reply: FastifyReply,
): Omit<InferCall, 'isStream'> {
  const { name, version } = modelOf(request);
  const model = context.repository.resolve(name, version);
  context.health.requireServing(model);
  const inputs = [...model.interface.inputs.values()];
  return {
    model,
    request: readGenerateRequest(bodyText(request), { name, version, inputs }),
    signal: clientSignal(reply),
    protocol: 'http',
    caller: context.access.callerOf(credentialsOf(request)),
    traceparent: traceparentOf(request),
    deadlineMs: undefined,
    acceptsMany: true,
  };
}

async function generate(
  context: ServerContext,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const call = { ...inferCall(context, request, reply), isStream: false };
  const responses: InferResponse[] = [];
  await new Promise<void>((resolve, reject) => {
    context.infer(call, {
      take(batch) {
        responses.push(...batch.responses);
        // The answer is known to be an error; throwing ends the request.
        if (responses.length > 1) throw new AloftError('CANCELLED', NOT_ONE_RESPONSE);
        return undefined;
      },
      end: (failure) => (failure === undefined || responses.length > 1 ? resolve() : reject(failure)),
    });
  });
  const [only] = responses;
  if (responses.length !== 1 || only === undefined) return sendJson(reply, errorBody(NOT_ONE_RESPONSE));
  reply.headers(loadHeader(request, call.model, context));
  return sendJson(reply, new GenerateResponseWriter().write(only));
}

function generateStream(context: ServerContext, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const call = { ...inferCall(context, request, reply), isStream: true };
  reply.headers(loadHeader(request, call.model, context));
  const stream = new StreamedReply(reply, {
    writeTimeoutMs: context.options.writeTimeoutMs,
    contentType: 'text/event-stream; charset=utf-8',
  });
  const writer = new GenerateResponseWriter();
  context.infer(call, {
    take({ responses, isFinal }) {
      let frames = '';
      for (const response of responses) frames += sseFrame(writer.write(response));
      return frames === '' ? undefined : stream.write(frames, isFinal);
    },
    end(failure) {
      if (failure === undefined) stream.end();
      else endWithError(stream, failure, context.log);
    },
  });
  return reply;
}

/** An error before the first response is no stream, but has its status and form; a later one is one more event. */
function endWithError(stream: StreamedReply, error: AloftError, log: Log): void {
  const report = clientReport(error, log);
  if (stream.isOpen) return report.code === 'CANCELLED' ? stream.end() : stream.endWith(errorEvent(report));
  const headers = { ...retryHeaders(error), 'content-type': 'application/json' };
  stream.open(ERROR_CATALOGUE[report.code].http, headers);
  stream.endWith(errorBody(report.message));
}
