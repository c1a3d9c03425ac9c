import { gunzipSync, gzipSync } from 'node:zlib';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { request as httpRequest } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SseDecoder } from '../../protocol/sse.js';
import { rawInt32, rawText } from '../testing/independent-grpc.js';
import { startTestServer, type TestServer } from '../testing/test-server.js';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer({
    options: {
      controlMode: 'explicit',
      loadModels: ['*'],
      maxBodyBytes: 100_000,
      corsOrigins: ['https://page.example'],
    },
  });
});
afterAll(() => server.close());

const get = (path: string, init?: RequestInit) => fetch(`${server.httpUrl}${path}`, init);
const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
  get(path, {
    method: 'POST',
    headers,
    body: typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body),
  });
/** Members of these routes' answers that the tests look at. */
interface Answer {
  readonly error: string;
  readonly text_output: string;
  readonly input: readonly object[];
  readonly model_stats: readonly {
    readonly inference_count: number;
    readonly execution_count: number;
    readonly inference_stats: { readonly success: { readonly count: number } };
    readonly batch_stats: readonly {
      readonly batch_size: number;
      readonly compute_infer: { readonly count: number };
    }[];
    readonly response_stats: Readonly<Record<string, { readonly success: { readonly count: number } }>>;
  }[];
  readonly outputs: readonly { readonly name: string; readonly data: readonly unknown[] }[];
}
const answerOf = async (response: Response) => (await response.json()) as Answer;
const generate = (body: unknown) => post('/v2/models/ensemble/generate', body);

/** Request bytes as they are, without what fetch adds. */
async function raw(path: string, headers: Record<string, string>, body: Uint8Array) {
  const { hostname, port } = new URL(server.httpUrl);
  return await new Promise<{ status: number; headers: Record<string, unknown>; body: Buffer }>(
    (resolve, reject) => {
      const request = httpRequest({ hostname, port, path, method: 'POST', headers }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: Buffer.concat(chunks),
          }),
        );
      });
      request.on('error', reject);
      request.end(body);
    },
  );
}

describe('routes', () => {
  test('health and metadata', async () => {
    for (const path of ['/v2/health/live', '/v2/health/ready', '/v2/models/ensemble/ready']) {
      const response = await get(path);
      expect([response.status, await response.text()]).toEqual([200, '']);
    }
    expect((await get('/v2/models/nope/ready')).status).toBe(400);
    expect(await (await get('/v2/models/ensemble/versions/1')).json()).toMatchObject({
      name: 'ensemble',
      versions: ['1'],
      platform: 'ensemble',
    });
    const config = await answerOf(await get('/v2/models/tensorrt_llm/config'));
    expect(config).toMatchObject({
      backend: 'tensorrtllm',
      max_batch_size: 8,
      parameters: { batch_scheduler_policy: { string_value: 'guaranteed_no_evict' } },
    });
    expect(config.input[0]).toMatchObject({ name: 'input_ids', data_type: 'TYPE_INT32', dims: [-1] });
  });

  test('unknown paths and wrong methods', async () => {
    const wrong = await get('/v2/models/ensemble/generate');
    expect([wrong.status, await wrong.json()]).toEqual([405, { error: 'Method Not Allowed' }]);
    const unknown = await get('/v2/nothing');
    expect([unknown.status, await unknown.json()]).toEqual([404, { error: 'Not Found' }]);
  });

  test.each(['system', 'cuda'])('there is no %s shared memory region', async (kind) => {
    const root = `/v2/${kind}sharedmemory`;
    const all = await get(`${root}/status`);
    expect([all.status, await all.text()]).toEqual([200, '[]']);
    const one = await get(`${root}/region/x/status`);
    expect([one.status, await one.json()]).toEqual([
      404,
      { error: `Unable to find ${kind} shared memory region: 'x'` },
    ]);
    expect((await post(`${root}/region/x/unregister`, '')).status).toBe(200);
    expect((await post(`${root}/region/x/register`, {})).status).toBe(501);
  });

  test('repository in explicit mode', async () => {
    const index = async () => await (await post('/v2/repository/index', '')).json();
    expect((await post('/v2/repository/models/tensorrt_llm_bls/unload', '')).status).toBe(200);
    expect(await index()).toContainEqual({
      name: 'tensorrt_llm_bls',
      version: '1',
      state: 'UNAVAILABLE',
      reason: 'unloaded',
    });
    expect(await (await post('/v2/repository/index', { ready: true })).json()).toHaveLength(4);
    const gone = await post('/v2/models/tensorrt_llm_bls/generate', {});
    expect([gone.status, await gone.json()]).toEqual([
      404,
      { error: "Request for unknown model: 'tensorrt_llm_bls' has no available versions" },
    ]);
    expect((await post('/v2/repository/models/tensorrt_llm_bls/load', '')).status).toBe(200);
    const unknown = await post('/v2/repository/models/nope/load', '');
    expect([unknown.status, (await answerOf(unknown)).error]).toEqual([
      500,
      "failed to load 'nope', failed to poll from model repository: there is no such model; the repository index names those there are",
    ]);
    expect((await post('/v2/repository/mine/index', '')).status).toBe(501);
  });

  test('a model whose engine is unloaded says so', async () => {
    const ask = () => post('/v2/models/tensorrt_llm_bls/generate', { text_input: 'a', max_tokens: 1 });
    await post('/v2/repository/models/tensorrt_llm/unload', '');
    const refused = await ask();
    const error =
      "Model 'tensorrt_llm_bls' does not answer: its engine, model 'tensorrt_llm', is unloaded; load that again.";
    expect([refused.status, await refused.json()]).toEqual([503, { error }]);
    await post('/v2/repository/models/tensorrt_llm/load', '');
    expect((await ask()).status).toBe(200);
  });

  test('a load may bring its own configuration', async () => {
    const config = await answerOf(await get('/v2/models/postprocessing/config'));
    const changed = JSON.stringify({ ...config, max_batch_size: 3 });
    expect(
      (await post('/v2/repository/models/postprocessing/load', { parameters: { config: changed } })).status,
    ).toBe(200);
    expect(await (await get('/v2/models/postprocessing/config')).json()).toMatchObject({ max_batch_size: 3 });
    expect((await post('/v2/repository/models/postprocessing/load', '')).status).toBe(200);
  });

  test('a request to a model without an engine is counted, and one that fails, too', async () => {
    const countsOf = async () => {
      const answer = await fetch(`${server.httpUrl}/v2/models/preprocessing/stats`);
      const { model_stats } = (await answer.json()) as {
        model_stats: [{ inference_count: number; inference_stats: Record<string, { count: number }> }];
      };
      const [{ inference_count, inference_stats }] = model_stats;
      return [inference_count, inference_stats['fail']!.count];
    };
    const [before, failedBefore] = (await countsOf()) as [number, number];
    await (await post('/v2/models/preprocessing/generate', { QUERY: 'a', REQUEST_OUTPUT_LEN: 1 })).text();
    await (await post('/v2/models/preprocessing/generate', { QUERY: 'a' })).text();
    expect(await countsOf()).toEqual([before + 1, failedBefore + 1]);
  });

  test('batches of a model without an engine are counted by their size', async () => {
    const statistics = async () => {
      const { model_stats } = await answerOf(await get('/v2/models/preprocessing/stats'));
      return model_stats[0]!;
    };
    const before = await statistics();
    const column = (name: string, datatype: string, data: unknown[]) => ({
      name,
      datatype,
      shape: [data.length, 1],
      data,
    });
    const inputs = [
      column('QUERY', 'BYTES', ['a', 'bc', 'd']),
      column('REQUEST_OUTPUT_LEN', 'INT32', [1, 1, 1]),
    ];
    expect((await post('/v2/models/preprocessing/infer', { inputs })).status).toBe(200);
    const after = await statistics();
    expect(after.inference_count - before.inference_count).toBe(3);
    expect(after.execution_count - before.execution_count).toBe(1);
    const batch = after.batch_stats.find(({ batch_size }) => batch_size === 3);
    expect(batch?.compute_infer.count).toBe(1);
    expect(after).toMatchObject({ response_stats: {}, memory_usage: [] });
  });

  test('responses are counted by their index', async () => {
    const successes = async () => {
      const { model_stats } = await answerOf(await get('/v2/models/tensorrt_llm/stats'));
      return Object.entries(model_stats[0]!.response_stats).map(([index, row]) => [
        Number(index),
        row.success.count,
      ]);
    };
    const before = new Map((await successes()) as [number, number][]);
    const body = { text_input: 'abc', max_tokens: 3, stream: true };
    const text = await (await post('/v2/models/ensemble/generate_stream', body)).text();
    const responseCount = text.split('data: ').length - 1;
    const gains = (await successes()).map(([index, count]) => count! - (before.get(index!) ?? 0));
    expect(gains.slice(0, responseCount)).toEqual(Array(responseCount).fill(1));
    expect(gains.slice(responseCount).every((gain) => gain === 0)).toBe(true);
  });

  test('statistics, logging, trace', async () => {
    await generate({ text_input: 'a', max_tokens: 2 });
    const { model_stats } = await answerOf(await get('/v2/models/ensemble/stats'));
    expect(model_stats[0]?.inference_stats.success.count).toBeGreaterThan(0);
    expect((await answerOf(await get('/v2/models/stats'))).model_stats).toHaveLength(5);
    expect(await (await post('/v2/logging', { log_verbose_level: 1 })).json()).toMatchObject({
      log_verbose_level: 1,
      log_format: 'default',
    });
    expect((await post('/v2/logging', { log_format: 'x' })).status).toBe(400);
    expect(await (await post('/v2/trace/setting', { trace_level: ['OFF'] })).json()).toMatchObject({
      trace_level: ['OFF'],
      trace_count: '-1',
    });
    expect(await (await get('/v2/models/ensemble/trace/setting')).json()).toMatchObject({
      trace_level: ['OFF'],
    });
    expect(await (await post('/v2/trace/setting', { trace_level: null })).json()).toMatchObject({
      trace_level: ['TIMESTAMPS'],
    });
  });

  test('metrics have both families of names', async () => {
    const text = await (await fetch(server.metricsUrl)).text();
    for (const name of [
      'nv_inference_request_success{',
      'nv_trt_llm_kv_cache_block_metrics{',
      'aloft_time_to_first_token_seconds_bucket{',
      'nv_inference_request_failure{',
    ]) {
      expect(text).toContain(name);
    }
    expect(text).toMatch(
      /nv_trt_llm_request_metrics\{model="tensorrt_llm",version="1",request_type="max"\} 8/,
    );
  });

  test('CORS only for listed origins', async () => {
    const allowed = await get('/v2', { headers: { origin: 'https://page.example' } });
    expect(allowed.headers.get('access-control-allow-origin')).toBe('https://page.example');
    const other = await get('/v2', { headers: { origin: 'https://other.example' } });
    expect(other.headers.get('access-control-allow-origin')).toBeNull();
  });

  test('limits: body and header', async () => {
    const large = await generate({ text_input: 'x'.repeat(200_000), max_tokens: 1 });
    expect(large.status).toBe(413);
    expect(await large.text()).toContain('larger than 100000 bytes');
    const header = await raw('/v2', { 'x-large': 'y'.repeat(20_000) }, Buffer.alloc(0));
    expect(header.status).toBe(431);
  });
});

describe('generate', () => {
  test("the README's example", async () => {
    const response = await generate({
      text_input: 'What is machine learning?',
      max_tokens: 20,
      bad_words: '',
      stop_words: '',
    });
    expect(response.headers.get('content-type')).toContain('application/json');
    expect(await response.text()).toBe(
      '{"model_name":"ensemble","model_version":"1","sequence_end":false,"sequence_id":0,"sequence_start":false,"text_output":"What is machine learning? echo of What is mac"}',
    );
  });

  test('parameters may be nested, ids are echoed, the prompt can be left out', async () => {
    const body = {
      id: 'q',
      text_input: 'ab',
      parameters: { max_tokens: 8, temperature: 0, exclude_input_in_output: true },
    };
    expect(await (await generate(body)).json()).toMatchObject({ id: 'q', text_output: ' echo of' });
    expect(server.model.requests.at(-1)).toMatchObject({ id: 'q', maxOutputTokens: 8, temperature: 0 });
  });

  test('what begins with triton_ is a parameter as any other, and has no effect', async () => {
    const body = { text_input: 'ab', max_tokens: 8, triton_enable_empty_final_response: true, triton_x: 1 };
    const response = await generate(body);
    expect([response.status, (await answerOf(response)).text_output]).toEqual([200, 'ab echo of']);
  });

  test('words come as string, list or JSON list', async () => {
    const stops = async (stop_words: unknown) => {
      await generate({ text_input: 'a', max_tokens: 2, stop_words });
      return server.model.requests.at(-1)?.stop;
    };
    expect(await stops('a,"b,c"')).toEqual(['a', 'b,c']);
    expect(await stops(['x,y', 'z'])).toEqual(['x,y', 'z']);
    expect(await stops('["p","q"]')).toEqual(['p', 'q']);
    expect(await stops('')).toEqual([]);
    expect(await stops(',')).toEqual([',']);
  });

  test.each([
    ['max_tokens', { max_tokens: [3, 4] }],
    ['text_input', { text_input: ['a', 'b'] }],
  ])('of which one is read, several are refused instead of ignored: %s', async (name, members) => {
    const answer = await generate({ text_input: 'a', max_tokens: 2, ...members });
    const count = Object.values(members)[0]!.length;
    expect([answer.status, await answer.json()]).toEqual([
      400,
      {
        error: `Input '${name}' has ${count} elements for a request, but one is read; send a batch with a row for each, or one element.`,
      },
    ]);
  });

  test('64-bit seeds are exact', async () => {
    await post(
      '/v2/models/ensemble/generate',
      '{"text_input":"a","max_tokens":1,"random_seed":18446744073709551615}',
    );
    expect(server.model.requests.at(-1)?.seed).toBe(18_446_744_073_709_551_615n);
  });

  test.each<[string, string, string]>([
    ['that the engine chose', '', '42'],
    ['that was given', '"random_seed":9007199254740991,', '9007199254740991'],
    [
      'that not every client reads exactly as a number',
      '"random_seed":18446744073709551615,',
      '"18446744073709551615"',
    ],
  ])('a request that asks gets the seed %s', async (_, seed, reported) => {
    const body = `{"text_input":"a","max_tokens":1,${seed}"return_random_seed":true}`;
    const text = await (await post('/v2/models/ensemble/generate', body)).text();
    expect(text).toContain(`"model_version":"1","random_seed":${reported},"sequence_end":false`);
    const streamed = `${body.slice(0, -1)},"stream":true}`;
    const events = await (await post('/v2/models/ensemble/generate_stream', streamed)).text();
    expect(events).toContain(`"random_seed":${reported},`);
  });

  test.each<[string, unknown, number, RegExp]>([
    [
      'a seed asked for by a word',
      { text_input: 'a', max_tokens: 1, return_random_seed: 'yes' },
      400,
      /'return_random_seed' is "yes", but must be true or false/,
    ],
    [
      'unknown type of a parameter',
      { text_input: 'a', max_tokens: 1, other: [] },
      400,
      /parameter 'other' has invalid type/,
    ],
    ['a number as text', { text_input: 1, max_tokens: 1 }, 400, /non-string as string/],
    ['a text as number', { text_input: 'a', max_tokens: '1' }, 400, /non-signed-integer as signed-integer/],
    ['a fraction as integer', { text_input: 'a', max_tokens: 1.5 }, 400, /non-signed-integer/],
    ['too large', { text_input: 'a', max_tokens: 3_000_000_000 }, 400, /outside the range of INT32/],
    ['not an object', [1], 400, /must be a JSON object/],
    ['nothing', '', 400, /missing required input\(s\) \['text_input','max_tokens'\]/],
    ['no tokens', { text_input: 'a', max_tokens: 0 }, 400, /max_tokens must be a single value > 0/],
    [
      'prompt too long',
      { text_input: 'x'.repeat(5000), max_tokens: 1 },
      400,
      /Prompt length \(5001\) exceeds maximum input length \(4096\)/,
    ],
    [
      'what is not supported, undeclared',
      { text_input: 'a', max_tokens: 1, parameters: { lora_task_id: 3 } },
      501,
      /'lora_task_id' of model 'ensemble' is not supported/,
    ],
    [
      'stream',
      { text_input: 'a', max_tokens: 5, stream: true },
      200,
      /generate expects model to produce exactly 1 response/,
    ],
  ])('%s', async (_, body, status, message) => {
    const response = await post('/v2/models/ensemble/generate', body);
    expect(response.status).toBe(status);
    expect((await answerOf(response)).error).toMatch(message);
  });

  test.each(['generate', 'generate_stream'])('%s reports the load to balancers that ask', async (route) => {
    const ask = async (type: string) => {
      const body = JSON.stringify({ text_input: 'a', max_tokens: 1 });
      const headers = { 'endpoint-load-metrics-type': type };
      const url = `${server.httpUrl}/v2/models/ensemble/${route}`;
      const response = await fetch(url, { method: 'POST', headers, body });
      await response.text();
      return response.headers.get('endpoint-load-metrics');
    };
    expect(await ask('text')).toMatch(
      /^TEXT named_metrics\.kv_cache_utilization=[\d.]+, named_metrics\.max_token_capacity=\d+$/,
    );
    expect(JSON.parse((await ask('json'))!.replace('JSON ', ''))).toEqual({
      named_metrics: {
        kv_cache_utilization: expect.any(Number),
        max_token_capacity: server.model.kvBlockCount * server.model.blockTokens,
      },
    });
    expect(await ask('other')).toBeNull();
  });

  test('compressed bodies are refused', async () => {
    const response = await raw(
      '/v2/models/ensemble/generate',
      { 'content-encoding': 'gzip' },
      gzipSync('{}'),
    );
    expect([response.status, response.body.toString()]).toEqual([
      400,
      `{"error":"Unsupported content-encoding, only 'identity' is supported."}`,
    ]);
  });
});

describe('generate_stream', () => {
  const stream = async (body: unknown) => {
    const response = await post('/v2/models/ensemble/generate_stream', body);
    const bytes = new Uint8Array(await response.arrayBuffer());
    return {
      response,
      text: Buffer.from(bytes).toString(),
      events: new SseDecoder().push(bytes).map((data) => JSON.parse(data)),
    };
  };

  test('streamed text is the whole text cut in pieces', async () => {
    for (const prompt of ['plain', '你好，世界', '😀👍🏽', '  leading', 'if (a) {\n  b();\n}']) {
      const { response, text, events } = await stream({ text_input: prompt, max_tokens: 300, stream: true });
      expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
      const whole = await answerOf(await generate({ text_input: prompt, max_tokens: 300 }));
      expect(prompt + events.map((event) => event.text_output).join('')).toBe(whole.text_output);
      expect(text).not.toContain('[DONE]');
      expect(text).toMatch(/^data: \{.*\}\n\n/);
    }
  });

  test('works for a request that does not stream', async () => {
    const { events } = await stream({ text_input: 'ab', max_tokens: 8 });
    expect(events.map((event) => event.text_output)).toEqual(['ab echo of']);
  });

  test('an error before the first response is JSON with its status', async () => {
    const body = { text_input: 'x'.repeat(5000), max_tokens: 1, stream: true };
    const response = await post('/v2/models/ensemble/generate_stream', body);
    expect([response.status, response.headers.get('content-type')]).toEqual([400, 'application/json']);
    expect(await response.json()).toEqual({ error: expect.stringMatching(/Prompt length/) });
    const bad = await post('/v2/models/ensemble/generate_stream', { text_input: 1 });
    expect(bad.status).toBe(400);
    expect(bad.headers.get('content-type')).toContain('application/json');
  });
});

describe('infer', () => {
  const json = { name: 'text_input', shape: [1, 1], datatype: 'BYTES', data: ['ab'] };
  const tokens = { name: 'max_tokens', shape: [1, 1], datatype: 'UINT32', data: [[8]] };

  test('JSON in, JSON out', async () => {
    const response = await post('/v2/models/ensemble/infer', {
      id: 'i',
      inputs: [json, tokens],
      outputs: [{ name: 'text_output' }],
    });
    expect(await response.json()).toEqual({
      id: 'i',
      model_name: 'ensemble',
      model_version: '1',
      parameters: { sequence_end: false, sequence_id: 0, sequence_start: false },
      outputs: [{ name: 'text_output', datatype: 'BYTES', shape: [1], data: ['ab echo of'] }],
    });
  });

  test('binary tensors, byte for byte', async () => {
    const head = Buffer.from(
      JSON.stringify({
        inputs: [
          { name: 'input_ids', shape: [1, 3], datatype: 'INT32', parameters: { binary_data_size: 12 } },
          { name: 'input_lengths', shape: [1, 1], datatype: 'INT32', data: [3] },
          {
            name: 'request_output_len',
            shape: [1, 1],
            datatype: 'INT32',
            parameters: { binary_data_size: 4 },
          },
        ],
        outputs: [{ name: 'output_ids', parameters: { binary_data: true } }],
      }),
    );
    const body = Buffer.concat([head, rawInt32(100, 101, 102), rawInt32(4)]);
    const response = await raw(
      '/v2/models/tensorrt_llm/infer',
      { 'Inference-Header-Content-Length': String(head.length) },
      body,
    );
    expect(response.headers['content-type']).toBe('application/octet-stream');
    const jsonBytes = Number(response.headers['inference-header-content-length']);
    expect(JSON.parse(response.body.toString('utf8', 0, jsonBytes)).outputs).toEqual([
      { name: 'output_ids', datatype: 'INT32', shape: [1, 1, 7], parameters: { binary_data_size: 28 } },
    ]);
    expect(
      Buffer.compare(response.body.subarray(jsonBytes), rawInt32(100, 101, 102, 35, 104, 102, 107)),
    ).toBe(0);
  });

  test('binary text', async () => {
    const query = rawText('né');
    const head = Buffer.from(
      JSON.stringify({
        parameters: { binary_data_output: true },
        inputs: [{ ...json, data: undefined, parameters: { binary_data_size: query.length } }, tokens],
        outputs: [{ name: 'text_output' }],
      }),
    );
    const response = await raw(
      '/v2/models/ensemble/infer',
      { 'inference-header-content-length': String(head.length) },
      Buffer.concat([head, query]),
    );
    const jsonBytes = Number(response.headers['inference-header-content-length']);
    expect(Buffer.compare(response.body.subarray(jsonBytes), rawText('né echo of'))).toBe(0);
  });

  test('a batch has one text for each row', async () => {
    const response = await post('/v2/models/ensemble/infer', {
      inputs: [
        { ...json, shape: [2, 1], data: [['a'], ['bc']] },
        { ...tokens, shape: [2, 1], data: [[100], [100]] },
      ],
    });
    expect((await answerOf(response)).outputs[0]).toMatchObject({
      shape: [2],
      data: ['a echo of a', 'bc echo of bc'],
    });
  });

  test('the seeds of the rows of a batch, when asked for', async () => {
    const response = await post('/v2/models/ensemble/infer', {
      parameters: { return_random_seed: true },
      inputs: [
        { ...json, shape: [2, 1], data: [['a'], ['bc']] },
        { ...tokens, shape: [2, 1], data: [[1], [1]] },
        { name: 'random_seed', shape: [2, 1], datatype: 'UINT64', data: [[7], [8]] },
      ],
    });
    expect(await response.json()).toMatchObject({ parameters: { random_seed: '7,8', sequence_id: 0 } });
  });

  test('compression both ways', async () => {
    const body = gzipSync(JSON.stringify({ inputs: [json, tokens] }));
    const response = await raw(
      '/v2/models/ensemble/infer',
      { 'content-encoding': 'gzip', 'accept-encoding': 'gzip' },
      body,
    );
    expect(response.headers['content-encoding']).toBe('gzip');
    expect(JSON.parse(gunzipSync(response.body).toString()).outputs[0].data).toEqual(['ab echo of']);
  });

  test('log probabilities', async () => {
    const flag = { name: 'return_log_probs', shape: [1, 1], datatype: 'BOOL', data: [true] };
    const response = await post('/v2/models/ensemble/infer', {
      inputs: [json, { ...tokens, data: [4] }, flag],
    });
    const { outputs } = await answerOf(response);
    expect(outputs.map((output) => output.name)).toEqual([
      'text_output',
      'cum_log_probs',
      'output_log_probs',
    ]);
    expect(outputs[2]).toMatchObject({
      shape: [1, 1, 4],
      data: [-0.375, 0, -0.75, -0.375].map((value) => (Object.is(value, -0) ? 0 : value)),
    });
  });

  test('answers have exactly the content type application/json', async () => {
    const infer = await post('/v2/models/ensemble/infer', { inputs: [json, tokens] });
    const generated = await post('/v2/models/ensemble/generate', { text_input: 'a', max_tokens: 1 });
    const metadata = await get('/v2/models/ensemble');
    const refused = await post('/v2/models/none/infer', {});
    for (const answer of [infer, generated, metadata, refused])
      expect(answer.headers.get('content-type')).toBe('application/json');
  });

  test.each([
    ['{"text_input": "a", "max_tokens": 1, "max_tokens": 2}', "input 'max_tokens' already exists in request"],
    [
      '{"text_input": "a", "max_tokens": 1, "text\\u005finput": "b"}',
      "input 'text_input' already exists in request",
    ],
    [
      '{"text_input": "a", "max_tokens": 1, "parameters": {"max_tokens": 2}}',
      "input 'max_tokens' already exists in request",
    ],
    [
      '{"text_input": "a", "max_tokens": 1, "parameters": {"x": 2, "x": 3}}',
      "parameter 'x' already exists in request",
    ],
  ])('generate refuses a key that comes twice: %s', async (body, error) => {
    for (const route of ['generate', 'generate_stream']) {
      const response = await post(`/v2/models/ensemble/${route}`, body);
      expect([response.status, await response.json()]).toEqual([400, { error }]);
    }
  });

  test.each(['1', '"true"', 'null', '[]'])("the repository index refuses 'ready' %s", async (ready) => {
    const response = await post('/v2/repository/index', `{"ready": ${ready}}`);
    expect([response.status, await response.json()]).toEqual([
      400,
      {
        error: expect.stringMatching(/^'ready' of the repository index is .*, but must be true or false\.$/),
      },
    ]);
  });

  test.each<[string, object, RegExp]>([
    [
      'an output twice',
      { inputs: [json, tokens], outputs: [{ name: 'text_output' }, { name: 'text_output' }] },
      /^output 'text_output' already exists in request$/,
    ],
    [
      'classes',
      { inputs: [json, tokens], outputs: [{ name: 'text_output', parameters: { classification: 2 } }] },
      /^'classification' \(class_count\) of output 'text_output' is not supported/,
    ],
    [
      'unknown input',
      { inputs: [json, tokens, { ...json, name: 'x' }] },
      /^unexpected inference input 'x' for model 'ensemble'$/,
    ],
    [
      'unknown output',
      { inputs: [json, tokens], outputs: [{ name: 'y' }] },
      /^unexpected inference output 'y' for model 'ensemble'$/,
    ],
    [
      'wrong type',
      { inputs: [json, { ...tokens, datatype: 'INT64' }] },
      /data-type is 'INT64', but model 'ensemble' expects 'INT32'/,
    ],
    [
      'wrong shape',
      { inputs: [{ ...json, shape: [1] }, tokens] },
      /unexpected shape for input 'text_input' for model 'ensemble'. Expected \[-1,-1\], got \[1\]/,
    ],
    ['wrong nesting', { inputs: [{ ...json, data: [['a', 'b']] }, tokens] }, /Shape does not match/],
    [
      'batch too large',
      {
        inputs: [
          { ...json, shape: [9, 1], data: Array(9).fill('a') },
          { ...tokens, shape: [9, 1], data: Array(9).fill(1) },
        ],
      },
      /batch-size must be <= 8 for 'ensemble'/,
    ],
    [
      'a batch without rows',
      {
        inputs: [
          { ...json, shape: [0, 1], data: [] },
          { ...tokens, shape: [0, 1], data: [] },
        ],
      },
      /batch-size must be at least 1 for 'ensemble', but the first dimension of its inputs is 0/,
    ],
    [
      'unequal batches',
      { inputs: [{ ...json, shape: [2, 1], data: ['a', 'b'] }, tokens] },
      /'max_tokens' batch size does not match other inputs/,
    ],
    [
      'reserved parameter',
      { parameters: { triton_x: 1 }, inputs: [json, tokens] },
      /reserved for Triton usage/,
    ],
    [
      'half precision',
      { inputs: [{ ...json, datatype: 'FP16' }] },
      /receiving FP16 data via JSON is not supported/,
    ],
    [
      'size without header',
      { inputs: [{ ...json, data: undefined, parameters: { binary_data_size: 4 } }] },
      /must specify valid 'Inference-Header-Content-Length'/,
    ],
  ])('%s', async (_, body, message) => {
    const response = await post('/v2/models/ensemble/infer', body);
    expect(response.status).toBe(400);
    expect((await answerOf(response)).error).toMatch(message);
  });

  test('missing and surplus binary data', async () => {
    const head = Buffer.from(
      JSON.stringify({ inputs: [{ ...json, data: undefined, parameters: { binary_data_size: 6 } }, tokens] }),
    );
    const send = (data: Uint8Array) =>
      raw(
        '/v2/models/ensemble/infer',
        { 'inference-header-content-length': String(head.length) },
        Buffer.concat([head, data]),
      );
    expect((await send(rawText('a'))).body.toString()).toContain(
      "expecting 1 additional bytes for model 'ensemble'",
    );
    expect((await send(Buffer.concat([rawText('ab'), Buffer.alloc(1)]))).body.toString()).toContain(
      "unexpected additional input data for model 'ensemble'",
    );
  });
});

describe('API keys', () => {
  test('everything but health and the page needs a key', async () => {
    const guarded = await startTestServer({
      options: { apiKeys: ['secret'], playgroundDirectory: page(server.directory) },
    });
    try {
      const status = async (path: string, headers: Record<string, string> = {}) =>
        (await fetch(guarded.httpUrl + path, { headers })).status;
      expect(await status('/v2/health/ready')).toBe(200);
      expect(await status('/')).toBe(200);
      expect(await status('/v2')).toBe(401);
      expect(await status('/v2', { authorization: 'Bearer wrong' })).toBe(401);
      expect(await status('/v2', { authorization: 'Bearer secret' })).toBe(200);
      expect(await status('/v2', { 'x-api-key': 'secret' })).toBe(200);
      expect(await status('/v1/models')).toBe(401);
      expect(await status('/aloft/live')).toBe(401);
    } finally {
      await guarded.close();
    }
  });
});

function page(directory: string): string {
  const folder = join(directory, 'page');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'index.html'), '<!doctype html><title>page</title>');
  return folder;
}

test('a repository as of v0.6.1, whose postprocessing needs log probabilities, has them in every answer', async () => {
  const old = await startTestServer({
    prepare(repository) {
      const path = join(repository, 'tensorrt_llm', 'config.pbtxt');
      const text = readFileSync(path, 'utf8');
      const later = /input: \{\s*name: "return_(?:context|generation)_logits"[^}]*\}\n/g;
      expect(text.match(later)).toHaveLength(2);
      writeFileSync(path, text.replaceAll(later, ''));
    },
  });
  try {
    const tensor = (name: string, data: number[]) => ({
      name,
      datatype: 'INT32',
      shape: [1, data.length],
      data,
    });
    const inputs = [
      tensor('input_ids', [100]),
      tensor('input_lengths', [1]),
      tensor('request_output_len', [3]),
    ];
    const answer = await fetch(`${old.httpUrl}/v2/models/tensorrt_llm/infer`, {
      method: 'POST',
      body: JSON.stringify({ inputs }),
    });
    const { outputs } = (await answer.json()) as { outputs: { name: string; shape: number[] }[] };
    expect(outputs.find(({ name }) => name === 'cum_log_probs')?.shape).toEqual([1, 1]);
    expect(outputs.find(({ name }) => name === 'output_log_probs')?.shape).toEqual([1, 1, 3]);
  } finally {
    await old.close();
  }
});
