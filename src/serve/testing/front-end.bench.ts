/**
 * Front-end throughput: tokens a second over many streams with an engine that computes nothing. The server is this
 * process, the client another. A first burst of as many short streams warms the server up.
 * `node dist/serve/testing/front-end.bench.js [sse|openai|grpc|sse-ids|grpc-ids] [streams] [tokens per stream] [steps per second]`
 */
import { fork } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SILENT_LOG } from '../../core/log.js';
import { DEFAULT_SERVE_OPTIONS } from '../context/options.js';
import { startServer, type RunningServer } from '../start/server.js';
import { rawInt32 } from './independent-grpc.js';
import type { LoadApi, LoadJob, LoadResult } from './load-client.js';
import { nullLoader, type NullLoader } from './null-engine.js';
import { fakeEngine } from './test-server.js';

const TOKENIZER = fileURLToPath(new URL('../../../models/demo', import.meta.url));

/** Tokens of each stream of the first burst. */
const COLD_TOKENS = 8;

const [api = 'sse', streams = '1024', tokens = '300', steps = '100'] = process.argv.slice(2);
/** The bytes of a token in each kind of answer. Of token ids each response must have exactly one: no list, four bytes. */
const MARKS: Readonly<Record<LoadApi, (loader: NullLoader) => string>> = {
  sse: ({ word }) => word,
  openai: ({ word }) => word,
  grpc: ({ word }) => word,
  'sse-ids': ({ tokenId }) => `"output_ids":${tokenId},`,
  'grpc-ids': ({ tokenId }) => `2\x04${Buffer.from(rawInt32(tokenId)).toString('latin1')}`,
};

if (!isApi(api)) throw new Error(`No such API: ${api}`);
const directory = mkdtempSync(join(tmpdir(), 'aloft-front-end-'));
try {
  const loader = await nullLoader(Number(steps), TOKENIZER);
  const free = { host: '127.0.0.1', port: 0 };
  const options = {
    ...DEFAULT_SERVE_OPTIONS,
    engineDirectory: fakeEngine(directory),
    http: free,
    grpc: free,
    metrics: free,
    maxBufferedEventCount: 100_000,
  };
  const server = await startServer(options, { loader, log: SILENT_LOG });
  await server.modelsLoaded;
  const mark = MARKS[api](loader);
  const streamCount = Number(streams);
  // The first requests of a process find code that was never run. They are measured apart.
  const cold = await measure(server, { api, streamCount, tokenCount: COLD_TOKENS, mark });
  const warm = await measure(server, { api, streamCount, tokenCount: Number(tokens), mark });
  const summary = { ...warm, coldFirstTokenMs: cold.firstTokenMs };
  await server.close();
  process.stdout.write(`${JSON.stringify(summary)}\n`);
} finally {
  rmSync(directory, { recursive: true, force: true });
}

async function measure({ ports }: RunningServer, job: Omit<LoadJob, 'port'>) {
  const port = job.api.startsWith('grpc') ? ports.grpc : ports.http;
  if (port === undefined) throw new Error('The server has no such port.');
  const client = fork(fileURLToPath(new URL('./load-client.js', import.meta.url)));
  const startCpu = process.cpuUsage();
  const result = await new Promise<LoadResult>((resolve, reject) => {
    client.once('message', (message: LoadResult) => resolve(message));
    client.once('exit', () => reject(new Error('The client failed.')));
    client.send({ ...job, port } satisfies LoadJob);
  });
  const cpu = process.cpuUsage(startCpu);
  client.kill();
  const { tokenCount, seconds, firstTokenMs } = result;
  const sorted = firstTokenMs.toSorted((a, b) => a - b);
  const nearestRank = (share: number) => Math.round(sorted[Math.ceil(sorted.length * share) - 1] ?? NaN);
  return {
    api: job.api,
    streams: job.streamCount,
    tokensPerStream: job.tokenCount,
    offeredTokensPerSecond: job.streamCount * Number(steps),
    tokensPerSecond: Math.round(tokenCount / seconds),
    steadyTokensPerSecond: Math.round(result.steadyTokensPerSecond),
    tokensPerMessage: rounded(tokenCount / result.messageCount),
    serverCpuMicrosecondsPerToken: rounded((cpu.user + cpu.system) / tokenCount),
    clientCpuMicrosecondsPerToken: rounded(result.cpuMicroseconds / tokenCount),
    clientShareOfCpu: rounded(result.cpuMicroseconds / (result.cpuMicroseconds + cpu.user + cpu.system)),
    firstTokenMs: { p50: nearestRank(0.5), p99: nearestRank(0.99) },
  };
}

function rounded(value: number): number {
  return Number(value.toFixed(2));
}

function isApi(text: string): text is LoadApi {
  return Object.hasOwn(MARKS, text);
}
