/** Clients that reset streams as fast as they can (CVE-2023-44487) lose their connection, and nobody else loses anything. */
import { once } from 'node:events';
import { connect, constants, type ClientHttp2Session } from 'node:http2';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { collect, ensembleRequest, IndependentClient } from '../testing/independent-grpc.js';
import { startTestServer, until, type TestServer } from '../testing/test-server.js';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer({ script: { tokenMs: 1 } });
});
afterAll(() => server.close());

const HEADERS = {
  ':method': 'POST',
  ':path': '/inference.GRPCInferenceService/ModelStreamInfer',
  'content-type': 'application/grpc',
  te: 'trailers',
};

/** Opens and resets streams at once. @returns the error code of the server's GOAWAY; undefined when none comes */
async function attack(count: number): Promise<number | undefined> {
  const session = connect(`http://${server.grpcAddress}`);
  let goawayCode: number | undefined;
  session.on('goaway', (code) => (goawayCode = code));
  session.on('error', () => undefined);
  await once(session, 'connect');
  const streams = Array.from({ length: count }, () => session.request(HEADERS));
  for (const stream of streams) stream.on('error', () => undefined);
  // Streams that are closed before they are sent never reach the server.
  await answered(session);
  for (const stream of streams) stream.close(constants.NGHTTP2_CANCEL);
  // Answers to pings overtake a GOAWAY, but not one that was sent before the ping came.
  for (let i = 0; i < 2; i++) if (!session.destroyed) await answered(session);
  session.destroy();
  return goawayCode;
}

/** Ends, too, when the session does. */
async function answered(session: ClientHttp2Session): Promise<void> {
  await new Promise<void>((resolve) => void session.ping(() => resolve()));
}

test('a burst of resets within the bound costs nothing, one beyond it the connection', async () => {
  const client = new IndependentClient(server.grpcAddress);
  const stream = client.stream();
  const messages = collect(stream);
  stream.write(ensembleRequest('x'.repeat(2000), 2000, true));
  stream.end();
  await until(() => server.model.runningCount === 1);
  expect(await attack(900)).toBeUndefined();
  for (let i = 0; i < 5; i++) expect(await attack(2000)).toBe(constants.NGHTTP2_INTERNAL_ERROR);
  expect((await messages).length).toBeGreaterThan(1);
  client.close();
  await until(() => server.model.runningCount === 0);
});
