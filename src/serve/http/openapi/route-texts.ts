/** Texts about routes, and the schemas that check their bodies. */
import type { TSchema } from 'typebox';
import { COUNT_TOKENS_SCHEMA, MESSAGES_SCHEMA } from '../../../protocol/anthropic/messages-request.js';
import { CHAT_SCHEMA } from '../../../protocol/openai/chat-request.js';
import { COMPLETION_SCHEMA } from '../../../protocol/openai/completion-request.js';
import { EMBEDDINGS_SCHEMA } from '../../../protocol/openai/embeddings.js';
import { RESPONSE_SCHEMA } from '../../../protocol/openai/responses/request.js';
import { DETOKENIZE_SCHEMA, TOKENIZE_SCHEMA } from '../../../protocol/tokenize.js';

export interface RouteText {
  readonly summary: string;
  /** Schema that checks the body; absent: there is none, or the route's own code checks it. */
  readonly body?: TSchema;
  /** True if the body is not JSON alone. */
  readonly isBinary?: boolean;
  /** True if the answer may be an event stream. */
  readonly streams?: boolean;
}

/** By method and path; paths of a version of a model have the text of the model's. */
export const ROUTE_TEXTS: Readonly<Record<string, RouteText>> = {
  'POST /v1/chat/completions': { summary: "OpenAI's chat completions", body: CHAT_SCHEMA, streams: true },
  'POST /v1/completions': { summary: "OpenAI's completions", body: COMPLETION_SCHEMA, streams: true },
  'POST /v1/embeddings': { summary: "OpenAI's embeddings", body: EMBEDDINGS_SCHEMA },
  'POST /v1/responses': { summary: "OpenAI's responses", body: RESPONSE_SCHEMA, streams: true },
  'GET /v1/responses/{id}': { summary: 'A response that is kept' },
  'DELETE /v1/responses/{id}': { summary: 'Removes a response that is kept' },
  'POST /v1/messages': { summary: "Anthropic's messages", body: MESSAGES_SCHEMA, streams: true },
  'POST /v1/messages/count_tokens': { summary: 'Tokens of a prompt', body: COUNT_TOKENS_SCHEMA },
  'GET /v1/models': { summary: 'Models by the names that clients use' },
  'GET /v1/models/{model}': { summary: 'One model' },
  'POST /tokenize': { summary: 'Tokens of a text or a chat', body: TOKENIZE_SCHEMA },
  'POST /detokenize': { summary: 'Text of tokens', body: DETOKENIZE_SCHEMA },
  'GET /v2': { summary: 'Name, version and extensions of the server' },
  'GET /v2/health/live': { summary: 'Whether the server works' },
  'GET /v2/health/ready': { summary: 'Whether all models are ready' },
  'GET /health': { summary: 'Whether all models are ready' },
  'GET /v2/models/stats': { summary: 'Statistics of all models' },
  'GET /v2/models/{model}': { summary: 'Tensors of a model' },
  'GET /v2/models/{model}/config': { summary: 'Configuration of a model' },
  'GET /v2/models/{model}/ready': { summary: 'Whether a model is ready' },
  'GET /v2/models/{model}/stats': { summary: 'Statistics of a model' },
  'POST /v2/models/{model}/infer': {
    summary: 'KServe inference, with tensors as JSON or binary',
    isBinary: true,
  },
  'POST /v2/models/{model}/generate': { summary: "Triton's generate" },
  'POST /v2/models/{model}/generate_stream': {
    summary: "Triton's generate as an event stream",
    streams: true,
  },
  'POST /v2/repository/index': { summary: 'Models of the repository' },
  'POST /v2/repository/models/{model}/load': { summary: 'Loads a model' },
  'POST /v2/repository/models/{model}/unload': { summary: 'Unloads a model' },
  'POST /v2/repository/{repository}/index': { summary: 'Refused: repositories have no names' },
  'POST /v2/repository/{repository}/models/{model}/load': { summary: 'Refused: repositories have no names' },
  'POST /v2/repository/{repository}/models/{model}/unload': {
    summary: 'Refused: repositories have no names',
  },
  'GET /v2/logging': { summary: 'Log settings' },
  'POST /v2/logging': { summary: 'Changes log settings' },
  'GET /v2/trace/setting': { summary: 'Trace settings' },
  'POST /v2/trace/setting': { summary: 'Changes trace settings' },
  'GET /v2/models/{model}/trace/setting': { summary: 'Trace settings of a model' },
  'POST /v2/models/{model}/trace/setting': { summary: 'Changes trace settings of a model' },
  'GET /v2/systemsharedmemory/status': { summary: 'Regions of shared memory: none' },
  'GET /v2/cudasharedmemory/status': { summary: 'Regions of shared memory: none' },
  'GET /v2/systemsharedmemory/region/{region}/status': { summary: 'Refused: there are no regions' },
  'GET /v2/cudasharedmemory/region/{region}/status': { summary: 'Refused: there are no regions' },
  'POST /v2/systemsharedmemory/unregister': { summary: 'Does nothing: there are no regions' },
  'POST /v2/cudasharedmemory/unregister': { summary: 'Does nothing: there are no regions' },
  'POST /v2/systemsharedmemory/region/{region}/unregister': { summary: 'Does nothing: there are no regions' },
  'POST /v2/cudasharedmemory/region/{region}/unregister': { summary: 'Does nothing: there are no regions' },
  'POST /v2/systemsharedmemory/register': { summary: 'Refused: regions cannot be registered' },
  'POST /v2/cudasharedmemory/register': { summary: 'Refused: regions cannot be registered' },
  'POST /v2/systemsharedmemory/region/{region}/register': {
    summary: 'Refused: regions cannot be registered',
  },
  'POST /v2/cudasharedmemory/region/{region}/register': { summary: 'Refused: regions cannot be registered' },
  'GET /aloft/live': { summary: 'State of all engines as an event stream', streams: true },
  'GET /openapi.json': { summary: 'This description' },
  'GET /docs': { summary: 'This description as a page' },
};

const KEYS = Object.keys(ROUTE_TEXTS);
const keyOf = (method: string, path: string): string =>
  `${method} ${path.replace('/versions/{version}', '')}`;

/** Place of a route in the description. */
export function routeRank(method: string, path: string): number {
  return KEYS.indexOf(keyOf(method, path));
}

/** Text of a route. @throws {Error} for one that has none, at start */
export function routeText(method: string, path: string): RouteText {
  const key = keyOf(method, path);
  const text = Object.hasOwn(ROUTE_TEXTS, key) ? ROUTE_TEXTS[key] : undefined;
  if (text === undefined) throw new Error(`The route ${key} has no text in route-texts.ts.`);
  return text;
}
