import fastify, { type FastifyInstance } from 'fastify';
import { connect, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterEach, expect, test } from 'vitest';
import { AloftError } from '../../core/errors.js';
import { ByteBudget } from '../context/byte-budget.js';
import { until } from '../testing/test-server.js';
import { inflatedBody } from './body.js';
import { BodyIntake, endUnreadBody } from './body-intake.js';

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const item of open.splice(0)) await item.close();
});

/** An app with one route that answers with the length of its body, once it is told to. */
async function start(
  {
    maxOpenBodyBytes = 1 << 22,
    bodyTimeoutMs = 1000,
  }: { maxOpenBodyBytes?: number; bodyTimeoutMs?: number } = {},
  bodyLimit = 1 << 20,
) {
  const budget = new ByteBudget(maxOpenBodyBytes);
  const intake = new BodyIntake({ bodyTimeoutMs }, budget);
  const app: FastifyInstance = fastify({ bodyLimit, forceCloseConnections: true });
  intake.serve(app);
  app.setErrorHandler((error, request, reply) => {
    endUnreadBody(request, reply);
    const code = error instanceof AloftError ? error.code : String(error);
    return reply.code(error instanceof AloftError ? error.kind.http : 500).send(code);
  });
  let answer: (() => void) | undefined;
  const answered = new Promise<void>((resolve) => (answer = resolve));
  app.post('/', async (request) => {
    const body = await inflatedBody(request, 1 << 20, intake);
    if (request.headers['x-wait'] !== undefined) await answered;
    return String(body.length);
  });
  await app.listen({ host: '127.0.0.1', port: 0 });
  open.push(app);
  return { intake, budget, answer: () => answer?.(), port: (app.server.address() as AddressInfo).port };
}

function send(port: number, head: string, body = ''): { socket: Socket; text: () => string } {
  const socket = connect({ host: '127.0.0.1', port });
  let text = '';
  socket.setEncoding('utf8');
  socket.on('data', (piece: string) => (text += piece));
  socket.on('error', () => undefined);
  socket.write(`POST / HTTP/1.1\r\nHost: localhost\r\n${head}\r\n\r\n${body}`);
  open.push({ close: () => socket.destroy() });
  return { socket, text: () => text };
}

test('a body that does not come to its end is answered and its connection closed', async () => {
  const { intake, port, budget } = await start();
  const { socket, text } = send(port, 'Content-Length: 1000', 'half');
  await until(() => budget.bytes === 4);
  intake.sweep(performance.now() + 500);
  expect(text()).toBe('');
  intake.sweep(performance.now() + 2000);
  await until(() => socket.closed);
  expect(text()).toMatch(/^HTTP\/1.1 408 /);
  await until(() => budget.bytes === 0);
});

test('a long body may take the time of its bytes', async () => {
  const { intake, port, budget } = await start();
  const { text } = send(port, 'Content-Length: 200000', 'x'.repeat(100_000));
  await until(() => budget.bytes === 100_000);
  intake.sweep(performance.now() + 2000); // 1000 ms and 100,000 bytes at 16 a ms
  expect(text()).toBe('');
});

test.each(['Content-Length: 2000000', 'Transfer-Encoding: chunked'])(
  'a body beyond the limit is refused: %s',
  async (head) => {
    const { port } = await start({}, 10_000);
    const chunk = `${(20_000).toString(16)}\r\n${'x'.repeat(20_000)}\r\n`;
    const { socket, text } = send(port, head, head.startsWith('T') ? chunk : '');
    await until(() => socket.closed || text() !== '');
    expect(text()).toMatch(/^HTTP\/1.1 413 /);
  },
);

test('all open bodies together have a budget, which answers give back', async () => {
  const { port, answer, budget } = await start({ maxOpenBodyBytes: 10_000 });
  const first = send(port, 'Content-Length: 8000\r\nX-Wait: 1', 'x'.repeat(8000));
  await until(() => budget.bytes === 8000);
  const second = send(port, 'Content-Length: 8000', 'x'.repeat(8000));
  await until(() => second.text() !== '');
  expect(second.text()).toMatch(/^HTTP\/1.1 503 /);
  answer();
  await until(() => first.text().endsWith('8000') && budget.bytes === 0);
  const third = send(port, 'Content-Length: 8000', 'x'.repeat(8000));
  await until(() => third.text().endsWith('8000'));
});

test('what a small body may become counts before it is decompressed', async () => {
  const { port } = await start({ maxOpenBodyBytes: 100_000 });
  const body = gzipSync(Buffer.alloc(500_000));
  const { socket, text } = send(port, `Content-Length: ${body.length}\r\nContent-Encoding: gzip`);
  socket.write(body);
  await until(() => text() !== '');
  expect(text()).toMatch(/^HTTP\/1.1 503 /);
});

test('a client that leaves in its body gives its bytes back', async () => {
  const { port, budget } = await start();
  const { socket } = send(port, 'Content-Length: 1000', 'half');
  await until(() => budget.bytes === 4);
  socket.destroy();
  await until(() => budget.bytes === 0);
});
