import { connect } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestServer, until, type TestServer } from '../testing/test-server.js';

let server: TestServer;
beforeAll(async () => (server = await startTestServer()));
afterAll(() => server.close());

const BODY = JSON.stringify({ text_input: 'a', max_tokens: 2 });
const REQUEST = `POST /v2/models/ensemble/generate HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${BODY.length}\r\n\r\n${BODY}`;

function send(text: string) {
  const socket = connect(Number(new URL(server.httpUrl).port), '127.0.0.1');
  let answered = '';
  socket.setEncoding('utf8');
  socket.on('error', () => undefined);
  socket.on('data', (piece: string) => (answered += piece));
  socket.write(text);
  return { socket, answerCount: () => answered.split('HTTP/1.1 200').length - 1 };
}

test('a few requests ahead are answered, again and again', async () => {
  const { socket, answerCount } = send(REQUEST.repeat(32));
  await until(() => answerCount() === 32);
  socket.write(REQUEST.repeat(32));
  await until(() => answerCount() === 64);
  socket.destroy();
});

test('a connection with thousands is closed, and hardly any of them run', async () => {
  const before = server.model.requests.length;
  const { socket } = send(REQUEST.repeat(5000));
  await until(() => socket.closed);
  expect(server.model.requests.length - before).toBeLessThanOrEqual(32);
  const { runningCount, waitingCount } = server.model;
  expect(runningCount + waitingCount).toBeLessThanOrEqual(32);
});
