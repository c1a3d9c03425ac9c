/** The server's process is killed, as by the kernel or by a fault in native code: clients learn it, and do not wait. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeAll, afterAll, describe, expect, test } from 'vitest';
import { GrpcClient, HttpClient, type TextPiece } from '../client/index.js';
import { aloft } from '../tools/cli/testing/command-line.js';
import { buildTemporaryEngine, DEMO_MODEL, type TemporaryEngine } from './build-and-open.js';

const ALOFT = fileURLToPath(new URL('../../bin/aloft.js', import.meta.url));

let engine: TemporaryEngine;
let server: ChildProcess | undefined;
beforeAll(async () => {
  // Few slots: most requests are still waiting or running when the server dies.
  const sizes = { max_batch_size: '4', max_input_len: '64', max_output_len: '512' };
  engine = await buildTemporaryEngine({ model_dir: DEMO_MODEL, ...sizes });
});
afterAll(() => engine.dispose());
afterEach(async () => {
  if (server?.exitCode === null && server.signalCode === null) {
    server.kill('SIGKILL');
    await once(server, 'exit');
  }
});

interface Addresses {
  readonly http: string;
  readonly grpc: string;
}

async function startServer(): Promise<Addresses> {
  const flags = ['--http-port', '0', '--grpc-port', '0', '--metrics-port', '0'];
  const child = spawn(process.execPath, [ALOFT, 'serve', '--engine-dir', engine.directory, ...flags], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  server = child;
  let text = '';
  return await new Promise((resolve, reject) => {
    child.once('exit', () => reject(new Error(`The server ended:\n${text}`)));
    child.stderr.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      const http = /Started HTTPService at (\S+)/.exec(text)?.[1];
      const grpc = /Started GRPCInferenceService at (\S+)/.exec(text)?.[1];
      if (http && grpc && /Ready: model 'ensemble'/.test(text)) resolve({ http, grpc });
    });
  });
}

const REQUEST = { prompt: 'Once upon a time', maxTokens: 500, endId: -1 };

/** Kills the server as soon as one of the answers has begun. @returns what each request ended with */
async function outcomes(ask: (stream: boolean) => AsyncIterable<TextPiece>, signal: NodeJS.Signals) {
  const kill = () => server?.kill(signal);
  const run = async (stream: boolean) => {
    try {
      for await (const _ of ask(stream)) kill();
      return 'complete';
    } catch (error) {
      return (error as { code?: unknown }).code;
    }
  };
  return await Promise.all(Array.from({ length: 16 }, (_, i) => run(i % 2 === 0)));
}

describe.each<NodeJS.Signals>(['SIGKILL', 'SIGSEGV'])('a server that ends with %s', (signal) => {
  test.each(['http', 'grpc'] as const)('%s clients report SERVER_UNREACHABLE', async (protocol) => {
    const addresses = await startServer();
    const grpc = new GrpcClient({ address: addresses.grpc });
    const client = protocol === 'grpc' ? grpc : new HttpClient({ url: addresses.http });
    const ended = await outcomes((stream) => client.generate({ ...REQUEST, stream }), signal);
    expect(ended.filter((outcome) => outcome === 'SERVER_UNREACHABLE').length).toBeGreaterThanOrEqual(8);
    expect(new Set([...ended, 'complete'])).toEqual(new Set(['SERVER_UNREACHABLE', 'complete']));
    const late = client.generate(REQUEST)[Symbol.asyncIterator]().next();
    await expect(late).rejects.toMatchObject({ code: 'SERVER_UNREACHABLE' });
    grpc.close();
  });
});

test.each(['grpc', 'http'] as const)(
  'aloft client -i %s says so and ends with status 1',
  async (protocol) => {
    const addresses = await startServer();
    const command = aloft(
      'client',
      ...['-i', protocol, '-u', addresses[protocol], '-p', 'Once upon a time', '-S', '-o', '500'],
      ...['--end-id', '-1', '--concurrency', '16'],
    );
    // No machine makes 8,000 tokens in this time; one that has not yet taken the requests fails them, too.
    await new Promise((resolve) => setTimeout(resolve, 300));
    server?.kill('SIGKILL');
    const { status, err } = await command;
    expect({ status, err }).toMatchObject({ status: 1 });
    expect(err).toContain('Received an error from server:');
    expect(err).toContain('[SERVER_UNREACHABLE]');
  },
);
