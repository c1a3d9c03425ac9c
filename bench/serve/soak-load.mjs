/** Clients of the soak: whole and streamed requests of all protocols, clients that leave, bad requests. */
import { randomUUID } from 'node:crypto';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { GrpcClient, HttpClient } from '../../dist/client/index.js';

const PROMPTS = [
  'Once upon a time',
  'What is deep learning ?',
  '从前有一个小女孩',
  'def add(a, b):',
  '  The sun 🌞',
];

export const any = (list) => list[Math.floor(Math.random() * list.length)];
const upTo = (limit) => 1 + Math.floor(Math.random() * limit);
const text = (stream) => ({
  text_input: any(PROMPTS),
  max_tokens: upTo(60),
  stream,
  top_k: 40,
  temperature: 0.9,
});
const openai = (stream) => ({ model: 'ensemble', stream, max_tokens: upTo(60), n: upTo(2), logprobs: null });
const chat = (stream) => ({ ...openai(stream), messages: [{ role: 'user', content: any(PROMPTS) }] });
const request = (stream) => ({ prompt: any(PROMPTS), maxTokens: upTo(60), stream });
const expectStatus =
  (...wanted) =>
  (status) => {
    if (!wanted.includes(status)) throw new Error(`status ${status} instead of ${wanted.join(' or ')}`);
  };
/** A full queue is a part of the load. */
const isGood = expectStatus(200, 429);
const drain = async (client, stream) => {
  for await (const _ of client.generate(request(stream)));
};

async function leave(client) {
  let left = upTo(10);
  for await (const _ of client.generate(request(true))) if (--left === 0) break;
}

const PROMPT_TOKENS = 200;

/** @returns what a client may do, by name: `kinds`. Each rejects when the server does not answer as it should */
export function soakLoad(ports) {
  const http = `http://127.0.0.1:${ports.http}`;
  const httpClient = new HttpClient({ url: http });
  const address = `127.0.0.1:${ports.grpc}`;
  const grpcClient = new GrpcClient({ address });

  const post = (path, body, signal) =>
    fetch(http + path, {
      method: 'POST',
      body: typeof body === 'string' ? body : JSON.stringify(body),
      signal,
    });
  const read = async (path, body, signal) => {
    const response = await post(path, body, signal);
    await response.text();
    return response.status;
  };
  const kinds = {
    generate: async () => isGood(await read('/v2/models/ensemble/generate', text(false))),
    generateStream: async () => isGood(await read('/v2/models/ensemble/generate_stream', text(true))),
    completions: async () =>
      isGood(await read('/v1/completions', { ...openai(false), prompt: any(PROMPTS) })),
    completionsStream: async () =>
      isGood(await read('/v1/completions', { ...openai(true), prompt: [any(PROMPTS), any(PROMPTS)] })),
    chat: async () => isGood(await read('/v1/chat/completions', chat(false))),
    chatStream: async () => isGood(await read('/v1/chat/completions', chat(true))),
    grpc: () => drain(grpcClient, false),
    grpcStream: () => drain(grpcClient, true),
    grpcConnection: async () => {
      const own = new GrpcClient({ address });
      await drain(own, true).finally(() => own.close());
    },
    clientLeavesHttp: () => leave(httpClient),
    clientLeavesGrpc: () => leave(grpcClient),
    abortedFetch: async () => {
      const work = read('/v1/completions', { ...openai(true), prompt: 'x' }, AbortSignal.timeout(upTo(60)));
      await work.catch((error) => {
        if (error.name !== 'TimeoutError') throw error;
      });
    },
    brokenSocket: () =>
      brokenSocket(
        'POST /v2/models/ensemble/generate_stream HTTP/1.1\r\nHost: localhost\r\nContent-Length: 400\r\n\r\n{"text',
      ),
    malformedHttp: () => brokenSocket('GARBAGE /\r\n\0\r\n\r\n'),
    malformedJson: async () => expectStatus(400)(await read('/v1/completions', '{"model": ')),
    wrongTensor: async () => expectStatus(400)(await read('/v2/models/ensemble/generate', { text_input: 1 })),
    // Never the same name twice: what remembers names of clients would grow.
    unknownModel: async () => expectStatus(404)(await read(`/v2/models/none-${randomUUID()}/generate`, {})),
    ownRequestId: async () =>
      isGood(await read('/v2/models/ensemble/generate', { ...text(false), id: randomUUID() })),
    longPrompt: async () =>
      expectStatus(
        400,
        429,
      )(await read('/v2/models/ensemble/generate', { ...text(false), text_input: 'long '.repeat(900) })),
    largeBody: async () => {
      const work = read('/v2/models/ensemble/generate', { text_input: 'x'.repeat(2 ** 20) });
      // The server may close the connection while the body is still on its way.
      const status = await work.catch((error) => (error instanceof TypeError ? 413 : Promise.reject(error)));
      expectStatus(400, 413)(status);
    },
    metrics: async () => (await fetch(`http://127.0.0.1:${ports.metrics}/metrics`)).text(),
  };

  async function brokenSocket(bytes) {
    const socket = connect(ports.http, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write(bytes);
    await sleep(upTo(20));
    socket.destroy();
  }

  /** Every token once, as an echoed prompt: the server keeps the texts of those that it has seen. */
  async function seeVocabulary(tokenCount) {
    for (let first = 0; first < tokenCount; first += PROMPT_TOKENS) {
      const length = Math.min(PROMPT_TOKENS, tokenCount - first);
      const prompt = Array.from({ length }, (_, i) => first + i);
      const body = { model: 'ensemble', prompt, max_tokens: 1, echo: true, logprobs: 0 };
      expectStatus(200)(await read('/v1/completions', body));
    }
  }

  return { kinds, seeVocabulary, close: () => grpcClient.close() };
}
