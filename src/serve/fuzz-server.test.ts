/** Malformed requests to a running server and malformed repositories: no fault of the server, nothing left, nobody else hurt. */
import { Client, credentials, status, type ServiceError } from '@grpc/grpc-js';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { writeGrpcRequest } from '../protocol/grpc/infer-request.js';
import { numberTensor, textTensor } from '../protocol/kserve/tensor.js';
import { checkRepository } from './repository/check.js';
import { mutate, Random } from './testing/mutate.js';
import { startTestServer, until, type TestServer } from './testing/test-server.js';

let own: TestServer;
beforeAll(async () => {
  own = await startTestServer({ script: { maxWaitingCount: 1000 } });
});
afterAll(() => own.close());

/** After each kind of input: nothing runs, and a good request is answered. */
afterEach(async () => {
  const engines = own.server.context.repository.engines();
  await until(() => own.model.runningCount === 0 && engines.every(({ active }) => active.count === 0));
  const answer = await fetch(`${own.httpUrl}/v2/models/ensemble/generate`, {
    method: 'POST',
    body: '{"text_input":"a","max_tokens":2}',
  });
  expect([answer.status, await answer.json()]).toMatchObject([200, { text_output: 'a e' }]);
});

/** Runs `one` so many times, some of them at once. */
async function repeat(count: number, one: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const work = async () => {
    while (next < count) await one(next++);
  };
  await Promise.all(Array.from({ length: 50 }, work));
}

const GENERATE = '{"text_input":"a\\u00e9","max_tokens":5,"id":"i","stream":false,"parameters":{"x":1}}';
const BODIES: readonly (readonly [path: string, body: string])[] = [
  ['/v2/models/ensemble/generate', GENERATE],
  ['/v2/models/ensemble/generate_stream', GENERATE.replace('false', 'true')],
  [
    '/v2/models/tensorrt_llm/infer',
    '{"inputs":[{"name":"input_ids","shape":[1,2],"datatype":"INT32","data":[[5,6]]},{"name":"request_output_len","shape":[1,1],"datatype":"INT32","data":[3]}]}',
  ],
  [
    '/v1/completions',
    '{"model":"ensemble","prompt":[[1,2],[3]],"max_tokens":4,"echo":true,"temperature":0.5}',
  ],
  [
    '/v1/chat/completions',
    '{"model":"ensemble","messages":[{"role":"user","content":[{"type":"text","text":"a"}]}],"max_tokens":3,"n":2,"stop":["a"],"stream":true}',
  ],
  [
    '/v1/chat/completions',
    '{"model":"ensemble","messages":[{"role":"assistant","content":null,"tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]}],"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"},"strict":true}}],"tool_choice":"required","max_tokens":3}',
  ],
  [
    '/v1/responses',
    '{"model":"ensemble","input":[{"role":"user","content":[{"type":"input_text","text":"a"}]},{"type":"function_call","call_id":"c","name":"f","arguments":"{}"}],"tools":[{"type":"function","name":"f","parameters":{}}],"stream":true,"max_output_tokens":3}',
  ],
  [
    '/v1/messages',
    '{"model":"ensemble","system":[{"type":"text","text":"s"}],"messages":[{"role":"assistant","content":[{"type":"tool_use","id":"t","name":"f","input":{"a":1}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":"x"}]}],"thinking":{"type":"enabled","budget_tokens":5},"max_tokens":3}',
  ],
  ['/v1/messages/count_tokens', '{"model":"ensemble","messages":[{"role":"user","content":"a"}]}'],
  ['/tokenize', '{"model":"ensemble","prompt":"a\\u00e9","return_token_strs":true}'],
  ['/detokenize', '{"tokens":[3,4,5],"skip_special_tokens":true}'],
  ['/v2/trace/setting', '{"trace_level":["TIMESTAMPS"],"trace_rate":"1000"}'],
  ['/v2/repository/index', '{"ready":true}'],
];

describe('requests', () => {
  test('10,000 connections that speak broken HTTP', async () => {
    const random = new Random(5);
    const [path] = BODIES[0]!;
    const head = `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${GENERATE.length}\r\n\r\n`;
    const valid = Buffer.from(head + GENERATE);
    const ports = [own.server.ports.http ?? 0, own.server.ports.grpc ?? 0, own.server.ports.metrics ?? 0];
    await repeat(10_000, async (index) => {
      await new Promise<void>((resolve) => {
        const socket = connect({ host: '127.0.0.1', port: ports[index % 3]! });
        socket.on('error', () => undefined);
        socket.on('close', () => resolve());
        socket.resume();
        socket.end(mutate(valid, random));
        setTimeout(() => socket.destroy(), 50);
      });
    });
  });

  test('26,000 broken bodies over HTTP: none is answered with a fault of the server', async () => {
    const random = new Random(6);
    const answers = new Map<number, number>();
    await repeat(26_000, async (index) => {
      const [path, valid] = BODIES[index % BODIES.length]!;
      const body = mutate(Buffer.from(valid), random);
      const answer = await fetch(own.httpUrl + path, { method: 'POST', body });
      const text = await answer.text();
      answers.set(answer.status, (answers.get(answer.status) ?? 0) + 1);
      if (answer.status >= 500)
        throw new Error(`${path} ${answer.status} ${text}: ${JSON.stringify(Buffer.from(body).toString())}`);
    });
    expect(answers.get(200)).toBeGreaterThan(100);
    expect(answers.get(400)).toBeGreaterThan(5000);
  });

  test('10,000 broken messages over gRPC: each call ends, and none with a fault of the server', async () => {
    const random = new Random(7);
    const client = new Client(own.grpcAddress, credentials.createInsecure());
    const valid = writeGrpcRequest({
      modelName: 'ensemble',
      modelVersion: '1',
      id: 'i',
      parameters: { a: 1, b: 'c', d: true },
      inputs: [textTensor('text_input', [1, 1], ['x']), numberTensor('max_tokens', 'INT32', [1, 1], [3])],
      outputs: [{ name: 'text_output', parameters: {} }],
    });
    const bytes = (message: Buffer) => message;
    const unary = async (message: Buffer) =>
      await new Promise<ServiceError | null>((resolve) => {
        client.makeUnaryRequest(`${SERVICE}/ModelInfer`, bytes, bytes, message, (error) => resolve(error));
      });
    const streamed = async (message: Buffer) =>
      await new Promise<ServiceError | null>((resolve) => {
        const stream = client.makeBidiStreamRequest(`${SERVICE}/ModelStreamInfer`, bytes, bytes);
        stream.on('data', () => undefined);
        stream.on('error', (error: ServiceError) => resolve(error));
        stream.on('end', () => resolve(null));
        stream.end(message);
      });
    let goodCount = 0;
    await repeat(10_000, async (index) => {
      const message = Buffer.from(mutate(valid, random));
      const error = await (index % 2 === 0 ? unary : streamed)(message);
      if (error === null) goodCount++;
      else if (!isRefusal(error)) throw new Error(message.toString('hex'), { cause: error });
    });
    expect(goodCount).toBeGreaterThan(100);
    client.close();
  });
});

const SERVICE = '/inference.GRPCInferenceService';

/** Status of the gRPC library's own answer to bytes that are no message, too. */
function isRefusal({ code, details }: ServiceError): boolean {
  if (code === status.INTERNAL) return details.startsWith('Error deserializing request');
  return code !== status.UNKNOWN && code !== status.UNAVAILABLE;
}

test('5,000 broken files in repositories: each is checked, with findings or without', async () => {
  const random = new Random(8);
  const models = ['ensemble', 'preprocessing', 'tensorrt_llm', 'postprocessing', 'tensorrt_llm_bls'];
  const files = models.map((name) => {
    const path = join(own.repository, name, 'config.pbtxt');
    return { path, valid: readFileSync(path) };
  });
  let faultyCount = 0;
  for (let i = 0; i < 1000; i++) {
    const broken = files.map(({ valid }) => mutate(valid, random));
    for (const [index, { path }] of files.entries()) writeFileSync(path, broken[index]!);
    try {
      if (checkRepository(own.repository).some(({ severity }) => severity === 'error')) faultyCount++;
    } catch (error) {
      const texts = broken.map((bytes) => JSON.stringify(Buffer.from(bytes).toString()));
      throw new Error(texts.join('\n'), { cause: error });
    }
    // The server runs on this thread: held up for seconds, it closes idle connections while a client takes them up again.
    await setImmediate();
  }
  for (const { path, valid } of files) writeFileSync(path, valid);
  expect(faultyCount).toBeGreaterThan(500);
});
