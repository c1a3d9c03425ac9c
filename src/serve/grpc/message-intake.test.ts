/** Messages that do not come to their end, that come in many pieces, or that grow when they are unpacked. */
import { status } from '@grpc/grpc-js';
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from 'node:http2';
import { gzipSync } from 'node:zlib';
import { afterEach, expect, test } from 'vitest';
import type { ServeOptions } from '../context/options.js';
import { startTestServer, until, type TestServer } from '../testing/test-server.js';

let server: TestServer | undefined;
let session: ClientHttp2Session | undefined;
afterEach(async () => {
  session?.destroy();
  await server?.close();
});

async function start(options: Partial<ServeOptions>): Promise<TestServer> {
  server = await startTestServer({ options });
  session = connect(`http://${server.grpcAddress}`);
  session.on('error', () => undefined);
  session.setMaxListeners(0);
  return server;
}

interface Call {
  readonly stream: ClientHttp2Stream;
  /** Status that ended it. */
  code: number | undefined;
  isClosed: boolean;
}

/** Opens a call, which is never ended by its client. */
function call(method: string, headers: Readonly<Record<string, string>> = {}): Call {
  const stream = session!.request({
    ':method': 'POST',
    ':path': `/inference.GRPCInferenceService/${method}`,
    'content-type': 'application/grpc',
    te: 'trailers',
    ...headers,
  });
  const own: Call = { stream, code: undefined, isClosed: false };
  const note = (fields: Readonly<Record<string, unknown>>) => {
    if (fields['grpc-status'] !== undefined) own.code = Number(fields['grpc-status']);
  };
  stream.on('response', note);
  stream.on('trailers', note);
  stream.on('error', () => undefined);
  stream.on('close', () => (own.isClosed = true));
  stream.resume();
  return own;
}

/** Head of a message. */
function head(byteCount: number, isPacked = false): Buffer {
  const bytes = Buffer.alloc(5);
  bytes[0] = isPacked ? 1 : 0;
  bytes.writeUInt32BE(byteCount, 1);
  return bytes;
}

test.each(['ModelInfer', 'ModelStreamInfer'])(
  '%s: a message that does not come ends the call and its stream',
  async (method) => {
    const own = await start({ bodyTimeoutMs: 300 });
    const { bodyBudget } = own.server.context;
    const slow = call(method);
    slow.stream.write(Buffer.concat([head(1000), Buffer.alloc(100)]));
    await until(() => bodyBudget.bytes > 0);
    await until(() => slow.isClosed);
    expect(slow.code).toBe(status.DEADLINE_EXCEEDED);
    await until(() => bodyBudget.bytes === 0);
  },
);

test('a stream without a message may stay open', async () => {
  await start({ bodyTimeoutMs: 100 });
  const idle = call('ModelStreamInfer');
  await new Promise((resolve) => setTimeout(resolve, 600));
  expect([idle.code, idle.isClosed]).toEqual([undefined, false]);
});

test.each(['ModelInfer', 'ModelStreamInfer'])(
  '%s: messages that are not whole hold no more than the budget together',
  async (method) => {
    const own = await start({ maxOpenBodyBytes: 1 << 20, bodyTimeoutMs: 60_000 });
    const { bodyBudget } = own.server.context;
    const calls = Array.from({ length: 20 }, () => call(method));
    for (const { stream } of calls) stream.write(Buffer.concat([head(1 << 24), Buffer.alloc(100_000)]));
    const refused = () => calls.filter(({ code }) => code === status.UNAVAILABLE);
    await until(() => refused().length >= 8);
    expect(bodyBudget.bytes).toBeLessThanOrEqual(1 << 20);
    await until(() => refused().every(({ isClosed }) => isClosed));
    for (const { stream } of calls) stream.close();
    await until(() => bodyBudget.bytes === 0);
  },
);

test('each piece of a message counts, and not its bytes alone', async () => {
  const own = await start({ maxOpenBodyBytes: 100_000, bodyTimeoutMs: 60_000 });
  const { bodyBudget } = own.server.context;
  const { stream } = call('ModelStreamInfer');
  stream.write(head(1 << 20));
  for (let i = 0; i < 50; i++) {
    await new Promise<void>((resolve) => stream.write(Buffer.alloc(1), () => resolve()));
    await until(() => bodyBudget.bytes > 256 * i);
  }
  stream.close();
  await until(() => bodyBudget.bytes === 0);
});

test('a message that comes in thousands of crumbs is refused', async () => {
  const own = await start({ bodyTimeoutMs: 60_000 });
  const { bodyBudget } = own.server.context;
  const refused = call('ModelStreamInfer');
  refused.stream.write(head(1 << 20));
  for (let i = 0; i < 20_000 && refused.code === undefined; i++)
    await new Promise<void>((resolve) => refused.stream.write(Buffer.alloc(1), () => resolve()));
  await until(() => refused.code === status.INVALID_ARGUMENT);
  await until(() => bodyBudget.bytes === 0);
});

test('packed messages count as what they may become', async () => {
  const own = await start({ maxBodyBytes: 1 << 20, maxOpenBodyBytes: 3 << 20 });
  const { bodyBudget } = own.server.context;
  const packed = gzipSync(Buffer.alloc(1 << 20));
  const calls = Array.from({ length: 10 }, () => {
    const own = call('ModelInfer', { 'grpc-encoding': 'gzip' });
    own.stream.end(Buffer.concat([head(packed.length, true), packed]));
    return own;
  });
  await until(() => calls.every(({ code }) => code !== undefined));
  expect(new Set(calls.map(({ code }) => code))).toEqual(
    new Set([status.INVALID_ARGUMENT, status.UNAVAILABLE]),
  );
  await until(() => bodyBudget.bytes === 0);
});
