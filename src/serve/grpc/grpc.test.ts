import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Metadata, status } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  IndependentClient,
  collect,
  ensembleRequest,
  rawInt32,
  textsOf,
  type Message,
} from '../testing/independent-grpc.js';
import { ENDLESS_PROMPT } from '../testing/scripted-model.js';
import { startTestServer, until, type TestServer } from '../testing/test-server.js';

let server: TestServer;
let client: IndependentClient;

beforeAll(async () => {
  server = await startTestServer({
    script: { tokenMs: 1, slotCount: 4 },
    options: { controlMode: 'explicit', loadModels: ['*'] },
  });
  client = new IndependentClient(server.grpcAddress);
});
afterAll(async () => {
  client.close();
  await server.close();
});

const inner = (message: Message) => message['infer_response'] as Message;
const finalFlag = (message: Message) =>
  ((inner(message)['parameters'] as Message)['triton_final_response'] as Message)['bool_param'];

/** Ends the request of that id. */
function stopRequest(id: string): Message {
  const request = ensembleRequest('', 1, true, id);
  (request['inputs'] as Message[]).push({ name: 'stop', datatype: 'BOOL', shape: [1n, 1n] });
  (request['raw_input_contents'] as Uint8Array[]).push(Uint8Array.of(1));
  return request;
}

async function exchange(requests: Message[], metadata?: Metadata): Promise<Message[]> {
  const stream = client.stream(metadata);
  for (const request of requests) stream.write(request);
  stream.end();
  return await collect(stream);
}

describe('health and metadata', () => {
  test('every query answers', async () => {
    expect(await client.call('ServerLive')).toEqual({ live: true });
    expect(await client.call('ServerReady')).toEqual({ ready: true });
    expect(await client.call('ModelReady', { name: 'ensemble' })).toEqual({ ready: true });
    expect((await client.call('ModelReady', { name: 'nope' }))['ready'] ?? false).toBe(false);
    expect(await client.call('Check', { service: '' })).toEqual({ status: 1 });
    expect((await client.call('ServerMetadata'))['extensions']).toContain('binary_tensor_data');
    const metadata = await client.call('ModelMetadata', { name: 'ensemble' });
    expect(metadata['inputs']).toContainEqual({ name: 'text_input', datatype: 'BYTES', shape: [-1n, -1n] });
    const { config } = await client.call('ModelConfig', { name: 'tensorrt_llm' });
    expect(config).toMatchObject({ backend: 'tensorrtllm', max_batch_size: 8 });
  });

  test('an unknown service is NOT_FOUND', async () => {
    await expect(client.call('Check', { service: 'nope' })).rejects.toMatchObject({ code: status.NOT_FOUND });
  });
});

describe('ModelInfer', () => {
  test('answers a decoupled ensemble with one response, prompt first', async () => {
    const response = await client.call('ModelInfer', ensembleRequest('abc', 8, false, 'r1'));
    expect(response).toMatchObject({ model_name: 'ensemble', model_version: '1', id: 'r1' });
    expect(textsOf(response)).toEqual(['abc echo of']);
  });

  test('takes typed contents and INT32 lengths', async () => {
    const response = await client.call('ModelInfer', {
      model_name: 'tensorrt_llm',
      inputs: [
        { name: 'input_ids', datatype: 'INT32', shape: [1n, 2n], contents: { int_contents: [100, 101] } },
        { name: 'input_lengths', datatype: 'INT32', shape: [1n, 1n], contents: { int_contents: [2] } },
        { name: 'request_output_len', datatype: 'UINT32', shape: [1n, 1n], contents: { uint_contents: [3] } },
      ],
    });
    const [raw] = response['raw_output_contents'] as Uint8Array[];
    expect([...new Int32Array(new Uint8Array(raw!).buffer)]).toEqual([100, 101, 35, 104, 102]);
    expect((response['outputs'] as Message[])[0]).toEqual({
      name: 'output_ids',
      datatype: 'INT32',
      shape: [1n, 1n, 5n],
    });
  });

  test.each<[string, Message, number, RegExp]>([
    ['unknown model', { model_name: 'm' }, status.NOT_FOUND, /Request for unknown model: 'm' is not found/],
    [
      'unknown version',
      { model_name: 'ensemble', model_version: '9' },
      status.NOT_FOUND,
      /version 9 is not found/,
    ],
    [
      'missing inputs',
      { model_name: 'ensemble', id: 'x' },
      status.INVALID_ARGUMENT,
      /\[request id: x\] expected number of inputs between 2 and/,
    ],
    ['a streamed answer', ensembleRequest('a', 4, true), status.UNIMPLEMENTED, /ModelStreamInfer/],
    [
      'a reserved parameter',
      { ...ensembleRequest('a', 4, false), parameters: { triton_x: { bool_param: true } } },
      status.INVALID_ARGUMENT,
      /reserved for Triton usage.*allowed: triton_enable_empty_final_response \(got 'triton_x'\)/,
    ],
    [
      'a reserved parameter of the wrong type',
      {
        ...ensembleRequest('a', 4, false),
        parameters: { triton_enable_empty_final_response: { string_param: 'true' } },
      },
      status.INVALID_ARGUMENT,
      /'triton_enable_empty_final_response' parameter, expected bool_param/,
    ],
    [
      'an output that is asked for twice',
      { ...ensembleRequest('a', 4, false), outputs: [{ name: 'text_output' }, { name: 'text_output' }] },
      status.INVALID_ARGUMENT,
      /output 'text_output' already exists in request/,
    ],
    [
      'classes of an output',
      {
        ...ensembleRequest('a', 4, false),
        outputs: [{ name: 'text_output', parameters: { classification: { int64_param: 3n } } }],
      },
      status.INVALID_ARGUMENT,
      /'classification' \(class_count\) of output 'text_output' is not supported/,
    ],
    [
      'raw and typed together',
      { ...ensembleRequest('a', 4, false), raw_input_contents: [rawInt32(1)] },
      status.INVALID_ARGUMENT,
      /raw_input_contents/,
    ],
  ])('%s', async (_, request, code, message) => {
    await expect(client.call('ModelInfer', request)).rejects.toMatchObject({
      code,
      details: expect.stringMatching(message),
    });
  });

  test('a deadline ends the request in the engine', async () => {
    const endless = ensembleRequest(ENDLESS_PROMPT, 4000, false);
    await expect(client.call('ModelInfer', endless, { deadlineMs: 5000 })).rejects.toMatchObject({
      code: status.DEADLINE_EXCEEDED,
    });
    await until(() => server.model.runningCount === 0);
    expect(server.model.requests.at(-1)?.deadlineMs).toBeLessThanOrEqual(5000);
  });

  test('cancelling the call frees the request', async () => {
    const call = client.start('ModelInfer', ensembleRequest(ENDLESS_PROMPT, 2000, false));
    await until(() => server.model.runningCount === 1);
    call.cancel();
    await expect(call.response).rejects.toMatchObject({ code: status.CANCELLED });
    await until(() => server.model.runningCount === 0);
  });
});

describe('ModelStreamInfer', () => {
  test('takes many requests at once without a warning of the runtime', async () => {
    const warnings: Error[] = [];
    const note = (warning: Error) => warnings.push(warning);
    process.on('warning', note);
    const requests = Array.from({ length: 30 }, (_, i) => ensembleRequest('a', 4, true, `w${i}`));
    expect((await exchange(requests)).filter((message) => finalFlag(message))).toHaveLength(30);
    await new Promise((resolve) => setImmediate(resolve));
    process.off('warning', note);
    expect(warnings).toEqual([]);
  });

  test('streams pieces whose sum is the whole answer, the last one flagged', async () => {
    const prompts = ['plain', '你好，世界', '😀👍🏽 family', '  leading spaces', 'def f(x):\n    return x'];
    for (const prompt of prompts) {
      const pieces = await exchange([ensembleRequest(prompt, 200, true, 's')]);
      const whole = await client.call('ModelInfer', ensembleRequest(prompt, 200, false));
      const text = pieces.flatMap((piece) => textsOf(inner(piece))).join('');
      expect(prompt + text).toBe(textsOf(whole)[0]);
      expect(pieces.map(finalFlag)).toEqual(
        [...pieces.slice(1).map(() => undefined), true].map((flag) => flag ?? false),
      );
    }
  });

  test('interleaves requests and matches them by id', async () => {
    const ids = ['1', '2', '3'];
    server.model.hold(); // until all run: the first may not be over before the last has come
    const exchanged = exchange(ids.map((id) => ensembleRequest(`prompt ${id}`, 64, true, id)));
    await until(() => server.model.runningCount === ids.length);
    server.model.allow();
    const pieces = await exchanged;
    for (const id of ids) {
      const own = pieces.filter((piece) => inner(piece)['id'] === id);
      expect(own.flatMap((piece) => textsOf(inner(piece))).join('')).toBe(` echo of prompt ${id}`);
    }
    expect(new Set(pieces.slice(0, 6).map((piece) => inner(piece)['id'])).size).toBeGreaterThan(1);
  });

  test('works without streaming, too', async () => {
    const [only, ...others] = await exchange([ensembleRequest('abc', 100, false)]);
    expect(others).toEqual([]);
    expect(textsOf(inner(only!))).toEqual(['abc echo of abc']);
    expect(finalFlag(only!)).toBe(true);
  });

  test('a request that asks gets its seed with every response, another does not', async () => {
    const asking = { return_random_seed: { bool_param: true } };
    const requests = [true, false].map((stream) => ({
      ...ensembleRequest('abc', 8, stream, String(stream)),
      parameters: asking,
    }));
    const messages = await exchange([...requests, ensembleRequest('abc', 8, false, 'plain')]);
    for (const message of messages) {
      const { id, parameters } = inner(message);
      const seed = (parameters as Message)['random_seed'];
      expect(seed).toEqual(id === 'plain' ? undefined : { int64_param: 42n });
    }
    expect(messages.length).toBeGreaterThan(3);
  });

  test('an error names its request and the stream goes on', async () => {
    const messages = await exchange([
      { model_name: 'nope', id: 'bad' },
      ensembleRequest('ok', 4, false, 'good'),
    ]);
    expect(messages).toHaveLength(2);
    const error = messages.find((message) => message['error_message'] !== undefined)!;
    expect(error['error_message']).toMatch(/unknown model: 'nope'/);
    expect(inner(error)['id']).toBe('bad');
  });

  test('triton_grpc_error ends the stream with a status', async () => {
    const metadata = new Metadata();
    metadata.set('triton_grpc_error', 'true');
    await expect(exchange([{ model_name: 'nope' }], metadata)).rejects.toMatchObject({
      code: status.NOT_FOUND,
    });
  });

  test('the stop tensor ends a running request; both get a final answer', async () => {
    const stream = client.stream();
    stream.write(ensembleRequest(ENDLESS_PROMPT, 3000, true, '77'));
    await until(() => server.model.runningCount === 1);
    const parameters = { triton_enable_empty_final_response: { bool_param: true } };
    stream.write({ ...stopRequest('77'), parameters });
    stream.end();
    const messages = await collect(stream);
    await until(() => server.model.runningCount === 0);
    expect(messages.some((message) => message['error_message'] !== undefined)).toBe(false);
    const empty = messages.find((message) => inner(message)['outputs'] === undefined)!;
    expect(finalFlag(empty)).toBe(true);
  });

  test('a stop for an unknown id and without an id are errors', async () => {
    const messages = await exchange([stopRequest('5'), stopRequest('')]);
    const texts = messages.map((message) => message['error_message']);
    expect(texts).toContainEqual(
      expect.stringMatching(/Received stop request for requestId 5 but it's not active/),
    );
    expect(texts).toContainEqual('Cannot send stop request without specifying a request_id');
  });

  test('an id that is in use is refused', async () => {
    const messages = await exchange([
      ensembleRequest(ENDLESS_PROMPT, 60, true, '9'),
      ensembleRequest('z', 60, true, '9'),
      stopRequest('9'),
    ]);
    const errors = messages.flatMap((message) => message['error_message'] ?? []);
    expect(errors).toEqual(['requestId 9 is already in progress, request is ignored.']);
  });

  test('cancelling the stream frees all its requests', async () => {
    const stream = client.stream();
    for (const id of ['1', '2', '3']) stream.write(ensembleRequest(ENDLESS_PROMPT, 3000, true, id));
    stream.on('error', () => undefined);
    stream.on('data', () => undefined);
    await until(() => server.model.runningCount === 3);
    stream.cancel();
    await until(() => server.model.runningCount === 0);
  });

  test('a half-closed stream still gets its answers', async () => {
    const pieces = await exchange([ensembleRequest('late', 100, true)]);
    expect(pieces.flatMap((piece) => textsOf(inner(piece))).join('')).toBe(' echo of late');
  });
});

describe('repository, statistics and settings', () => {
  test('index, unload and load', async () => {
    const index = async () =>
      ((await client.call('RepositoryIndex'))['models'] as Message[]).map((row) => [
        row['name'],
        row['state'],
      ]);
    expect(await index()).toContainEqual(['tensorrt_llm_bls', 'READY']);
    await client.call('RepositoryModelUnload', { model_name: 'tensorrt_llm_bls' });
    expect(await index()).toContainEqual(['tensorrt_llm_bls', 'UNAVAILABLE']);
    expect((await client.call('ServerReady'))['ready']).toBe(true);
    await client.call('RepositoryModelLoad', { model_name: 'tensorrt_llm_bls' });
    expect(await index()).toContainEqual(['tensorrt_llm_bls', 'READY']);
    await expect(client.call('RepositoryModelUnload', { model_name: 'nope' })).rejects.toMatchObject({
      code: status.INVALID_ARGUMENT,
    });
    await expect(client.call('RepositoryModelLoad', { model_name: 'tensorrt_lm' })).rejects.toMatchObject({
      code: status.INTERNAL,
      details:
        "failed to load 'tensorrt_lm', failed to poll from model repository: there is no such model; did you mean 'tensorrt_llm'?",
    });
    await expect(client.call('RepositoryIndex', { repository_name: 'x' })).rejects.toMatchObject({
      code: status.UNIMPLEMENTED,
    });
  });

  test('statistics count requests, executions and responses', async () => {
    const read = async (model: string) => {
      const { model_stats } = await client.call('ModelStatistics', { name: model });
      return (model_stats as Message[])[0]!;
    };
    const before = await read('ensemble');
    await client.call('ModelInfer', ensembleRequest('a', 2, false));
    const pieces = await exchange([ensembleRequest('abc', 8, true)]);
    const after = await read('ensemble');
    for (const key of ['inference_count', 'execution_count'])
      expect((after[key] as bigint) - (before[key] as bigint)).toBe(2n);
    // One row of one request in one execution, whatever the engine batches in flight.
    const { compute_input, compute_infer, compute_output } = after['inference_stats'] as Message;
    expect(after['batch_stats']).toEqual([{ batch_size: 1n, compute_input, compute_infer, compute_output }]);
    const successOf = (message: Message, index: number) => {
      const responses = (message['response_stats'] ?? {}) as Record<string, Message>;
      return ((responses[index]?.['success'] as Message | undefined)?.['count'] ?? 0n) as bigint;
    };
    const gained = pieces.map((_, index) => successOf(after, index) - successOf(before, index));
    expect(gained).toEqual([2n, ...pieces.slice(1).map(() => 1n)]);
    const engine = await read('tensorrt_llm');
    expect(successOf(engine, 0)).toBeGreaterThanOrEqual(successOf(after, 0));
  });

  test('a client that leaves is counted where its next response would have come', async () => {
    const cancelled = async () => {
      const { model_stats } = await client.call('ModelStatistics', { name: 'ensemble' });
      const responses = (model_stats as Message[])[0]!['response_stats'] as Record<string, Message>;
      return Object.values(responses).reduce(
        (sum, row) => sum + (((row['cancel'] as Message)['count'] ?? 0n) as bigint),
        0n,
      );
    };
    const before = await cancelled();
    const stream = client.stream();
    stream.on('error', () => undefined);
    stream.write(ensembleRequest('x'.repeat(3000), 3000, true));
    await new Promise((resolve) => stream.once('data', resolve));
    stream.cancel();
    await until(() => server.model.runningCount === 0);
    expect((await cancelled()) - before).toBe(1n);
  });

  test('the memory of an engine is reported by type and device', async () => {
    const { model_stats } = await client.call('ModelStatistics', { name: '' });
    const usage = new Map(
      (model_stats as Message[]).map((model) => [model['name'], model['memory_usage']] as const),
    );
    expect(usage.get('tensorrt_llm')).toEqual([
      { type: 'GPU', id: 1n, byte_size: BigInt(2 ** 20 + 2 ** 10) },
      { type: 'CPU_PINNED', byte_size: 77n },
    ]);
    expect(usage.get('ensemble')).toBeUndefined();
  });

  test('trace and log settings', async () => {
    const trace = await client.call('TraceSetting', { settings: { trace_rate: { value: ['500'] } } });
    expect((trace['settings'] as Message)['trace_rate']).toEqual({ value: ['500'] });
    const log = await client.call('LogSettings', { settings: { log_verbose_level: { uint32_param: 2 } } });
    expect((log['settings'] as Message)['log_verbose_level']).toEqual({ uint32_param: 2 });
    await expect(
      client.call('LogSettings', { settings: { log_file: { string_param: 'x' } } }),
    ).rejects.toMatchObject({
      code: status.INVALID_ARGUMENT,
    });
  });

  test('shared memory is refused with a reason', async () => {
    for (const kind of ['system', 'cuda']) {
      const method = `${kind === 'cuda' ? 'Cuda' : 'System'}SharedMemory`;
      expect(await client.call(`${method}Status`)).toEqual({});
      await expect(client.call(`${method}Status`, { name: 'x' })).rejects.toMatchObject({
        code: status.NOT_FOUND,
        details: `Unable to find ${kind} shared memory region: 'x'`,
      });
      expect(await client.call(`${method}Unregister`, { name: 'x' })).toEqual({});
    }
    await expect(client.call('SystemSharedMemoryRegister', { name: 'r' })).rejects.toMatchObject({
      code: status.UNIMPLEMENTED,
    });
  });
});

describe('a model that is not decoupled', () => {
  const IDS = ['1', '2', '3', '4'];
  let coupled: TestServer;
  let caller: IndependentClient;
  beforeAll(async () => {
    coupled = await startTestServer({
      script: { slotCount: 4 },
      prepare: (repository) => makeCoupled(repository),
    });
    caller = new IndependentClient(coupled.grpcAddress);
  });
  afterAll(async () => {
    caller.close();
    await coupled.close();
  });

  test('runs the requests of a stream at the same time, and answers in their order', async () => {
    coupled.model.hold();
    const stream = caller.stream();
    // The first is the longest: the others are done before it.
    for (const id of IDS) stream.write(ensembleRequest(`prompt ${id}`, id === '1' ? 64 : 1, false, id));
    stream.end();
    const answers = collect(stream);
    await until(() => coupled.model.runningCount === IDS.length);
    coupled.model.allow();
    expect((await answers).map((message) => inner(message)['id'])).toEqual(IDS);
  });

  test('keeps the order with errors among the answers', async () => {
    const stream = caller.stream();
    const texts = ['a', 'x'.repeat(9000), 'b'];
    for (const [i, text] of texts.entries()) stream.write(ensembleRequest(text, 2, false, String(i)));
    stream.end();
    const messages = await collect(stream);
    expect(messages.map((message) => message['error_message'] ?? '')).toEqual([
      '',
      expect.stringMatching(/Prompt length/),
      '',
    ]);
  });
});

/** Rewrites the configurations of a repository so that no model is decoupled. */
function makeCoupled(repository: string): void {
  for (const name of readdirSync(repository)) {
    const path = join(repository, name, 'config.pbtxt');
    writeFileSync(path, readFileSync(path, 'utf8').replace('decoupled: true', 'decoupled: false'));
  }
}

test('a server that shuts down ends idle and busy streams as unavailable, after their answers', async () => {
  const other = await startTestServer({ script: { tokenMs: 1, slotCount: 4 }, options: { drainMs: 50 } });
  const own = new IndependentClient(other.grpcAddress);
  const [idle, busy] = [own.stream(), own.stream()];
  idle.write(ensembleRequest('a', 2, true, 'short'));
  busy.write(ensembleRequest(ENDLESS_PROMPT, 1e6, true, 'endless'));
  const messages = { idle: [] as Message[], busy: [] as Message[] };
  const ended = (['idle', 'busy'] as const).map((name) => {
    const stream = { idle, busy }[name];
    stream.on('data', (message: Message) => messages[name].push(message));
    return new Promise<unknown>((resolve) => stream.on('error', resolve));
  });
  await until(() => messages.busy.length > 0 && messages.idle.some(finalFlag));
  await other.close();
  for (const fault of await Promise.all(ended))
    expect(fault).toMatchObject({ code: status.UNAVAILABLE, details: 'Server exiting' });
  expect(messages.idle.filter((message) => message['error_message'])).toEqual([]);
  expect(messages.busy.at(-1)!['error_message']).toMatch(/^The server shuts down/);
  own.close();
});
