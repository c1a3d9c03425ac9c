import { Client, credentials, Metadata, status, type ServiceError } from '@grpc/grpc-js';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestServer, type TestServer } from '../testing/test-server.js';

const SERVICE = '/inference.GRPCInferenceService';
const bytes = (message: Buffer) => message;

let own: TestServer;
let client: Client;
beforeAll(async () => {
  own = await startTestServer({ options: { apiKeys: ['user'], adminKeys: ['admin'] } });
  client = new Client(own.grpcAddress, credentials.createInsecure());
});
afterAll(async () => {
  client.close();
  await own.close();
});

async function call(method: string, message: Buffer, key?: string): Promise<status> {
  const metadata = new Metadata();
  if (key !== undefined) metadata.set('authorization', `Bearer ${key}`);
  return await new Promise((resolve) => {
    const path = method.includes('/') ? method : `${SERVICE}/${method}`;
    client.makeUnaryRequest(path, bytes, bytes, message, metadata, (error: ServiceError | null) =>
      resolve(error?.code ?? status.OK),
    );
  });
}

/** Empty `inputs`, two bytes each: 2 MiB of them become a million messages of 500 bytes. */
const MANY_INPUTS = Buffer.alloc(2 << 20, Buffer.from([0x2a, 0]));

test('a message is not read before the key is checked', async () => {
  expect(await call('ModelInfer', MANY_INPUTS)).toBe(status.UNAUTHENTICATED);
  // Bytes that are no message: a server that had decoded them would say so.
  expect(await call('ModelInfer', Buffer.from([0xff]), 'wrong')).toBe(status.UNAUTHENTICATED);
});

test('a message of too many fields is refused before it is decoded', async () => {
  expect(await call('ModelInfer', MANY_INPUTS, 'user')).toBe(status.INVALID_ARGUMENT);
  expect(await call('ModelInfer', Buffer.from([0xff]), 'user')).toBe(status.INVALID_ARGUMENT);
});

test('the message of a method that only names something is small', async () => {
  const name = Buffer.alloc(2 << 20, 'x');
  const head = Buffer.from([0x0a, 0x80, 0x80, 0x80, 0x01]); // field 1, 2 MiB of text
  expect(await call('ModelConfig', Buffer.concat([head, name]), 'user')).toBe(status.INVALID_ARGUMENT);
});

test('health is open, and administration needs the key of an administrator', async () => {
  const empty = Buffer.alloc(0);
  for (const method of ['ServerLive', 'ServerReady', '/grpc.health.v1.Health/Check'])
    expect(await call(method, empty)).toBe(status.OK);
  for (const method of ['LogSettings', 'TraceSetting']) {
    expect(await call(method, empty)).toBe(status.UNAUTHENTICATED);
    expect(await call(method, empty, 'user')).toBe(status.PERMISSION_DENIED);
    expect(await call(method, empty, 'admin')).toBe(status.OK);
  }
  expect(await call('RepositoryModelUnload', empty, 'user')).toBe(status.PERMISSION_DENIED);
  expect(await call('RepositoryIndex', empty, 'user')).toBe(status.OK);
});

test('open calls of Watch have a limit', async () => {
  const streams = Array.from({ length: 1030 }, () =>
    client.makeServerStreamRequest('/grpc.health.v1.Health/Watch', bytes, bytes, Buffer.alloc(0)),
  );
  const ends = streams.map(
    (stream) =>
      new Promise<'watches' | 'refused'>((resolve) => {
        stream.once('data', () => resolve('watches'));
        stream.once('error', (error: ServiceError) =>
          resolve(error.code === status.UNAVAILABLE ? 'refused' : 'watches'),
        );
      }),
  );
  const all = await Promise.all(ends);
  for (const stream of streams) stream.on('error', () => undefined).cancel();
  expect(all.filter((end) => end === 'refused').length).toBe(6);
});

test('a server that shuts down ends calls of Watch as unavailable, after the last status', async () => {
  const other = await startTestServer({});
  const watching = new Client(other.grpcAddress, credentials.createInsecure());
  const stream = watching.makeServerStreamRequest(
    '/grpc.health.v1.Health/Watch',
    bytes,
    bytes,
    Buffer.alloc(0),
  );
  const statuses: number[] = [];
  stream.on('data', (message: Buffer) => statuses.push(message[1]!));
  const end = new Promise<ServiceError>((resolve) => stream.once('error', resolve));
  await new Promise((resolve) => stream.once('data', resolve));
  await other.close();
  expect(await end).toMatchObject({ code: status.UNAVAILABLE, details: 'Server exiting' });
  const [serving, notServing] = [1, 2];
  expect([statuses[0], statuses.at(-1)]).toEqual([serving, notServing]);
  watching.close();
});
