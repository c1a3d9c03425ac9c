/** Requests of the real engine that wait too long: a queue timeout is UNAVAILABLE, as in Triton, a deadline is not. */
import { status } from '@grpc/grpc-js';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  IndependentClient,
  ensembleRequest,
  type Message,
  type MessageStream,
} from '../serve/testing/independent-grpc.js';
import { startDemoServer, type DemoServer } from './demo-server.js';

let demo: DemoServer;
let grpc: IndependentClient;
let busy: MessageStream;
beforeAll(async () => {
  demo = await startDemoServer({ build: { max_batch_size: '1', max_output_len: '4096' } });
  grpc = new IndependentClient(demo.grpcAddress);
  busy = grpc.stream();
  busy.on('error', () => undefined);
  const request = ensembleRequest('Once upon a time', 2000, true);
  (request['inputs'] as Message[]).push({ name: 'end_id', datatype: 'INT32', shape: [1n, 1n] });
  (request['raw_input_contents'] as Uint8Array[]).push(new Uint8Array(Int32Array.of(-1).buffer));
  busy.write(request);
  // The only slot is taken.
  await new Promise((resolve) => busy.once('data', resolve));
});
afterAll(async () => {
  busy.cancel();
  grpc.close();
  await demo.close();
});

const TIMEOUT_MICROSECONDS = 2000;

test('over gRPC, as a status and on a stream', async () => {
  const timed = (stream: boolean): Message => ({
    ...ensembleRequest('a', 1, stream, 'late'),
    parameters: { timeout: { int64_param: BigInt(TIMEOUT_MICROSECONDS) } },
  });
  await expect(grpc.call('ModelInfer', timed(false))).rejects.toMatchObject({
    code: status.UNAVAILABLE,
    details: expect.stringMatching(/^Request timeout expired: it waited longer than its 2 ms/),
  });
  const stream = grpc.stream();
  stream.write(timed(true));
  stream.end();
  const message = await new Promise<Message>((resolve) => stream.once('data', resolve));
  expect(message['error_message']).toMatch(/^Request timeout expired/);
  const { error_code } = (message['infer_response'] as Message)['parameters'] as Record<string, Message>;
  expect(error_code).toEqual({ string_param: 'QUEUE_TIMEOUT' });
});

test('over HTTP it is 503', async () => {
  const body = { text_input: 'a', max_tokens: 1, timeout: TIMEOUT_MICROSECONDS };
  const answer = await demo.post('/v2/models/ensemble/generate', body);
  expect([answer.status, await answer.text()]).toEqual([
    503,
    expect.stringContaining('Request timeout expired'),
  ]);
});

test('a deadline of the call stays DEADLINE_EXCEEDED', async () => {
  const late = ensembleRequest('a', 1, false);
  await expect(grpc.call('ModelInfer', late, { deadlineMs: 100 })).rejects.toMatchObject({
    code: status.DEADLINE_EXCEEDED,
  });
});
