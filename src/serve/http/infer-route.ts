/** POST /v2/models/M/infer: one request, one response, JSON or binary tensors. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { promisify } from 'node:util';
import { deflate, gzip } from 'node:zlib';
import { AloftError } from '../../core/errors.js';
import type { InferRequest, InferResponse } from '../../protocol/kserve/infer.js';
import { readInferRequest } from '../../protocol/kserve/http-request.js';
import { writeInferResponse } from '../../protocol/kserve/http-response.js';
import { allResponses } from '../inference/inference-service.js';
import type { ServedModel } from '../repository/served-model.js';
import type { ServerContext } from '../context/server-context.js';
import type { BodyIntake } from './body-intake.js';
import { inflatedBody } from './body.js';
import { clientSignal } from './connection.js';
import { credentialsOf } from './guard.js';
import { modelOf, modelRoute, traceparentOf } from './route.js';

const encoders = { gzip: promisify(gzip), deflate: promisify(deflate) };
const HEADER_LENGTH = 'inference-header-content-length';

export function inferRoute(app: FastifyInstance, context: ServerContext, intake: BodyIntake): void {
  const { maxBodyBytes } = context.options;
  const readBody = (request: FastifyRequest) => inflatedBody(request, maxBodyBytes, intake);
  modelRoute(
    app,
    '/infer',
    { POST: async (request, reply) => infer(context, request, reply, readBody) },
    { maxBodyBytes },
  );
}

async function infer(
  context: ServerContext,
  request: FastifyRequest,
  reply: FastifyReply,
  readBody: (request: FastifyRequest) => Promise<Buffer>,
): Promise<FastifyReply> {
  const { name, version } = modelOf(request);
  servingModel(context, name, version);
  const body = await readBody(request);
  // Another engine may have come meanwhile.
  const model = servingModel(context, name, version);
  const inferRequest = readInferRequest({
    body,
    jsonBytes: headerLength(request),
    modelName: name,
    modelVersion: version,
    modelInputs: [...model.interface.inputs.values()],
  });
  const [response] = await allResponses(context.infer, {
    model,
    request: inferRequest,
    signal: clientSignal(reply),
    protocol: 'http',
    caller: context.access.callerOf(credentialsOf(request)),
    traceparent: traceparentOf(request),
    deadlineMs: undefined,
    acceptsMany: false,
    isStream: false,
  });
  // A request that only stops another one has nothing to say.
  return await send(request, reply, inferRequest, response ?? emptyResponse(inferRequest));
}

/** @throws {AloftError} MODEL_NOT_FOUND, MODEL_UNAVAILABLE, SHUTTING_DOWN */
function servingModel({ repository, health }: ServerContext, name: string, version: string): ServedModel {
  const model = repository.resolve(name, version);
  health.requireServing(model);
  return model;
}

async function send(
  request: FastifyRequest,
  reply: FastifyReply,
  inferRequest: InferRequest,
  response: InferResponse,
): Promise<FastifyReply> {
  const { body, jsonBytes } = writeInferResponse(inferRequest, response);
  if (jsonBytes !== undefined) reply.header(HEADER_LENGTH, jsonBytes);
  const type = jsonBytes === undefined ? 'application/json' : 'application/octet-stream';
  reply.header('content-type', type);
  const encoding = acceptedEncoding(request);
  if (encoding === undefined) return reply.send(Buffer.from(body.buffer, body.byteOffset, body.byteLength));
  return reply.header('content-encoding', encoding).send(await encoders[encoding](body));
}

function emptyResponse(request: InferRequest): InferResponse {
  const { modelName, modelVersion, id } = request;
  return { modelName, modelVersion, id, parameters: {}, outputs: [] };
}

function headerLength(request: FastifyRequest): number | undefined {
  const text = request.headers[HEADER_LENGTH];
  if (text === undefined) return undefined;
  const value = Number(text);
  if (Number.isInteger(value) && value >= 0) return value;
  throw new AloftError(
    'REQUEST_INVALID',
    `Header Inference-Header-Content-Length is '${String(text)}', but must be a count of bytes.`,
  );
}

function acceptedEncoding(request: FastifyRequest): 'gzip' | 'deflate' | undefined {
  const accepted = request.headers['accept-encoding'] ?? '';
  // Browsers and HTTP libraries accept compression by themselves; only a client that asks for it alone means it.
  if (accepted === 'gzip' || accepted === 'deflate') return accepted;
  return undefined;
}
