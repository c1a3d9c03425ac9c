import { connect } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestServer, until, type TestServer } from '../testing/test-server.js';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer({ script: { tokenMs: 20 } });
});
afterAll(() => server.close());

/** Sends pieces, each when what came so far has its mark. @returns all that came until the connection was closed */
async function exchange(...pieces: readonly (readonly [after: string, text: string])[]): Promise<string> {
  const socket = connect(Number(new URL(server.httpUrl).port), '127.0.0.1');
  let answered = '';
  socket.setEncoding('utf8');
  socket.on('data', (piece: string) => (answered += piece));
  for (const [after, text] of pieces) {
    await until(() => answered.includes(after));
    socket.write(text);
  }
  await until(() => socket.closed);
  return answered;
}

const post = (path: string, body: object, headers = ''): string => {
  const text = JSON.stringify(body);
  return `POST ${path} HTTP/1.1\r\nHost: localhost\r\n${headers}Content-Length: ${text.length}\r\n\r\n${text}`;
};

test.each([
  ['no HTTP at all', 'HELLO\r\n\r\n', 400, /^The bytes are no request of HTTP\/1\.1 \(.+\); send/],
  ['two lengths', post('/v2', {}, 'Transfer-Encoding: chunked\r\n'), 400, /Content-Length/],
  ['the beginning of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400, /^The bytes are no request/],
  [
    'large headers',
    `GET /v2 HTTP/1.1\r\nX: ${'y'.repeat(20_000)}\r\n\r\n`,
    431,
    /more than \d+ bytes; send fewer/,
  ],
])('%s: one sentence', async (_, text, status, message) => {
  const answered = await exchange(['', text]);
  expect(answered).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  const { error } = JSON.parse(answered.slice(answered.indexOf('\r\n\r\n'))) as { error: unknown };
  expect(error).toMatch(message);
});

test('behind a stream they end it, and write nothing into it', async () => {
  const request = post('/v1/completions', { model: 'ensemble', prompt: 'a', max_tokens: 200, stream: true });
  const answered = await exchange(['', request], ['data: ', 'HELLO\r\n\r\n']);
  expect(answered).toMatch(/^HTTP\/1.1 200 /);
  expect(answered.match(/HTTP\/1\.1/g)).toHaveLength(1);
  await until(() => server.model.runningCount === 0);
});
