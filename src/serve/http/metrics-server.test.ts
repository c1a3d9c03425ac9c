import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestServer, type TestServer } from '../testing/test-server.js';
import { createMetricsServer } from './metrics-server.js';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer({ options: { apiKeys: ['key'], allowedHosts: ['prometheus-target'] } });
});
afterAll(() => server.close());

/** Status of a request under this name, which fetch would not send. */
async function statusFor(host: string, path = '/metrics'): Promise<number | undefined> {
  const { port } = new URL(server.metricsUrl);
  const request = httpRequest({ host: '127.0.0.1', port, path, headers: { host } }).end();
  const [response] = (await once(request, 'response')) as [{ statusCode?: number; resume(): void }];
  response.resume();
  return response.statusCode;
}

test('a page that has bound its name to the address reads nothing', async () => {
  expect(await statusFor('evil.example')).toBe(403);
  expect(await statusFor('prometheus-target:8002')).toBe(200);
  expect(await statusFor('127.0.0.1')).toBe(200);
  expect(await statusFor('127.0.0.1', '/')).toBe(404);
});

test('connections have a limit, and requests that do not come have a time', async () => {
  const { port } = new URL(server.metricsUrl);
  let closedCount = 0;
  const sockets: Socket[] = [];
  for (let i = 0; i < 300; i++) {
    const socket = connect(Number(port), '127.0.0.1');
    socket.on('error', () => undefined).on('close', () => closedCount++);
    sockets.push(socket);
  }
  // Connections of earlier requests may still be open beside these.
  await expect.poll(() => closedCount).toBeGreaterThanOrEqual(300 - 256);
  for (const socket of sockets) socket.destroy();
  await expect.poll(() => closedCount).toBe(300);
  const { metrics, options } = server.server.context;
  const { requestTimeout, headersTimeout } = createMetricsServer(metrics, options);
  for (const timeoutMs of [requestTimeout, headersTimeout]) {
    expect(timeoutMs).toBeGreaterThan(0);
    expect(timeoutMs).toBeLessThanOrEqual(60_000);
  }
});
