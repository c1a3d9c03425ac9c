/** Cancelled calls of one client, so many that a server would end the connection that carried them all. */
import { getEventListeners, setMaxListeners } from 'node:events';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { GRPCInferenceService } from '../protocol/gen/inference_pb.js';
import { ENDLESS_PROMPT } from '../serve/testing/scripted-model.js';
import { startTestServer, until, type TestServer } from '../serve/testing/test-server.js';
import { GrpcClient } from './grpc-client.js';

let server: TestServer;
let client: GrpcClient;
beforeEach(async () => {
  server = await startTestServer({ script: { tokenMs: 1, slotCount: 4096 } });
  client = new GrpcClient({ address: server.grpcAddress });
});
afterEach(async () => {
  client.close();
  await server.close();
});

const ENDLESS = { prompt: ENDLESS_PROMPT, maxTokens: 500, stream: true };

/** @returns what each of so many requests ended with, all of them aborted at once while they ran */
async function abortAtOnce(count: number): Promise<unknown[]> {
  const controller = new AbortController();
  setMaxListeners(count + 1, controller.signal);
  const run = async () => {
    for await (const _ of client.generate(ENDLESS, { signal: controller.signal }));
    return 'complete';
  };
  const runningCount = server.model.runningCount;
  const all = Array.from({ length: count }, () => run().catch((error: { code?: unknown }) => error.code));
  await until(() => server.model.runningCount === runningCount + count);
  controller.abort();
  const outcomes = await Promise.all(all);
  // One signal for all: none of them may stay on it.
  expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
  return outcomes;
}

test('a client that cancels 2,000 streams at once, twice, keeps its other stream', async () => {
  const controller = new AbortController();
  let keptText = '';
  const kept = (async () => {
    for await (const { text } of client.generate(ENDLESS, { signal: controller.signal })) keptText += text;
  })();
  kept.catch(() => undefined); // a failure shows below
  await until(() => keptText !== '');
  // The test is about many streams, not about many messages.
  server.model.hold();
  for (let round = 0; round < 2; round++) {
    expect(new Set(await abortAtOnce(2000))).toEqual(new Set(['CANCELLED']));
    await until(() => server.model.runningCount === 1);
  }
  const { length } = keptText;
  server.model.allow();
  await Promise.race([kept, until(() => keptText.length > length + 5)]);
  controller.abort();
  await expect(kept).rejects.toMatchObject({ code: 'CANCELLED' });
  await until(() => server.model.runningCount === 0);
});

test('a request whose signal has aborted before is not sent', async () => {
  const signal = AbortSignal.abort();
  const stream = client.generate(ENDLESS, { signal })[Symbol.asyncIterator]();
  await expect(stream.next()).rejects.toMatchObject({ code: 'CANCELLED' });
  const call = client.call(GRPCInferenceService.method.serverReady, {}, { signal });
  await expect(call).rejects.toMatchObject({ code: 'CANCELLED' });
  await until(() => server.model.runningCount === 0);
});

test('whole answers leave nothing on a signal that outlives them', async () => {
  const { signal } = new AbortController();
  for (let i = 0; i < 3; i++)
    for await (const _ of client.generate({ prompt: 'a', maxTokens: 1 }, { signal }));
  await client.call(GRPCInferenceService.method.serverReady, {}, { signal });
  expect(getEventListeners(signal, 'abort')).toEqual([]);
});

test('a closed client says so', async () => {
  client.close();
  const call = client.call(GRPCInferenceService.method.serverReady, {});
  await expect(call).rejects.toMatchObject({ code: 'REQUEST_INVALID' });
});
