/** Methods that a path does not have, on every path that the server describes. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestServer, type TestServer } from '../testing/test-server.js';

let server: TestServer;
let keyed: TestServer;
const page = mkdtempSync(join(tmpdir(), 'aloft-page-'));
beforeAll(async () => {
  writeFileSync(join(page, 'index.html'), '<p>page</p>');
  server = await startTestServer({ options: { playgroundDirectory: page } });
  keyed = await startTestServer({ options: { apiKeys: ['key'] } });
});
afterAll(async () => {
  await server.close();
  await keyed.close();
  rmSync(page, { recursive: true });
});

const ask = (path: string, method: string): Promise<Response> => fetch(server.httpUrl + path, { method });

/** Methods of a path in its description, and those that follow from them. */
const allowedOf = (described: object): string[] => {
  const methods = Object.keys(described).map((name) => name.toUpperCase());
  return [...methods, ...(methods.includes('GET') ? ['HEAD'] : []), 'OPTIONS'].toSorted();
};
const allowIn = ({ headers }: Response): string[] => (headers.get('allow') ?? '').split(', ').toSorted();

test('OPTIONS is answered with the methods of the path, and every other one with 405 and the same', async () => {
  const { paths } = (await (await ask('/openapi.json', 'GET')).json()) as { paths: Record<string, object> };
  const described = Object.entries(paths);
  expect(described.length).toBeGreaterThan(30);
  for (const [pattern, methods] of described) {
    const path = pattern.replaceAll(/\{\w+\}/g, '1');
    const options = await ask(path, 'OPTIONS');
    expect([path, options.status, await options.text(), allowIn(options)]).toEqual([
      path,
      204,
      '',
      allowedOf(methods),
    ]);
    for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'].filter(
      (one) => !allowIn(options).includes(one),
    )) {
      const refused = await ask(path, method);
      expect([path, method, refused.status, allowIn(refused)]).toEqual([
        path,
        method,
        405,
        allowedOf(methods),
      ]);
    }
  }
});

test('the page of the playground has no other methods either', async () => {
  const answers = await Promise.all(['GET', 'HEAD', 'OPTIONS', 'POST'].map((method) => ask('/', method)));
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 204, 405]);
  for (const answer of answers.slice(2)) expect(allowIn(answer)).toEqual(['GET', 'HEAD', 'OPTIONS']);
});

test('a path that is not there stays unknown, and OPTIONS needs the rights of its path', async () => {
  expect((await ask('/v2/nothing', 'OPTIONS')).status).toBe(404);
  const { httpUrl } = keyed;
  const status = async (headers: Record<string, string>) =>
    (await fetch(`${httpUrl}/v1/completions`, { method: 'OPTIONS', headers })).status;
  expect([await status({}), await status({ authorization: 'Bearer key' })]).toEqual([401, 204]);
});

test('the port of metrics takes GET and HEAD', async () => {
  const metrics = (method: string) => fetch(server.metricsUrl, { method });
  const all = await Promise.all(['GET', 'HEAD', 'OPTIONS', 'POST'].map(metrics));
  expect(all.map(({ status }) => status)).toEqual([200, 200, 204, 405]);
  for (const answer of all.slice(2)) expect(allowIn(answer)).toEqual(['GET', 'HEAD', 'OPTIONS']);
});
