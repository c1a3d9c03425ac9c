/**
 * Mixed load on the real engine for a long time: all protocols, whole and streamed, clients that leave, bad requests.
 * Every 10 s or later the clients pause, the server collects garbage and reports its memory. Passes when, over the second half, the
 * least-squares slope of neither the main thread's heap nor the engine thread's reaches the bound, no request fails that
 * should not, and at no pause is a request or a block left. The first half is the warm-up: the compiler is at work in it.
 *
 *   node bench/serve/soak.mjs [seconds] [result.json]
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { main } from '../../dist/tools/cli/main.js';
import { COMMANDS } from '../../dist/tools/cli/commands.js';
import { machineRecord } from '../../dist/tools/bench/machine.js';
import { SoakClients } from './soak-clients.mjs';
import { soakLoad } from './soak-load.mjs';

const seconds = Number(process.argv[2] ?? 600);
const output = process.argv[3];
const SAMPLE_MS = 10_000;
/**
 * A collection in a pause throws compiled code away, up to 300 KiB of it, which the next thousand requests bring back. With
 * fewer between two samples the heap would show how busy the machine was.
 */
const MIN_REQUESTS = 1500;
const CLIENT_COUNT = 16;
/**
 * Bound of a flat heap: growth that code compiled late explains. RSS is reported beside it and has no bound: the allocator's
 * arenas take minutes to reach their size.
 */
const MAX_HEAP_BYTES_PER_MINUTE = 64 * 2 ** 10;

const folder = mkdtempSync(join(tmpdir(), 'aloft-soak-'));
const engine = join(folder, 'engine');
const demo = fileURLToPath(new URL('../../models/demo', import.meta.url));
const sizes = ['--max_batch_size', '8', '--max_input_len', '256', '--max_output_len', '256'];
await main(['build', '--model_dir', demo, '--output_dir', engine, ...sizes], COMMANDS);
const server = fork(new URL('./soak-server.mjs', import.meta.url), [engine, join(folder, 'models')], {
  execArgv: ['--expose-gc'],
});
const [{ ports, vocabularySize }] = await once(server, 'message');

async function takeSample() {
  server.send('sample');
  const [sample] = await once(server, 'message');
  const second = Math.round((performance.now() - startMs) / 1000);
  return { second, requestCount: clients.requestCount, ...sample };
}

const load = soakLoad(ports);
await load.seeVocabulary(vocabularySize);
const startMs = performance.now();
const endMs = startMs + seconds * 1000;
const clients = new SoakClients(load.kinds, { clientCount: CLIENT_COUNT, endMs });
const samples = [];
while (performance.now() + SAMPLE_MS < endMs) {
  const { requestCount } = clients;
  await sleep(SAMPLE_MS);
  while (clients.requestCount < requestCount + MIN_REQUESTS && performance.now() < endMs) await sleep(100);
  samples.push(await clients.whilePaused(takeSample));
}
await clients.done;
const last = await takeSample();
server.send('close');
await once(server, 'exit');
load.close();
rmSync(folder, { recursive: true });

const settled = samples.slice(Math.floor(samples.length / 2));

/** Least-squares slope per minute over the second half. */
function slope(valueOf) {
  const mean = (list) => list.reduce((sum, value) => sum + value, 0) / list.length;
  const meanX = mean(settled.map(({ second }) => second));
  const meanY = mean(settled.map(valueOf));
  const over = settled.reduce((sum, s) => sum + (s.second - meanX) * (valueOf(s) - meanY), 0);
  const under = settled.reduce((sum, s) => sum + (s.second - meanX) ** 2, 0);
  return Math.round((60 * over) / under);
}

/** Mean of the last third over that of the first. */
function growth(key) {
  const third = Math.max(1, Math.floor(samples.length / 3));
  const sum = (list) => list.reduce((total, sample) => total + sample[key], 0);
  return sum(samples.slice(-third)) / sum(samples.slice(0, third));
}

const { counts, faults } = clients;
const heapBytesPerMinute = {
  main: slope(({ main: thread }) => thread.heapBytes),
  engineThread: slope(({ engineThread }) => engineThread.heapBytes),
};
const passes =
  Object.values(heapBytesPerMinute).every((bytes) => bytes < MAX_HEAP_BYTES_PER_MINUTE) &&
  [...samples, last].every(({ activeCount, heldBlocks }) => activeCount === 0 && heldBlocks === 0) &&
  Object.keys(faults).length === 0;
const result = {
  machine: machineRecord(['node', 'bench/serve/soak.mjs', ...process.argv.slice(2)]),
  seconds,
  requestCount: clients.requestCount,
  passes,
  maxHeapBytesPerMinute: MAX_HEAP_BYTES_PER_MINUTE,
  measured: { heapBytesPerMinute, rssGrowth: growth('rssBytes') },
  atEnd: last,
  counts,
  faults,
  samples,
};
console.log(JSON.stringify({ ...result, samples: samples.length }, null, 2));
if (output !== undefined) writeFileSync(output, `${JSON.stringify(result, null, 2)}\n`);
if (!passes) process.exitCode = 1;
