/** Streams whose client does not read, or whose time is over, on plain HTTP/2: a library would read by itself. */
import { once } from 'node:events';
import { connect, type ClientHttp2Session, type ClientHttp2Stream } from 'node:http2';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { encode, ensembleRequest } from '../testing/independent-grpc.js';
import { ENDLESS_PROMPT } from '../testing/scripted-model.js';
import { startTestServer, until, type TestServer } from '../testing/test-server.js';

let server: TestServer;
let session: ClientHttp2Session;
beforeAll(async () => {
  server = await startTestServer({
    script: { tokenMs: 1, answer: () => 'w'.repeat(50_000), isEndless: () => true },
    options: { writeTimeoutMs: 200, maxBufferedEventCount: 1_000_000 },
  });
  session = connect(`http://${server.grpcAddress}`);
  await once(session, 'connect');
});
afterAll(async () => {
  session.destroy();
  await server.close();
});

function open(headers: Record<string, string> = {}): ClientHttp2Stream {
  const stream = session.request({
    ':method': 'POST',
    ':path': '/inference.GRPCInferenceService/ModelStreamInfer',
    'content-type': 'application/grpc',
    te: 'trailers',
    ...headers,
  });
  const message = encode('InferRequest', ensembleRequest(ENDLESS_PROMPT, 4000, true));
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  stream.write(Buffer.concat([prefix, message]));
  return stream;
}

const statusOf = async (stream: ClientHttp2Stream) => {
  const [trailers] = (await once(stream, 'trailers')) as [Record<string, string>];
  return [trailers['grpc-status'], decodeURI(trailers['grpc-message'] ?? '')];
};

test('a client that reads nothing loses its request', async () => {
  const stream = open();
  await until(() => server.model.runningCount === 1);
  // Nobody reads: the flow control of HTTP/2 lets 64 KiB through.
  await until(() => server.model.runningCount === 0);
  stream.resume();
  expect(await statusOf(stream)).toEqual(['8', 'The client has read nothing for 200 ms.']);
});

test('a deadline ends the stream and frees its request', async () => {
  const stream = open({ 'grpc-timeout': '1S' }).resume();
  await until(() => server.model.runningCount === 1);
  expect(await statusOf(stream)).toEqual(['4', 'Deadline exceeded']);
  await until(() => server.model.runningCount === 0);
});

test('a reset frees its request', async () => {
  const stream = open().resume();
  await until(() => server.model.runningCount === 1);
  stream.close();
  await until(() => server.model.runningCount === 0);
});
