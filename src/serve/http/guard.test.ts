import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestServer, type TestServer } from '../testing/test-server.js';

let own: TestServer;
let keyed: TestServer;
beforeAll(async () => {
  own = await startTestServer({
    options: { corsOrigins: ['https://friend.example'], allowedHosts: ['gpu-box'] },
    prepare: (repository) => page(join(repository, '..')),
  });
  const keys = { apiKeys: ['user', 'other'], adminKeys: ['admin'] };
  keyed = await startTestServer({ options: { ...keys, controlMode: 'explicit', loadModels: ['*'] } });
});
afterAll(async () => {
  await own.close();
  await keyed.close();
});

function page(directory: string): string {
  const folder = join(directory, 'page');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'index.html'), '<p>page</p>');
  return folder;
}

interface Call {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** Sends headers that fetch keeps to itself. */
async function call(
  server: TestServer,
  path: string,
  { method = 'POST', headers = {}, body = '' }: Call,
): Promise<{ readonly status: number; readonly text: string; readonly headers: IncomingHttpHeaders }> {
  return await new Promise((resolve, reject) => {
    const request = httpRequest(server.httpUrl + path, { method, headers }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (piece: string) => (text += piece));
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, text, headers: response.headers }),
      );
    });
    request.on('error', reject);
    request.end(body);
  });
}

const GENERATE = '/v2/models/ensemble/generate';
const BODY = JSON.stringify({ text_input: 'a', max_tokens: 3 });
const CALLS = [
  [GENERATE, BODY],
  ['/v1/completions', JSON.stringify({ model: 'ensemble', prompt: 'a', max_tokens: 3 })],
  ['/v2/logging', '{}'],
  ['/v2/trace/setting', '{}'],
  ['/v2/repository/models/tensorrt_llm/unload', '{}'],
  ['/v2/repository/models/tensorrt_llm/load', '{"parameters":{"config":"{}"}}'],
] as const;

describe('a server without keys', () => {
  test.each(CALLS)('%s is not for a page of another origin', async (path, body) => {
    for (const headers of [
      { origin: 'https://evil.example', 'content-type': 'text/plain' },
      { origin: 'null' },
      { 'sec-fetch-site': 'cross-site' },
      { host: 'evil.example' },
      { host: 'evil.example', origin: 'http://evil.example' },
    ]) {
      const answer = await call(own, path, { headers, body });
      expect(answer.status, JSON.stringify(headers)).toBe(403);
      expect(answer.headers['access-control-allow-origin']).toBeUndefined();
    }
  });

  test.each([
    {},
    { host: 'localhost' },
    { host: '[::1]:8000' },
    { host: '10.1.2.3:8000' },
    { host: 'gpu-box:8000' },
    { host: 'gpu-box', origin: 'http://gpu-box', 'sec-fetch-site': 'same-origin' },
    { origin: 'https://friend.example', 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'none' },
  ])('its own users come through: %j', async (headers) => {
    const answer = await call(own, GENERATE, { headers: { ...headers }, body: BODY });
    expect(answer.status).toBe(200);
  });

  test('nothing can be read under a name that was bound to its address', async () => {
    for (const path of ['/v2', '/v2/models/ensemble/config', '/v2/models/stats', '/aloft/live'])
      expect((await call(own, path, { method: 'GET', headers: { host: 'evil.example' } })).status).toBe(403);
  });
});

test('a link of another site leads to the page, and to nothing else', async () => {
  const folder = page(own.directory);
  const server = await startTestServer({ options: { playgroundDirectory: folder } });
  try {
    const headers = { 'sec-fetch-site': 'cross-site' };
    expect((await call(server, '/', { method: 'GET', headers })).status).toBe(200);
    expect((await call(server, '/v2', { method: 'GET', headers })).status).toBe(403);
  } finally {
    await server.close();
  }
});

describe('a server with keys', () => {
  const as = (key: string, path: string, body: string) =>
    call(keyed, path, { headers: { authorization: `Bearer ${key}` }, body });

  test('administration needs the key of an administrator', async () => {
    for (const path of ['/v2/logging', '/v2/trace/setting', '/v2/models/ensemble/trace/setting']) {
      expect((await as('user', path, '{}')).status).toBe(403);
      expect((await as('admin', path, '{}')).status).toBe(200);
      expect((await call(keyed, path, { body: '{}' })).status).toBe(401);
    }
    const unload = '/v2/repository/models/preprocessing/unload';
    expect((await as('user', unload, '{}')).status).toBe(403);
    expect((await as('admin', GENERATE, BODY)).status).toBe(200);
    expect((await as('user', '/v2/repository/index', '{}')).status).toBe(200);
    expect((await as('wrong', GENERATE, BODY)).status).toBe(401);
  });

  test('readiness of a model and of a version is open', async () => {
    for (const path of [
      '/v2/models/ensemble/ready',
      '/v2/models/ensemble/versions/1/ready',
      '/v2/health/live',
    ])
      expect((await call(keyed, path, { method: 'GET' })).status).toBe(200);
  });

  test('a key is no reason to check the name by which the server is called', async () => {
    const headers = { host: 'llm.example', authorization: 'Bearer user' };
    expect((await call(keyed, GENERATE, { headers, body: BODY })).status).toBe(200);
  });

  test('each key has its own part of the prefix cache, which a salt divides further', async () => {
    const salt = (text: string) => JSON.stringify({ text_input: 'a', max_tokens: 3, cache_salt: text });
    const seen = () => keyed.model.requests.at(-1)?.cacheSalt;
    await as('user', GENERATE, BODY);
    const first = seen();
    await as('other', GENERATE, BODY);
    const second = seen();
    await as('other', GENERATE, salt('x'));
    const third = seen();
    await as('user', '/v1/completions', JSON.stringify({ model: 'ensemble', prompt: 'a' }));
    expect(seen()).toBe(first);
    expect(new Set([first, second, third, undefined]).size).toBe(4);
  });
});

test('a path that is too long is answered in our form', async () => {
  const answer = await call(own, `/v2/models/${'a'.repeat(600)}`, { method: 'GET' });
  expect(answer.status).toBe(404);
  expect(Object.keys(JSON.parse(answer.text) as object)).toEqual(['error']);
});
