/**
 * Front-end throughput: tokens a second over many streams with an engine that costs nothing. The server is this process,
 * the client another. `node dist/serve/front-end.bench.js [sse|grpc] [streams] [tokens per stream] [steps per second]`
 */
import { fork } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SILENT_LOG } from '../core/log.js';
import { percentiles } from './testing/percentiles.js';
import { DEFAULT_SERVE_OPTIONS } from './options.js';
import { startServer } from './server.js';
import { IndependentClient, ensembleRequest, textsOf, type Message } from './testing/independent-grpc.js';
import { nullLoader } from './testing/null-engine.js';
import { fakeEngine } from './testing/test-server.js';

interface Job {
  readonly api: 'sse' | 'grpc';
  readonly streamCount: number;
  readonly tokenCount: number;
  readonly httpPort: number;
  readonly grpcPort: number;
}

interface ClientResult {
  readonly tokens: number;
  readonly seconds: number;
  readonly firstTokenMs: readonly number[];
}

if (process.send === undefined) await runServer();
else process.once('message', (job: Job) => void runClient(job).then((result) => process.send?.(result)));

async function runServer(): Promise<void> {
  const [api = 'sse', streams = '1024', tokens = '200', steps = '100'] = process.argv.slice(2);
  const directory = mkdtempSync(join(tmpdir(), 'aloft-front-end-'));
  const free = { host: '127.0.0.1', port: 0 };
  const options = {
    ...DEFAULT_SERVE_OPTIONS,
    engineDirectory: fakeEngine(directory),
    http: free,
    grpc: free,
    metrics: free,
    maxBufferedEventCount: 100_000,
  };
  const server = await startServer(options, { loader: nullLoader(Number(steps)), log: SILENT_LOG });
  await server.modelsLoaded;
  const client = fork(fileURLToPath(import.meta.url));
  const startCpu = process.cpuUsage();
  client.send({
    api,
    streamCount: Number(streams),
    tokenCount: Number(tokens),
    httpPort: server.ports.http,
    grpcPort: server.ports.grpc,
  });
  const result = await new Promise<ClientResult>((resolve) =>
    client.once('message', (message: ClientResult) => resolve(message)),
  );
  const cpu = process.cpuUsage(startCpu);
  client.kill();
  await server.close();
  rmSync(directory, { recursive: true, force: true });
  const firstToken = percentiles(result.firstTokenMs);
  const summary = {
    api,
    streams: Number(streams),
    tokensPerSecond: Math.round(result.tokens / result.seconds),
    offeredTokensPerSecond: Number(streams) * Number(steps),
    serverCpuMicrosecondsPerToken: Number(((cpu.user + cpu.system) / result.tokens).toFixed(2)),
    firstTokenMs: { p50: Math.round(firstToken.p50), p99: Math.round(firstToken.p99) },
  };
  process.stdout.write(`${JSON.stringify(summary)}\n`);
}

async function runClient(job: Job): Promise<ClientResult> {
  const startMs = performance.now();
  const firstTokenMs: number[] = [];
  const noteFirst = () => firstTokenMs.push(performance.now() - startMs);
  const grpc = new IndependentClient(`127.0.0.1:${job.grpcPort}`);
  const one = job.api === 'sse' ? () => sseStream(job, noteFirst) : () => grpcStream(job, grpc, noteFirst);
  const counts = await Promise.all(Array.from({ length: job.streamCount }, one));
  grpc.close();
  const seconds = (performance.now() - startMs) / 1000;
  return { tokens: counts.reduce((sum, count) => sum + count, 0), seconds, firstTokenMs };
}

/** The null engine's token: messages may hold several. */
const TOKEN = Buffer.from(' word');

/** Counts tokens without parsing events. */
async function sseStream({ httpPort, tokenCount }: Job, noteFirst: () => void): Promise<number> {
  const body = JSON.stringify({ text_input: 'a', max_tokens: tokenCount, stream: true });
  const socket = connect({ host: '127.0.0.1', port: httpPort });
  socket.write(
    `POST /v2/models/ensemble/generate_stream HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
  let count = 0;
  return await new Promise((resolve, reject) => {
    socket.on('data', (chunk: Buffer) => {
      for (let at = chunk.indexOf(TOKEN); at >= 0; at = chunk.indexOf(TOKEN, at + 1)) {
        if (count++ === 0) noteFirst();
      }
    });
    socket.on('close', () => resolve(count));
    socket.on('error', reject);
  });
}

async function grpcStream(
  { tokenCount }: Job,
  client: IndependentClient,
  noteFirst: () => void,
): Promise<number> {
  const stream = client.stream();
  stream.write(ensembleRequest('a', tokenCount, true));
  stream.end();
  let count = 0;
  return await new Promise((resolve, reject) => {
    stream.on('data', (message: Message) => {
      if (count === 0) noteFirst();
      const [text = ''] = textsOf(message['infer_response'] as Message);
      count += text.length / TOKEN.length;
    });
    stream.on('end', () => resolve(count));
    stream.on('error', reject);
  });
}
