/**
 * The article's machine: an engine of four ranks on four GPUs of one host, from a bundle with tests (scripts/bundle.mjs --tests).
 *
 *   <bundle>/node <bundle>/app/bench/cuda/four-gpus.mjs [--ranks 4] [--out DIR] [--work DIR] [--seconds 580] [--only part,part]
 *     [--cuda-library-path FOLDERS] [--device cpu]
 *
 * Parts run in order of importance: sums between GPUs by our kernels and by NCCL; engines of LLaMA-2-7B's shape (FP16 and INT8); one
 * stream of each; batches 1 and 16 of INT8; the sixteen rows of the article's table; the same by mpirun where it is installed; a server with the INT8 engine, a streaming client, a
 * rank that is killed and a restart; requests in flight; batches 1 and 16 on fewer GPUs. The record goes to DIR/four-gpus.json after each
 * part. `--device cpu` rehearses all that needs no GPU, with the demo model.
 */
import { spawn, spawnSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { commonFor, runExchanges } from '../../dist/test/cuda/exchange-ranks.js';
import { childPids, isRunning } from '../../dist/test/processes.js';
import { machineRecord } from '../../dist/tools/bench/machine.js';
import { readJson } from './acceptance/json.mjs';
import { createSession } from './acceptance/session.mjs';

const { values: flags } = parseArgs({
  options: {
    ranks: { type: 'string', default: '4' },
    out: { type: 'string', default: 'four-gpus' },
    work: { type: 'string', default: join(tmpdir(), 'aloft-four-gpus') },
    seconds: { type: 'string', default: '580' },
    only: { type: 'string' },
    device: { type: 'string', default: 'cuda' },
    'cuda-library-path': { type: 'string' },
  },
});
const session = createSession(flags, fileURLToPath(new URL('../..', import.meta.url)));
const ranks = Number(flags.ranks);
const isOnGpus = flags.device === 'cuda';
const ALOFT = join(session.app, 'bin/aloft.js');
/** Random weights come without a tokenizer; ids that the demo model's lacks have no text. */
const TOKENIZER = ['--tokenizer_dir', join(session.app, 'models/demo')];
const INT8 = ['--use_weight_only', '--int8_activations', '--kv_cache_dtype', 'int8'];
const OPEN_REQUESTS = 16;
/** Rows of 8 KiB: 8 KiB to 16 MiB. */
const ROWS = [1, 2, 8, 32, 64, 128, 512, 2048];
const LENGTHS = isOnGpus ? '128,128;128,2048;2048,128;2048,2048' : '16,16;16,64';
const BATCHES = isOnGpus ? '1;8;16;32' : '1;4';

const PARTS = [
  { name: 'sums', leastSeconds: 60, start: sums, needsGpus: true },
  { name: 'build-int8', leastSeconds: 40, start: () => build('int8', ranks, INT8) },
  { name: 'build-fp16', leastSeconds: 40, start: () => build('fp16', ranks, []) },
  { name: 'streams', leastSeconds: 30, start: streams },
  {
    name: 'int8-rows',
    leastSeconds: 30,
    start: () => bench('int8', '1;16', isOnGpus ? '128,128;2048,2048' : '16,16'),
  },
  { name: 'table', leastSeconds: 60, start: () => bench('fp16', BATCHES, LENGTHS) },
  { name: 'server', leastSeconds: 40, start: server },
  { name: 'inflight', leastSeconds: 40, start: inflight },
  { name: 'mpirun', leastSeconds: 20, start: mpirun },
  { name: 'scaling', leastSeconds: 90, start: scaling },
];

/** Microseconds of a sum, by rows of 8 KiB. */
async function sums() {
  const common = commonFor(ranks);
  const measure = async (hasNorm, rows, collectives) => {
    const works = Array.from({ length: ranks }, () => ({ kind: 'times', rows, hasNorm }));
    const reports = await runExchanges(common, works, { hasOwnGpus: true, collectives });
    const fault = reports.find((report) => report.fault !== undefined)?.fault;
    if (fault !== undefined) throw new Error(fault.message);
    return reports[0].microseconds.map((time) => Number(time.toFixed(2)));
  };
  const data = {
    kilobytes: ROWS.map((rows) => rows * 8),
    own: await measure(false, ROWS, 'auto'),
    ownWithNorm: await measure(true, ROWS, 'auto'),
    nccl: await measure(false, ROWS, 'nccl'),
    ncclWithNorm: await measure(true, ROWS, 'nccl'),
  };
  return { data, text: JSON.stringify(data) };
}

/** Model and sizes of engines: the article's on GPUs, the demo model elsewhere. */
const MODEL = isOnGpus
  ? [
      '--random_weights',
      'llama2_7b',
      '--max_batch_size',
      '64',
      '--max_input_len',
      '2048',
      '--max_output_len',
      '2048',
    ]
  : [
      '--model_dir',
      join(session.app, 'models/demo'),
      '--max_batch_size',
      '8',
      '--max_input_len',
      '128',
      '--max_output_len',
      '128',
    ];

async function build(name, worldSize, extra) {
  const world = ['--tp_size', String(worldSize), '--world_size', String(worldSize), '--device', flags.device];
  const place = ['--output_dir', session.work(name), ...session.libraryFlags];
  await session.aloft(['build', '--force', ...MODEL, ...world, ...extra, ...place], 200);
  return { text: 'built' };
}

async function bench(engine, batches, lengths, limit = 240) {
  const json = session.work(`${engine}-bench.json`);
  const words = [
    'bench',
    '-m',
    'llama2_7b',
    '--engine_dir',
    session.work(engine),
    '--json',
    json,
    '--batch_size',
    batches,
  ];
  const runs = ['--input_output_len', lengths, '--num_runs', '1', '--duration', '0', '--warm_up', '1'];
  const printed = await session.aloft([...words, ...runs, ...session.libraryFlags], limit);
  const table = printed.split('\n').filter((line) => line.startsWith('|'));
  return { data: readJson(json), text: table.join('\n') };
}

/** One stream of each engine. */
async function streams() {
  const lengths = isOnGpus ? '128,128' : '16,16';
  const runs = [await bench('fp16', '1', lengths, 60), await bench('int8', '1', lengths, 60)];
  return { data: runs.map(({ data }) => data), text: runs.map(({ text }) => text).join('\n') };
}

/** A repository of the INT8 engine, the article's client, a rank that is killed while it answers, and a restart. */
async function server() {
  const repository = session.work('repository');
  rmSync(repository, { recursive: true, force: true });
  await session.aloft(
    [...['repo', 'create', '--engine_dir', session.work('int8')], '--model_repo', repository, ...TOKENIZER],
    20,
  );
  const ports = ['--http-port', '0', '--grpc-port', '0', '--metrics-port', '0'];
  const words = ['serve', '--model_repo', repository, '--world_size', String(ranks), '--restart', ...ports];
  const child = spawn(process.execPath, [ALOFT, ...words, ...session.libraryFlags]);
  let printed = '';
  const take = (chunk) => {
    printed += chunk;
    session.log(String(chunk));
  };
  child.stdout.on('data', take);
  child.stderr.on('data', take);
  const until = async (isTrue, seconds) => {
    const deadlineMs = performance.now() + 1000 * Math.min(seconds, session.secondsLeft());
    while (!(await isTrue())) {
      if (performance.now() > deadlineMs || child.exitCode !== null)
        throw new Error('the server did not get so far');
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  try {
    await until(() => /GRPC\D+[\d.]+:\d+/i.test(printed) && /HTTP\D+[\d.]+:\d+/i.test(printed), 120);
    const portOf = (protocol) => new RegExp(`${protocol}\\D+[\\d.]+:(\\d+)`, 'i').exec(printed)[1];
    const url = `http://127.0.0.1:${portOf('HTTP')}`;
    const isReady = async () =>
      (await fetch(`${url}/v2/health/ready`).catch(() => undefined))?.status === 200;
    await until(isReady, 120);
    const client = [
      'client',
      '-u',
      `localhost:${portOf('GRPC')}`,
      '-p',
      'What is deep learning ?',
      '-S',
      '-o',
      '64',
    ];
    await session.aloft(client, 60);
    const body = JSON.stringify({ text_input: 'a', max_tokens: 100, end_id: -1 });
    const open = Array.from({ length: OPEN_REQUESTS }, () =>
      fetch(`${url}/v2/models/ensemble/generate`, { method: 'POST', body }),
    );
    await new Promise((resolve) => setTimeout(resolve, 50));
    const [victim] = childPids(child.pid);
    const startedMs = performance.now();
    process.kill(victim, 'SIGKILL');
    const statuses = (await Promise.all(open)).map(({ status }) => status);
    const failedMs = Math.round(performance.now() - startedMs);
    await until(async () => !(await isReady()), 5).catch(() => undefined); // it may be ready again already
    await until(isReady, 120);
    const readyMs = Math.round(performance.now() - startedMs);
    await session.aloft(client, 60);
    const text = `requests that were open when rank ${victim} was killed got status ${statuses.join(', ')} within ${failedMs} ms; ready again after ${readyMs} ms`;
    return { data: { statuses, failedMs, readyMs }, text };
  } finally {
    const processes = [child.pid, ...childPids(child.pid)];
    child.kill('SIGTERM');
    await until(() => !processes.some(isRunning), 30).catch(() => child.kill('SIGKILL'));
  }
}

async function inflight() {
  const data = {};
  for (const count of isOnGpus ? [64, 1000] : [16]) {
    const json = session.work(`inflight-${count}.json`);
    const load = [
      '--num_requests',
      String(count),
      '--input_len',
      'constant:128',
      '--output_len',
      'uniform:64,128',
    ];
    const words = ['bench', '--type', 'IFB', '--engine_dir', session.work('int8'), '--json', json, ...load];
    await session.aloft(
      [
        ...words.map((word) =>
          isOnGpus
            ? word
            : word.replace('constant:128', 'constant:16').replace('uniform:64,128', 'uniform:8,32'),
        ),
        ...session.libraryFlags,
      ],
      120,
    );
    data[count] = readJson(json);
  }
  return { data, text: `requests in flight: ${Object.keys(data).join(', ')}` };
}

/** The article's way to start ranks. */
async function mpirun() {
  const program = session.find(['mpirun']);
  if (program === undefined) return { text: 'mpirun is not installed' };
  const words = [
    'run',
    '--engine_dir',
    session.work('fp16'),
    '--input_text',
    'a',
    '--max_output_len',
    '32',
    '--ignore_eos',
    ...TOKENIZER,
  ];
  const launch = [
    program,
    '-n',
    String(ranks),
    '--allow-run-as-root',
    '--oversubscribe',
    process.execPath,
    ALOFT,
  ];
  const printed = await session.runLine([...launch, ...words, ...session.libraryFlags], 90);
  return { text: printed.trim().split('\n').at(-1) };
}

async function scaling() {
  const data = {};
  for (let count = 1; count <= ranks; count *= 2) {
    await build(`scaling-${count}`, count, [...INT8, '--no_tune']);
    data[count] = (
      await bench(`scaling-${count}`, isOnGpus ? '1;16' : '1', isOnGpus ? '128,128' : '16,16', 90)
    ).data;
  }
  return { data, text: `ranks: ${Object.keys(data).join(', ')}` };
}

const wanted = flags.only?.split(',');
const record = { ...machineRecord(['four-gpus.mjs', ...process.argv.slice(2)]), ranks, parts: {} };
if (isOnGpus) {
  const smi = (...words) => spawnSync('nvidia-smi', words, { encoding: 'utf8' }).stdout;
  record.gpus = smi('--query-gpu=name,driver_version', '--format=csv,noheader').trim().split('\n');
  record.links = smi('topo', '-m');
}
let hasFailed = false;
for (const { name, leastSeconds, start, needsGpus } of PARTS) {
  if ((wanted !== undefined && !wanted.includes(name)) || (needsGpus === true && !isOnGpus)) continue;
  session.log(`\n=== ${name}\n`);
  const left = session.secondsLeft();
  let outcome = { ok: false, text: `skipped: ${left.toFixed(0)} s were left` };
  if (left >= leastSeconds)
    try {
      outcome = { ok: true, ...(await start()) };
    } catch ({ message }) {
      outcome = { ok: false, text: message };
    }
  hasFailed ||= !outcome.ok;
  record.parts[name] = outcome;
  session.log(`${outcome.ok ? 'ok' : 'FAILED'} ${name}: ${outcome.text}\n`);
  writeFileSync(session.out('four-gpus.json'), `${JSON.stringify(record, undefined, 1)}\n`);
}
process.exitCode = hasFailed ? 1 : 0;
