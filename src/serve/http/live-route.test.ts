import { afterEach, expect, test } from 'vitest';
import { startTestServer, type TestServer } from '../testing/test-server.js';

let server: TestServer | undefined;
const controller = new AbortController();
afterEach(async () => {
  controller.abort();
  await server?.close();
});

test('pages that look at the server are at most 64, and one that leaves makes room', async () => {
  const own = await startTestServer();
  server = own;
  const open = (signal = controller.signal) => fetch(`${own.httpUrl}/aloft/live`, { signal });
  const leaving = new AbortController();
  const viewers = await Promise.all([open(leaving.signal), ...Array.from({ length: 63 }, () => open())]);
  expect(new Set(viewers.map(({ status }) => status))).toEqual(new Set([200]));
  const refused = await open();
  expect([refused.status, refused.headers.get('retry-after'), await refused.json()]).toEqual([
    503,
    '1',
    { error: '64 pages look at the server; close one of them.' },
  ]);
  leaving.abort();
  let status = 503;
  const tryAgain = async () => {
    const again = await open();
    status = again.status;
    if (status !== 200) await again.text();
  };
  await expect.poll(async () => (await tryAgain(), status)).toBe(200);
});
