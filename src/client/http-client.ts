/** A client over HTTP. Needs `fetch` and nothing of Node, so it runs in a browser, too. */
import { AloftError, isErrorCode } from '../core/errors.js';
import { isObject, parseJson, writeJson, type JsonObject, type JsonValue } from '../protocol/json.js';
import { SseDecoder } from '../protocol/sse.js';
import { fieldTensors, type TextPiece, type TextRequest } from './text-request.js';

export interface HttpClientOptions {
  /** For example `http://localhost:8000`; `localhost:8000` is understood. */
  readonly url: string;
  readonly apiKey?: string;
}

export interface CallOptions {
  /** Cancels the request on the server. */
  readonly signal?: AbortSignal;
}

export class HttpClient {
  readonly #base: string;
  readonly #headers: Readonly<Record<string, string>>;

  constructor({ url, apiKey }: HttpClientOptions) {
    this.#base = (/^https?:\/\//.test(url) ? url : `http://${url}`).replace(/\/$/, '');
    this.#headers = {
      'content-type': 'application/json',
      ...(apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }),
    };
  }

  async isReady(options: CallOptions = {}): Promise<boolean> {
    return (await this.#fetch('/v2/health/ready', options)).ok;
  }

  /** GET of any route that answers with a JSON object. */
  async get(path: string, options: CallOptions = {}): Promise<JsonObject> {
    const response = await this.#fetch(path, options);
    return objectOf(await checkedText(response));
  }

  /** POST of any route that answers with a JSON object. */
  async post(path: string, body: unknown, options: CallOptions = {}): Promise<JsonObject> {
    const response = await this.#send(path, body, options);
    return objectOf(await checkedText(response));
  }

  /** Data of the events of a route that answers with a stream: a POST, or a GET without a body. `[DONE]` is left out. */
  async *stream(
    path: string,
    body?: unknown,
    options: CallOptions = {},
  ): AsyncGenerator<JsonObject, void, void> {
    const response = await this.#send(path, body, options);
    if (!response.ok || response.body === null) {
      await checkedText(response);
      return;
    }
    const decoder = new SseDecoder();
    for await (const bytes of readChunks(response.body)) {
      for (const data of decoder.push(bytes)) if (data !== '[DONE]') yield objectOf(data);
    }
  }

  /** The text of a request in pieces: many when `request.stream`, otherwise one. */
  async *generate(request: TextRequest, options: CallOptions = {}): AsyncGenerator<TextPiece, void, void> {
    const members: Record<string, JsonValue> = {};
    for (const { name, value } of fieldTensors(request)) members[name] = value;
    if (request.id !== undefined) members['id'] = request.id;
    const path = `/v2/models/${request.model ?? 'ensemble'}`;
    if (request.stream !== true) {
      yield* piecesOf(await this.post(`${path}/generate`, members, options));
      return;
    }
    for await (const event of this.stream(`${path}/generate_stream`, members, options))
      yield* piecesOf(event);
  }

  async #send(path: string, body: unknown, { signal }: CallOptions): Promise<Response> {
    return await this.#fetch(path, {
      ...(body === undefined ? {} : { method: 'POST', body: writeJson(body) }),
      ...(signal === undefined ? {} : { signal }),
    });
  }

  async #fetch(path: string, init: RequestInit): Promise<Response> {
    return await unlessBroken(() => fetch(this.#base + path, { ...init, headers: this.#headers }));
  }
}

function piecesOf(event: JsonObject): TextPiece[] {
  const error = event['error'];
  if (error !== undefined) {
    const code = event['code'];
    throw new AloftError(isErrorCode(code) ? code : 'REQUEST_INVALID', errorText(error));
  }
  const text = event['text_output'];
  const texts: readonly JsonValue[] = Array.isArray(text) ? text : [text ?? ''];
  const first = Number(event['sequence_index'] ?? 0);
  const probs = event['output_log_probs'];
  const logProbs = (Array.isArray(probs) ? probs : probs === undefined ? [] : [probs]).map(Number);
  return texts.map((item, i) => ({
    text: typeof item === 'string' ? item : writeJson(item),
    sequence: first + i,
    logProbs: texts.length === 1 ? logProbs : [],
  }));
}

async function* readChunks(body: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
  const reader = body.getReader();
  try {
    for (;;) {
      const { done, value } = await unlessBroken(() => reader.read());
      if (done) return;
      yield value;
    }
  } finally {
    // Leaving early closes the connection, which cancels the request.
    await reader.cancel().catch(() => undefined);
  }
}

/** Reports broken connections, which are the only TypeErrors that `fetch` throws here. @throws {AloftError} SERVER_UNREACHABLE */
async function unlessBroken<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    const reason = error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;
    const message = `The server cannot be reached, or the connection broke (${reason}); is it running?`;
    throw new AloftError('SERVER_UNREACHABLE', message, { cause: error });
  }
}

async function checkedText(response: Response): Promise<string> {
  const text = await unlessBroken(() => response.text());
  if (response.ok) return text;
  throw new AloftError(codeOf(response.status), `HTTP ${response.status}: ${errorOf(text)}`);
}

function errorOf(text: string): string {
  try {
    const json = parseJson(text);
    return isObject(json) && json['error'] !== undefined ? errorText(json['error']) : text;
  } catch {
    return text; // not every proxy answers with JSON
  }
}

function errorText(error: JsonValue): string {
  const message = isObject(error) ? error['message'] : error;
  return typeof message === 'string' ? message : writeJson(error);
}

function codeOf(
  status: number,
):
  | 'MODEL_NOT_FOUND'
  | 'QUEUE_FULL'
  | 'MODEL_UNAVAILABLE'
  | 'UNAUTHENTICATED'
  | 'REQUEST_INVALID'
  | 'INTERNAL' {
  if (status === 404) return 'MODEL_NOT_FOUND';
  if (status === 429) return 'QUEUE_FULL';
  if (status === 503) return 'MODEL_UNAVAILABLE';
  if (status === 401 || status === 403) return 'UNAUTHENTICATED';
  return status < 500 ? 'REQUEST_INVALID' : 'INTERNAL';
}

function objectOf(text: string): JsonObject {
  const json = text === '' ? {} : parseJson(text);
  if (isObject(json)) return json;
  throw new AloftError(
    'INTERNAL',
    `The server answered with something else than a JSON object: ${text.slice(0, 200)}`,
  );
}
