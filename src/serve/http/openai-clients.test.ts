/** What clients of the OpenAI interface do besides asking: probes, pages of other origins, joined addresses, patience. */
import { connect } from 'node:net';
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseServedName } from '../context/served-names.js';
import { ENDLESS_PROMPT, ScriptedLoader } from '../testing/scripted-model.js';
import { startTestServer, until, type TestServer } from '../testing/test-server.js';

const ORIGIN = 'http://app.example';
let server: TestServer;
let url: string;
beforeAll(async () => {
  server = await startTestServer({ options: { corsOrigins: [ORIGIN] } });
  url = server.httpUrl;
});
afterAll(() => server.close());

const post = (path: string, body: object, init: RequestInit = {}) =>
  fetch(url + path, { ...init, method: 'POST', body: JSON.stringify(body) });

describe('pages of other origins', () => {
  const preflight = (headers: Record<string, string>) =>
    fetch(`${url}/v1/chat/completions`, { method: 'OPTIONS', headers: { origin: ORIGIN, ...headers } });

  test.each([
    'authorization,content-type,x-stainless-os,x-stainless-timeout',
    'Authorization, X-Anything-At-All',
    'openai-organization',
  ])('may send the headers that their SDKs ask for: %s', async (asked) => {
    const answer = await preflight({ 'access-control-request-headers': asked });
    expect(answer.status).toBe(204);
    expect(answer.headers.get('access-control-allow-origin')).toBe(ORIGIN);
    expect(answer.headers.get('access-control-allow-headers')).toBe(asked);
    expect(answer.headers.get('vary')).toMatch(/access-control-request-headers/);
  });

  test.each([undefined, 'a b', 'x-a\tx-b,'])(
    'get a list where they ask for none that is one: %j',
    async (asked) => {
      const answer = await preflight(asked === undefined ? {} : { 'access-control-request-headers': asked });
      expect(answer.headers.get('access-control-allow-headers')).toMatch(/authorization, content-type/);
    },
  );

  test('may use every method that routes have, and read what SDKs read', async () => {
    const allowed = (await preflight({})).headers.get('access-control-allow-methods')!.split(', ');
    expect(allowed).toEqual(expect.arrayContaining(['GET', 'HEAD', 'POST', 'DELETE']));
    const answer = await fetch(`${url}/v1/models`, { headers: { origin: ORIGIN } });
    expect(answer.headers.get('access-control-expose-headers')).toMatch(/retry-after/);
  });

  test('of an origin that is not named get nothing', async () => {
    const answer = await fetch(`${url}/v1/models`, {
      method: 'OPTIONS',
      headers: { origin: 'http://other.example' },
    });
    expect(answer.headers.get('access-control-allow-origin')).toBeNull();
  });
});

describe('HEAD', () => {
  test.each([
    '/health',
    '/v2/health/ready',
    '/v2/health/live',
    '/v1/models',
    '/v1/models/ensemble',
    '/v2',
    '/v2/models/ensemble',
    '/aloft/live',
  ])('%s has the status and headers of GET, and no body', async (path) => {
    const head = await fetch(url + path, { method: 'HEAD' });
    const controller = new AbortController();
    const get = await fetch(url + path, { signal: controller.signal });
    expect([head.status, await head.text()]).toEqual([200, '']);
    for (const name of ['content-type', 'content-length'])
      expect(head.headers.get(name)).toBe(get.headers.get(name));
    controller.abort();
  });

  test('of what is not there is 404, and of what only takes POST 405', async () => {
    const status = async (path: string) => (await fetch(url + path, { method: 'HEAD' })).status;
    expect(await status('/v1/nothing')).toBe(404);
    expect(await status('/v1/chat/completions')).toBe(405);
  });
});

describe('addresses as clients join them', () => {
  const body = { model: 'ensemble', prompt: 'a', max_tokens: 1, messages: [{ role: 'user', content: 'a' }] };
  test.each(['/v1/chat/completions/', '//v1/chat/completions', '/v1//completions', '/v1/completions/?x=1'])(
    'POST %s',
    async (path) => {
      expect((await post(path, body)).status).toBe(200);
    },
  );

  test.each(['/v1/models/', '//v1/models', '/health/', '/v2/health/ready/', '/v2/models/ensemble/'])(
    'GET %s',
    async (path) => {
      expect((await fetch(url + path)).status).toBe(200);
    },
  );

  test('errors keep the form of the interface', async () => {
    expect(await (await fetch(`${url}//v1/nothing`)).json()).toMatchObject({
      error: { code: 'route_not_found' },
    });
    expect(await (await post('//v1/completions', { model: 'nope', prompt: 'a' })).json()).toMatchObject({
      error: { code: 'model_not_found' },
    });
  });
});

describe('a server that is loading', () => {
  const CASES: readonly (readonly [string, object])[] = [
    ['/v1/completions', { model: 'ensemble', prompt: 'a' }],
    ['/v1/chat/completions', { model: 'ensemble', messages: [{ role: 'user', content: 'a' }] }],
    ['/v1/completions', { model: 'tensorrt_llm', prompt: [100] }],
    ['/v2/models/ensemble/generate', { text_input: 'a' }],
    ['/v2/models/tensorrt_llm/versions/1/generate', { input_ids: [1] }],
  ];

  test('answers 503 with Retry-After for every model that will be there, from the opening of the port', async () => {
    const loader = new ScriptedLoader();
    let open = (): void => {};
    loader.gate = new Promise((resolve) => (open = resolve));
    const loading = await startTestServer({ loader, whileLoading: true });
    try {
      for (const [path, body] of CASES) {
        const answer = await fetch(loading.httpUrl + path, { method: 'POST', body: JSON.stringify(body) });
        expect([path, answer.status]).toEqual([path, 503]);
        expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
        if (path.startsWith('/v1/'))
          expect(await answer.json()).toMatchObject({
            error: { code: 'model_unavailable', type: 'server_error' },
          });
      }
      const unknown = await fetch(`${loading.httpUrl}/v1/completions`, {
        method: 'POST',
        body: JSON.stringify({ model: 'nope', prompt: 'a' }),
      });
      expect(unknown.status).toBe(404);
      open();
      await loading.server.modelsLoaded;
      const client = new OpenAI({ baseURL: `${loading.httpUrl}/v1`, apiKey: 'none', maxRetries: 0 });
      expect(
        (await client.completions.create({ model: 'ensemble', prompt: 'a', max_tokens: 1 })).choices,
      ).toHaveLength(1);
    } finally {
      open();
      await loading.close();
    }
  });

  test('is waited for by SDKs, which retry 503 and never 404', async () => {
    const loader = new ScriptedLoader();
    let open = (): void => {};
    loader.gate = new Promise((resolve) => (open = resolve));
    const loading = await startTestServer({ loader, whileLoading: true });
    try {
      let answerCount = 0;
      const client = new OpenAI({
        baseURL: `${loading.httpUrl}/v1`,
        apiKey: 'none',
        maxRetries: 5,
        fetch: async (...args) => {
          const answer = await fetch(...args);
          if (++answerCount === 1) open();
          return answer;
        },
      });
      await client.completions.create({ model: 'ensemble', prompt: 'a', max_tokens: 1 });
      expect(answerCount).toBeGreaterThan(1);
    } finally {
      open();
      await loading.close();
    }
  });
});

describe('silence', () => {
  /** Reads an answer until its text so far satisfies a condition. */
  const reading = (answer: Response) => {
    const reader = answer.body!.getReader();
    let text = '';
    return async (isEnough: (text: string) => boolean): Promise<string> => {
      while (!isEnough(text)) {
        const { value, done } = await reader.read();
        if (done) throw new Error(`The answer ended early: ${text}`);
        text += Buffer.from(value).toString();
      }
      return text;
    };
  };

  test.each([
    ['/v1/completions', { prompt: 'a' }],
    ['/v1/chat/completions', { messages: [{ role: 'user', content: 'a' }] }],
  ])('is broken by comments before the first token of %s, and between tokens', async (path, body) => {
    const quiet = await startTestServer({ options: { keepAliveMs: 5 } });
    try {
      quiet.model.hold();
      const answer = await fetch(quiet.httpUrl + path, {
        method: 'POST',
        body: JSON.stringify({ ...body, model: 'ensemble', stream: true, max_tokens: 2 }),
      });
      expect([answer.status, answer.headers.get('content-type')]).toEqual([
        200,
        'text/event-stream; charset=utf-8',
      ]);
      const read = reading(answer);
      const before = await read((text) => text.includes(': keep-alive'));
      expect(before).toMatch(/^: keep-alive\n\n/);
      quiet.model.allow(1);
      await read(
        (text) => text.indexOf(': keep-alive', text.lastIndexOf('data:')) > 0 && text.includes('data:'),
      );
      quiet.model.allow();
      await read((text) => text.endsWith('data: [DONE]\n\n'));
    } finally {
      await quiet.close();
    }
  });

  test('does not trouble SDKs', async () => {
    const quiet = await startTestServer({ options: { keepAliveMs: 2 }, script: { tokenMs: 5 } });
    try {
      const client = new OpenAI({ baseURL: `${quiet.httpUrl}/v1`, apiKey: 'none', maxRetries: 0 });
      const stream = await client.completions.create({
        model: 'ensemble',
        prompt: 'abc',
        max_tokens: 100,
        stream: true,
      });
      let text = '';
      for await (const chunk of stream) text += chunk.choices[0]?.text ?? '';
      expect(text).toBe(' echo of abc');
    } finally {
      await quiet.close();
    }
  });

  test('is the default, and errors before the first comment keep their status', async () => {
    const quiet = await startTestServer({ options: { keepAliveMs: 60_000 } });
    try {
      const body = { model: 'ensemble', prompt: 'x'.repeat(9000), stream: true };
      const answer = await fetch(`${quiet.httpUrl}/v1/completions`, {
        method: 'POST',
        body: JSON.stringify(body),
      });
      expect(answer.status).toBe(400);
    } finally {
      await quiet.close();
    }
  });

  test('ends when the client goes away', async () => {
    const quiet = await startTestServer({ options: { keepAliveMs: 2 } });
    try {
      quiet.model.hold();
      const socket = connect(Number(new URL(quiet.httpUrl).port), '127.0.0.1');
      const body = JSON.stringify({ model: 'ensemble', prompt: ENDLESS_PROMPT, stream: true });
      socket.write(
        `POST /v1/completions HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
      );
      await new Promise<void>((resolve) => socket.once('data', () => resolve()));
      socket.destroy();
      await until(() => quiet.model.runningCount === 0);
    } finally {
      quiet.model.allow();
      await quiet.close();
    }
  });
});

describe('names of models', () => {
  const named = (...names: string[]) =>
    startTestServer({ options: { servedNames: names.map(parseServedName) } });

  test('an alias stands for the only model, and is what is listed', async () => {
    const other = await named('org/Model-7B', 'gpt-4o');
    try {
      const client = new OpenAI({ baseURL: `${other.httpUrl}/v1`, apiKey: 'none', maxRetries: 0 });
      expect((await client.models.list()).data.map(({ id }) => id)).toEqual(['org/Model-7B', 'gpt-4o']);
      for (const model of ['org/Model-7B', 'gpt-4o', 'ensemble', 'tensorrt_llm_bls']) {
        const answer = await client.completions.create({ model, prompt: 'a', max_tokens: 1 });
        expect(answer.model).toBe(model);
      }
      expect(await client.models.retrieve('org/Model-7B')).toMatchObject({
        id: 'org/Model-7B',
        root: 'ensemble',
      });
    } finally {
      await other.close();
    }
  });

  test('an alias may say which model it stands for', async () => {
    const other = await named('a=tensorrt_llm_bls', 'b=none');
    try {
      const answer = (model: string) =>
        fetch(`${other.httpUrl}/v1/completions`, {
          method: 'POST',
          body: JSON.stringify({ model, prompt: 'a', max_tokens: 1 }),
        });
      expect((await answer('a')).status).toBe(200);
      expect((await answer('b')).status).toBe(404);
    } finally {
      await other.close();
    }
  });

  test.each(['', '=m', 'n='])('%j is no name', (text) => {
    expect(() => parseServedName(text)).toThrow(/must be NAME, or NAME=MODEL/);
  });
});
