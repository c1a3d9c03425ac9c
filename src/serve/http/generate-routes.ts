/** POST /v2/models/M/generate and generate_stream: Triton's JSON without tensors. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { ERROR_CATALOGUE } from '../../core/errors.js';
import type { Log } from '../../core/log.js';
import { clientReport } from '../client-report.js';
import type { InferResponse } from '../../protocol/kserve/infer.js';
import { readGenerateRequest, writeGenerateResponse } from '../../protocol/kserve/generate.js';
import { sseFrame } from '../../protocol/sse.js';
import type { ResponseBatch } from '../inference/inference-service.js';
import type { ServerContext } from '../server-context.js';
import { bodyText } from './body.js';
import { clientSignal, StreamedReply } from './connection.js';
import { errorBody, errorEvent, retryHeaders, sendJson } from './reply.js';
import { modelOf, modelRoute } from './route.js';
import { traceparentOf } from './trace-header.js';

const NOT_ONE_RESPONSE =
  'generate expects model to produce exactly 1 response, use generate stream for model that generates various number of responses';

export function generateRoutes(app: FastifyInstance, context: ServerContext): void {
  modelRoute(app, '/generate', { POST: (request, reply) => generate(context, request, reply) });
  modelRoute(app, '/generate_stream', { POST: (request, reply) => generateStream(context, request, reply) });
}

/** Model and body are checked before anything is sent. */
function start(
  context: ServerContext,
  request: FastifyRequest,
  reply: FastifyReply,
): AsyncGenerator<ResponseBatch, void, void> {
  const { name, version } = modelOf(request);
  const model = context.repository.resolve(name, version);
  context.health.requireServing(model);
  const inputs = [...model.interface.inputs.values()];
  return context.infer({
    model,
    request: readGenerateRequest(bodyText(request), { name, version, inputs }),
    signal: clientSignal(reply),
    protocol: 'http',
    traceparent: traceparentOf(request),
    deadlineMs: undefined,
    acceptsMany: true,
  });
}

async function generate(
  context: ServerContext,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const responses: InferResponse[] = [];
  for await (const batch of start(context, request, reply)) {
    responses.push(...batch.responses);
    // The answer is known to be an error; leaving cancels the request.
    if (responses.length > 1) break;
  }
  const [only] = responses;
  if (responses.length !== 1 || only === undefined) return sendJson(reply, errorBody(NOT_ONE_RESPONSE));
  return sendJson(reply, writeGenerateResponse(only));
}

async function generateStream(
  context: ServerContext,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const batches = start(context, request, reply);
  const stream = new StreamedReply(reply, {
    writeTimeoutMs: context.options.writeTimeoutMs,
    contentType: 'text/event-stream; charset=utf-8',
  });
  try {
    for await (const { responses } of batches) {
      const frames = responses.map((response) => sseFrame(writeGenerateResponse(response))).join('');
      if (frames !== '') await stream.write(frames);
    }
    stream.end();
  } catch (error) {
    await endWithError(stream, error, context.log);
  }
  return reply;
}

/** An error before the first response has its status; a later one is one more event. */
async function endWithError(stream: StreamedReply, error: unknown, log: Log): Promise<void> {
  const report = clientReport(error, log);
  if (report.code === 'CANCELLED' && stream.isOpen) return stream.end();
  stream.open(ERROR_CATALOGUE[report.code].http, retryHeaders(error));
  await stream.write(errorEvent(report)).catch(() => undefined); // the client is gone: nobody to tell
  stream.end();
}
