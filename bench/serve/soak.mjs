/**
 * Mixed load on the real engine for a long time: all protocols, whole and streamed, clients that leave, bad requests.
 * Every 10 s the server collects garbage and tells its memory. Passes when the least-squares slope of the heap over the
 * second half stays below the bound, no request fails that should not, and nothing is left at the end.
 *
 *   node bench/serve/soak.mjs [seconds] [result.json]
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { GrpcClient, HttpClient } from '../../dist/client/index.js';
import { main } from '../../dist/tools/cli/main.js';
import { COMMANDS } from '../../dist/tools/cli/commands.js';
import { machineRecord } from '../../dist/tools/bench/machine.js';

const seconds = Number(process.argv[2] ?? 600);
const output = process.argv[3];
const SAMPLE_MS = 10_000;
const CLIENT_COUNT = 16;
/**
 * What counts as flat: growth that code compiled late explains. RSS is told beside it and has no bound: the allocator's
 * arenas take minutes to reach their size.
 */
const MAX_HEAP_BYTES_PER_MINUTE = 64 * 2 ** 10;
const PROMPTS = [
  'Once upon a time',
  'What is deep learning ?',
  '从前有一个小女孩',
  'def add(a, b):',
  '  The sun 🌞',
];

const folder = mkdtempSync(join(tmpdir(), 'aloft-soak-'));
const engine = join(folder, 'engine');
const demo = fileURLToPath(new URL('../../models/demo', import.meta.url));
const sizes = ['--max_batch_size', '8', '--max_input_len', '256', '--max_output_len', '256'];
await main(['build', '--model_dir', demo, '--output_dir', engine, ...sizes], COMMANDS);
const server = fork(new URL('./soak-server.mjs', import.meta.url), [engine, join(folder, 'models')], {
  execArgv: ['--expose-gc'],
});
const [{ ports }] = await once(server, 'message');
const http = `http://127.0.0.1:${ports.http}`;
const httpClient = new HttpClient({ url: http });
const grpcClient = new GrpcClient({ address: `127.0.0.1:${ports.grpc}` });

const any = (list) => list[Math.floor(Math.random() * list.length)];
const upTo = (limit) => 1 + Math.floor(Math.random() * limit);
const text = (stream) => ({
  text_input: any(PROMPTS),
  max_tokens: upTo(60),
  stream,
  top_k: 40,
  temperature: 0.9,
});
const post = (path, body, signal) =>
  fetch(http + path, {
    method: 'POST',
    body: typeof body === 'string' ? body : JSON.stringify(body),
    signal,
  });
const read = async (path, body, signal) => {
  const response = await post(path, body, signal);
  await response.text();
  return response.status;
};
const openai = (stream) => ({ model: 'ensemble', stream, max_tokens: upTo(60), n: upTo(2), logprobs: null });
const chat = (stream) => ({ ...openai(stream), messages: [{ role: 'user', content: any(PROMPTS) }] });
const request = (stream) => ({ prompt: any(PROMPTS), maxTokens: upTo(60), stream });
const expectStatus =
  (...wanted) =>
  (status) => {
    if (!wanted.includes(status)) throw new Error(`status ${status} instead of ${wanted.join(' or ')}`);
  };
/** A full queue is a part of the load. */
const isGood = expectStatus(200, 429);
const drain = async (client, stream) => {
  for await (const _ of client.generate(request(stream)));
};

const KINDS = {
  generate: async () => isGood(await read('/v2/models/ensemble/generate', text(false))),
  generateStream: async () => isGood(await read('/v2/models/ensemble/generate_stream', text(true))),
  completions: async () => isGood(await read('/v1/completions', { ...openai(false), prompt: any(PROMPTS) })),
  completionsStream: async () =>
    isGood(await read('/v1/completions', { ...openai(true), prompt: [any(PROMPTS), any(PROMPTS)] })),
  chat: async () => isGood(await read('/v1/chat/completions', chat(false))),
  chatStream: async () => isGood(await read('/v1/chat/completions', chat(true))),
  grpc: () => drain(grpcClient, false),
  grpcStream: () => drain(grpcClient, true),
  clientLeavesHttp: () => leave(httpClient),
  clientLeavesGrpc: () => leave(grpcClient),
  abortedFetch: async () => {
    const work = read('/v1/completions', { ...openai(true), prompt: 'x' }, AbortSignal.timeout(upTo(60)));
    await work.catch((error) => {
      if (error.name !== 'TimeoutError') throw error;
    });
  },
  brokenSocket: () =>
    brokenSocket(
      'POST /v2/models/ensemble/generate_stream HTTP/1.1\r\nHost: x\r\nContent-Length: 400\r\n\r\n{"text',
    ),
  malformedHttp: () => brokenSocket('GARBAGE /\r\n\0\r\n\r\n'),
  malformedJson: async () => expectStatus(400)(await read('/v1/completions', '{"model": ')),
  wrongTensor: async () => expectStatus(400)(await read('/v2/models/ensemble/generate', { text_input: 1 })),
  unknownModel: async () => expectStatus(404)(await read('/v2/models/none/generate', {})),
  longPrompt: async () =>
    expectStatus(
      400,
      429,
    )(await read('/v2/models/ensemble/generate', { ...text(false), text_input: 'long '.repeat(900) })),
  largeBody: async () => {
    const work = read('/v2/models/ensemble/generate', { text_input: 'x'.repeat(2 ** 20) });
    // The server may close the connection while the body is still on its way.
    const status = await work.catch((error) => (error instanceof TypeError ? 413 : Promise.reject(error)));
    expectStatus(400, 413)(status);
  },
  metrics: async () => (await fetch(`http://127.0.0.1:${ports.metrics}/metrics`)).text(),
};

async function leave(client) {
  let left = upTo(10);
  for await (const _ of client.generate(request(true))) if (--left === 0) break;
}

async function brokenSocket(bytes) {
  const socket = connect(ports.http, '127.0.0.1');
  socket.on('error', () => undefined);
  socket.write(bytes);
  await sleep(upTo(20));
  socket.destroy();
}

const counts = {};
const faults = {};
const endMs = performance.now() + seconds * 1000;
const names = Object.keys(KINDS);

async function client() {
  while (performance.now() < endMs) {
    const kind = any(names);
    counts[kind] = (counts[kind] ?? 0) + 1;
    try {
      await KINDS[kind]();
    } catch (error) {
      if (error.code === 'QUEUE_FULL') continue;
      const what = `${kind}: ${error.message}`;
      faults[what] = (faults[what] ?? 0) + 1;
    }
  }
}

async function takeSample() {
  server.send('sample');
  const [sample] = await once(server, 'message');
  return { second: Math.round((performance.now() - startMs) / 1000), ...sample };
}

const startMs = performance.now();
const samples = [];
const clients = Promise.all(Array.from({ length: CLIENT_COUNT }, client));
while (performance.now() + SAMPLE_MS < endMs) {
  await sleep(SAMPLE_MS);
  samples.push(await takeSample());
}
await clients;
await sleep(2000);
const last = await takeSample();
server.send('close');
await once(server, 'exit');
grpcClient.close();
rmSync(folder, { recursive: true });

/** Least-squares slope per minute. */
function slope(key) {
  const settled = samples.slice(Math.floor(samples.length / 2));
  const mean = (list) => list.reduce((sum, value) => sum + value, 0) / list.length;
  const meanX = mean(settled.map(({ second }) => second));
  const meanY = mean(settled.map((sample) => sample[key]));
  const over = settled.reduce((sum, s) => sum + (s.second - meanX) * (s[key] - meanY), 0);
  const under = settled.reduce((sum, s) => sum + (s.second - meanX) ** 2, 0);
  return Math.round((60 * over) / under);
}

/** Mean of the last third over that of the first. */
function growth(key) {
  const third = Math.max(1, Math.floor(samples.length / 3));
  const sum = (list) => list.reduce((total, sample) => total + sample[key], 0);
  return sum(samples.slice(-third)) / sum(samples.slice(0, third));
}

const measured = { heapBytesPerMinute: slope('heapBytes'), rssGrowth: growth('rssBytes') };
const passes =
  measured.heapBytesPerMinute < MAX_HEAP_BYTES_PER_MINUTE &&
  last.activeCount === 0 &&
  last.heldBlocks === 0 &&
  Object.keys(faults).length === 0;
const requestCount = Object.values(counts).reduce((sum, count) => sum + count, 0);
const result = {
  machine: machineRecord(['node', 'bench/serve/soak.mjs', ...process.argv.slice(2)]),
  seconds,
  requestCount,
  passes,
  maxHeapBytesPerMinute: MAX_HEAP_BYTES_PER_MINUTE,
  measured,
  atEnd: last,
  counts,
  faults,
  samples,
};
console.log(JSON.stringify({ ...result, samples: samples.length }, null, 2));
if (output !== undefined) writeFileSync(output, `${JSON.stringify(result, null, 2)}\n`);
if (!passes) process.exitCode = 1;
