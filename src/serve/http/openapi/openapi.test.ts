import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestServer, type TestServer } from '../../testing/test-server.js';
import type { OpenApiDocument } from './document.js';
import { ROUTE_TEXTS } from './route-texts.js';

let server: TestServer;
let document: OpenApiDocument;
beforeAll(async () => {
  server = await startTestServer({ options: { apiKeys: ['secret'] } });
  document = (await (await fetch(`${server.httpUrl}/openapi.json`)).json()) as OpenApiDocument;
});
afterAll(() => server.close());

const operations = () =>
  Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
  );

const bodySchema = (path: string): object =>
  document.paths[path]!['post']!.requestBody!.content['application/json']!.schema;

describe('the description', () => {
  test('has every route with its text, and no text is left over', () => {
    const described = operations().map(({ method, path }) => `${method} ${path}`);
    const ofModels = described.map((key) => key.replace('/versions/{version}', ''));
    expect(new Set(ofModels)).toEqual(new Set(Object.keys(ROUTE_TEXTS)));
    expect(described.some((key) => key.includes('/versions/{version}/infer'))).toBe(true);
  });

  test('names only routes that answer: none is a 404 or 405 of the router', async () => {
    for (const { method, path } of operations()) {
      if (path === '/aloft/live') continue;
      const url = server.httpUrl + path.replaceAll(/\{\w+\}/g, 'none');
      const body = method === 'POST' ? '{' : null;
      const headers = { authorization: 'Bearer secret' };
      const reply = await fetch(url, { method, body, headers });
      const text = await reply.text();
      expect(reply.status, `${method} ${path}`).not.toBe(405);
      expect(text, `${method} ${path}`).not.toMatch(/There is no route|"Not Found"/);
    }
  });

  test('says which routes need a key', () => {
    for (const { path, operation } of operations()) {
      const isOpen = /^\/(?:v2\/health\/|health$|openapi|docs)|\/ready$/.test(path);
      expect(operation.security === undefined, path).toBe(isOpen);
    }
  });

  test('has valid schemas, which take and refuse what the server takes and refuses', async () => {
    const ajv = new Ajv2020({ strict: false });
    const messages = [{ role: 'user', content: 'a' }];
    const cases: [string, object, boolean][] = [
      ['/v1/chat/completions', { model: 'ensemble', messages, max_tokens: 1, seed: 3 }, true],
      ['/v1/chat/completions', { model: 'ensemble', messages, max_tokens: 0 }, false],
      ['/v1/chat/completions', { model: 'ensemble', messages: [] }, false],
      ['/v1/completions', { model: 'ensemble', prompt: 'a', max_tokens: 1 }, true],
      ['/v1/completions', { model: 'ensemble', prompt: 3 }, false],
      ['/v1/responses', { model: 'ensemble', input: 'a', max_output_tokens: 1 }, true],
      ['/v1/responses', { model: 'ensemble' }, false],
      ['/v1/messages', { model: 'ensemble', messages, max_tokens: 1 }, true],
      ['/v1/messages', { model: 'ensemble', messages }, false],
      ['/v1/messages/count_tokens', { model: 'ensemble', messages }, true],
      ['/v1/messages/count_tokens', { model: 'ensemble' }, false],
      ['/tokenize', { prompt: 'a' }, true],
      ['/tokenize', { prompt: 3 }, false],
      ['/detokenize', { tokens: [3] }, true],
      ['/detokenize', { tokens: [-1] }, false],
    ];
    for (const [path, body, isGood] of cases) {
      const validate = ajv.compile(bodySchema(path));
      expect(validate(body), `${path} ${JSON.stringify(body)}`).toBe(isGood);
      const headers = { authorization: 'Bearer secret' };
      const reply = await fetch(server.httpUrl + path, {
        method: 'POST',
        headers,
        body: JSON.stringify(body),
      });
      expect(reply.status, `${path} ${JSON.stringify(body)}`).toBe(isGood ? 200 : 400);
    }
  });
});

test('the page names all routes, runs nothing and loads nothing', async () => {
  const reply = await fetch(`${server.httpUrl}/docs`);
  expect(reply.headers.get('content-type')).toBe('text/html; charset=utf-8');
  expect(reply.headers.get('content-security-policy')).toContain("default-src 'none'");
  const page = await reply.text();
  for (const { path } of operations()) expect(page).toContain(`<code>${path}</code>`);
  expect(page).not.toMatch(/<script|src=|https?:/);
  expect(page).toContain('<td>max_tokens');
  expect(page).not.toContain(document.info.version); // Triton's, which nobody should take for Aloft's
});
