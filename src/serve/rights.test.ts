/** Rights that are the same on both protocols: groups that need a header, and priority over others. */
import { Client, credentials, Metadata, status, type ServiceError } from '@grpc/grpc-js';
import { create, toBinary } from '@bufbuild/protobuf';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ModelInferRequestSchema } from '../protocol/gen/inference_pb.js';
import { writeGrpcRequest } from '../protocol/grpc/infer-request.js';
import { numberTensor, textTensor } from '../protocol/kserve/tensor.js';
import { type ListedApi, readRestrictions } from './context/restricted-apis.js';
import { startTestServer, type TestServer } from './testing/test-server.js';

const SERVICE = '/inference.GRPCInferenceService';
const same = (message: Buffer) => message;

type Headers = Readonly<Record<string, string>>;

/** Status of a request over HTTP. */
async function http(server: TestServer, path: string, headers: Headers, body?: string): Promise<number> {
  const init = body === undefined ? { headers } : { method: 'POST', headers, body };
  const answer = await fetch(server.httpUrl + path, init);
  await answer.arrayBuffer();
  return answer.status;
}

/** Status of a call with this message. */
async function grpc(client: Client, method: string, headers: Headers, message: Buffer): Promise<status> {
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
  const path = method.startsWith('/') ? method : `${SERVICE}/${method}`;
  return await new Promise((resolve) => {
    client.makeUnaryRequest(path, same, same, message, metadata, (error: ServiceError | null) =>
      resolve(error?.code ?? status.OK),
    );
  });
}

/** Status that ends a call with many answers. */
async function grpcStream(client: Client, method: string, message: Buffer): Promise<status> {
  return await new Promise((resolve) => {
    const call = client.makeBidiStreamRequest(`${SERVICE}/${method}`, same, same);
    call.on('data', () => undefined);
    call.on('error', (error: ServiceError) => resolve(error.code));
    call.on('end', () => resolve(status.OK));
    call.end(message);
  });
}

function inferMessage(parameters: Readonly<Record<string, bigint>> = {}): Buffer {
  const inputs = [textTensor('text_input', [1, 1], ['a']), numberTensor('max_tokens', 'INT32', [1, 1], [2])];
  const request = { modelName: 'ensemble', modelVersion: '', id: '', parameters, inputs, outputs: [] };
  return Buffer.from(writeGrpcRequest(request));
}

/** A message that names the model `ensemble` in its first field, as most methods have it. */
const NAMED = Buffer.from(
  toBinary(ModelInferRequestSchema, create(ModelInferRequestSchema, { modelName: 'ensemble' })),
);
const EMPTY = Buffer.alloc(0);
const GENERATE = JSON.stringify({ text_input: 'a', max_tokens: 2 });
const COMPLETE = JSON.stringify({ model: 'ensemble', prompt: 'a', max_tokens: 2 });
const CHAT = JSON.stringify({ model: 'ensemble', messages: [{ role: 'user', content: 'a' }], max_tokens: 2 });

interface Members {
  /** Paths, and bodies of those that are posted. */
  readonly http: readonly (readonly [path: string, body?: string])[];
  readonly grpc: readonly (readonly [method: string, message: Buffer])[];
}

/** Every route and every method, by its group. */
const MEMBERS: Readonly<Record<ListedApi, Members>> = {
  health: {
    http: [['/v2/health/live'], ['/v2/health/ready'], ['/health'], ['/v2/models/ensemble/ready']],
    grpc: [
      ['ServerLive', EMPTY],
      ['ServerReady', EMPTY],
      ['ModelReady', NAMED],
      ['/grpc.health.v1.Health/Check', EMPTY],
    ],
  },
  metadata: {
    http: [['/v2'], ['/v2/models/ensemble'], ['/v1/models'], ['/v1/models/ensemble']],
    grpc: [
      ['ServerMetadata', EMPTY],
      ['ModelMetadata', NAMED],
    ],
  },
  inference: {
    http: [
      ['/v2/models/ensemble/generate', GENERATE],
      ['/v2/models/ensemble/versions/1/generate', GENERATE],
      ['/v2/models/tensorrt_llm_bls/generate_stream', GENERATE],
      ['/v1/completions', COMPLETE],
      ['/v1/chat/completions', CHAT],
    ],
    grpc: [['ModelInfer', inferMessage()]],
  },
  'shared-memory': {
    http: [
      ['/v2/systemsharedmemory/status'],
      ['/v2/cudasharedmemory/status'],
      ['/v2/cudasharedmemory/unregister', '{}'],
    ],
    grpc: [
      ['SystemSharedMemoryStatus', EMPTY],
      ['CudaSharedMemoryStatus', EMPTY],
      ['CudaSharedMemoryUnregister', EMPTY],
    ],
  },
  'model-config': {
    http: [['/v2/models/ensemble/config'], ['/v2/models/ensemble/versions/1/config']],
    grpc: [['ModelConfig', NAMED]],
  },
  'model-repository': {
    http: [
      ['/v2/repository/index', '{}'],
      ['/v2/repository/models/preprocessing/load', '{}'],
    ],
    grpc: [['RepositoryIndex', EMPTY]],
  },
  statistics: {
    http: [['/v2/models/stats'], ['/v2/models/ensemble/stats']],
    grpc: [['ModelStatistics', NAMED]],
  },
  trace: {
    http: [['/v2/trace/setting'], ['/v2/trace/setting', '{}'], ['/v2/models/ensemble/trace/setting']],
    grpc: [['TraceSetting', EMPTY]],
  },
  logging: { http: [['/v2/logging'], ['/v2/logging', '{}']], grpc: [['LogSettings', EMPTY]] },
};
const APIS = Object.keys(MEMBERS) as ListedApi[];

describe.each(APIS)('restricted: %s', (api) => {
  let server: TestServer;
  let client: Client;
  beforeAll(async () => {
    const restrictions = {
      http: readRestrictions('http', [`${api}:Secret-Header=s3=cret`]),
      grpc: readRestrictions('grpc', [`${api}:secret-header=s3=cret`]),
    };
    server = await startTestServer({ options: { restrictions, controlMode: 'explicit', loadModels: ['*'] } });
    client = new Client(server.grpcAddress, credentials.createInsecure());
  });
  afterAll(async () => {
    client.close();
    await server.close();
  });

  test('its routes and methods need the header, and the others do not', async () => {
    const secret = { 'Secret-Header': 's3=cret' };
    const grpcSecret = { 'triton-grpc-protocol-secret-header': 's3=cret' };
    for (const other of APIS) {
      const [refused, denied] = other === api ? [403, status.PERMISSION_DENIED] : [200, status.OK];
      for (const [path, body] of MEMBERS[other].http) {
        expect(await http(server, path, {}, body), path).toBe(refused);
        expect(await http(server, path, { 'secret-header': 's3=cres' }, body), path).toBe(refused);
        expect(await http(server, path, secret, body), path).toBe(200);
      }
      for (const [method, message] of MEMBERS[other].grpc) {
        expect(await grpc(client, method, {}, message), method).toBe(denied);
        expect(await grpc(client, method, { 'secret-header': 's3=cret' }, message), method).toBe(denied);
        expect(await grpc(client, method, grpcSecret, message), method).toBe(status.OK);
      }
    }
    const streamed = await grpcStream(client, 'ModelStreamInfer', inferMessage());
    expect(streamed).toBe(api === 'inference' ? status.PERMISSION_DENIED : status.OK);
  });
});

test('a restriction is one more condition than a key, and says which header it expects', async () => {
  const restrictions = { http: readRestrictions('http', ['trace,logging:x-admin=yes']), grpc: [] };
  const server = await startTestServer({ options: { apiKeys: ['user'], restrictions } });
  try {
    const key = { 'x-api-key': 'user' };
    expect(await http(server, '/v2/logging', { 'x-admin': 'yes' })).toBe(401);
    expect(await http(server, '/v2/logging', { ...key, 'x-admin': 'yes' })).toBe(200);
    const answer = await fetch(`${server.httpUrl}/v2/logging`, { headers: key });
    expect([answer.status, await answer.json()]).toEqual([
      403,
      { error: `This API (logging) is restricted, expecting header 'x-admin' with its value.` },
    ]);
  } finally {
    await server.close();
  }
});

describe('priority over others', () => {
  let server: TestServer;
  let client: Client;
  beforeAll(async () => {
    const keys = { apiKeys: ['user'], adminKeys: ['admin'], priorityKeys: ['fast'] };
    server = await startTestServer({ options: keys });
    client = new Client(server.grpcAddress, credentials.createInsecure());
  });
  afterAll(async () => {
    client.close();
    await server.close();
  });

  const WAYS: Readonly<Record<string, (key: string, isUrgent: boolean) => Promise<boolean>>> = {
    'OpenAI completions': async (key, isUrgent) =>
      await openAi('/v1/completions', { prompt: 'a' }, key, isUrgent),
    'OpenAI chat': async (key, isUrgent) =>
      await openAi('/v1/chat/completions', { messages: [{ role: 'user', content: 'a' }] }, key, isUrgent),
    generate: async (key, isUrgent) => {
      const body = JSON.stringify({ text_input: 'a', max_tokens: 2, priority: isUrgent ? 1 : 3 });
      return isTaken(await http(server, '/v2/models/ensemble/generate', bearer(key), body));
    },
    ModelInfer: async (key, isUrgent) => {
      const code = await grpc(
        client,
        'ModelInfer',
        bearer(key),
        inferMessage({ priority: isUrgent ? 1n : 3n }),
      );
      expect([status.OK, status.PERMISSION_DENIED]).toContain(code);
      return code === status.OK;
    },
  };
  const bearer = (key: string) => ({ authorization: `Bearer ${key}` });
  const isTaken = (code: number) => {
    expect([200, 403]).toContain(code);
    return code === 200;
  };
  const openAi = async (path: string, prompt: object, key: string, isUrgent: boolean) => {
    const body = { model: 'ensemble', max_tokens: 2, priority: isUrgent ? 2 ** 31 - 1 : -1, ...prompt };
    return isTaken(await http(server, path, bearer(key), JSON.stringify(body)));
  };

  test.each(Object.entries(WAYS))('%s: needs a key that has it', async (_, ask) => {
    expect(await ask('user', true)).toBe(false);
    expect(await ask('fast', true)).toBe(true);
    expect(server.model.requests.at(-1)?.priority).toBeGreaterThan(0);
    expect(await ask('admin', true)).toBe(true);
    // To come after others is anybody's.
    expect(await ask('user', false)).toBe(true);
    expect(server.model.requests.at(-1)?.priority).toBeLessThan(0);
  });

  test('a key for it may use models and nothing else', async () => {
    expect(await http(server, '/v2', bearer('fast'))).toBe(200);
    expect(await http(server, '/v2/logging', bearer('fast'))).toBe(403);
    expect(await http(server, '/v2', bearer('nobody'))).toBe(401);
  });

  test('says so in one sentence', async () => {
    const answer = await fetch(`${server.httpUrl}/v1/completions`, {
      method: 'POST',
      headers: bearer('user'),
      body: JSON.stringify({ model: 'ensemble', prompt: 'a', priority: 1 }),
    });
    expect([answer.status, await answer.json()]).toEqual([
      403,
      {
        error: expect.objectContaining({
          code: 'forbidden',
          message: `'priority' would put the request before those of others, which needs a key of --priority-key-file or --admin-key-file; leave it out.`,
        }),
      },
    ]);
  });

  test('belongs to everybody where no such key is named', async () => {
    const own = await startTestServer({ options: { apiKeys: ['user'] } });
    const body = JSON.stringify({ model: 'ensemble', prompt: 'a', max_tokens: 2, priority: 5 });
    expect(await http(own, '/v1/completions', bearer('user'), body)).toBe(200);
    await own.close();
  });
});
