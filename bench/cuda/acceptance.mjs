/**
 * Checks and measures the CUDA device on a machine with a GPU, from a bundle (scripts/bundle.mjs):
 *
 *   <bundle>/node <bundle>/app/bench/cuda/acceptance.mjs --out DIR [--work DIR] [--seconds 540] [--only part,part]
 *     [--cuda-library-path FOLDERS]
 *
 * Parts run in order of importance, each under its own time limit and the whole under `--seconds`; a part that cannot
 * end in time is skipped and says so. Everything printed goes to DIR/acceptance.log, results to DIR/summary.json, and a summary
 * comes last. Exit status 1 when a part failed.
 */
import { spawn } from 'node:child_process';
import { appendFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const { values: flags } = parseArgs({
  options: {
    out: { type: 'string', default: 'acceptance' },
    work: { type: 'string', default: join(tmpdir(), 'aloft-acceptance') },
    seconds: { type: 'string', default: '540' },
    only: { type: 'string' },
    'cuda-library-path': { type: 'string' },
  },
});
const app = fileURLToPath(new URL('../..', import.meta.url));
const deadlineMs = performance.now() + Number(flags.seconds) * 1000;
const libraryFlags = flags['cuda-library-path'] ? ['--cuda-library-path', flags['cuda-library-path']] : [];
mkdirSync(flags.out, { recursive: true });
mkdirSync(flags.work, { recursive: true });
const logFile = join(flags.out, 'acceptance.log');
const out = (name) => join(flags.out, name);
const work = (name) => join(flags.work, name);
const secondsLeft = () => (deadlineMs - performance.now()) / 1000;

function log(text) {
  process.stdout.write(text);
  appendFileSync(logFile, text);
}

/** Runs a Node program of the package; resolves to its output. Rejects when it fails or takes too long. */
function run(program, words, limitSeconds) {
  const seconds = Math.max(1, Math.min(limitSeconds, secondsLeft()));
  log(`$ ${[program, ...words].join(' ')}\n`);
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [join(app, program), ...words], { cwd: flags.work });
    let printed = '';
    const timer = setTimeout(() => child.kill('SIGKILL'), seconds * 1000);
    const take = (chunk) => {
      printed += chunk;
      log(String(chunk));
    };
    child.stdout.on('data', take);
    child.stderr.on('data', take);
    child.on('error', reject);
    child.on('close', (status, signal) => {
      clearTimeout(timer);
      const lastLine = printed.trim().split('\n').at(-1);
      if (status === 0) resolve(printed);
      else if (signal === 'SIGKILL') reject(new Error(`stopped after ${seconds.toFixed(0)} s`));
      else reject(new Error(`exit status ${status}: ${lastLine}`));
    });
  });
}

const readJson = (path) => JSON.parse(readFileSync(path, 'utf8'));
const aloft = (words, limitSeconds) => run('bin/aloft.js', words, limitSeconds);

// ---- parts ----

const PROMPTS = [
  'Once upon a time',
  'There was a little girl named Lily. She',
  'Tom and his dog went to the',
  'One day, a big red bird',
  'The sun was hot and the cat',
  'Ben liked to play with his',
  'Mom said, "Do not',
  'It was a rainy day and',
];
const DEMO_TOKENS = 128;

/** Greedy continuations of the demo model by an engine for `device`, as arrays of token ids. */
async function demoIds(device) {
  const [engine, csv] = [work(`demo-${device}`), work(`demo-${device}.csv`)];
  const build = ['build', '--force', '--model_dir', join(app, 'models/demo'), '--output_dir', engine];
  const limits = ['--max_input_len', '512', '--max_output_len', '256', '--max_batch_size', '8'];
  const place = device === 'cuda' ? libraryFlags : [];
  await aloft([...build, '--device', device, ...limits, ...place], 60);
  writeFileSync(work('prompts.txt'), `${PROMPTS.join('\n')}\n`);
  const read = ['run', '--engine_dir', engine, '--input_file', work('prompts.txt'), '--output_csv', csv];
  const greedy = ['--temperature', '0', '--max_output_len', String(DEMO_TOKENS), '--ignore_eos'];
  await aloft([...read, ...greedy, ...place], 60);
  return readFileSync(csv, 'utf8')
    .trim()
    .split('\n')
    .map((line) => line.split(',').map(Number));
}

async function demo() {
  const [cuda, cpu] = [await demoIds('cuda'), await demoIds('cpu')];
  const equal = cpu.map((ids, i) => {
    const first = ids.findIndex((id, at) => id !== cuda[i]?.[at]);
    return first < 0 ? 'all' : first;
  });
  const same = equal.filter((count) => count === 'all').length;
  if (same === 0) throw new Error(`no text equals the CPU's; ids equal up to ${equal.join(', ')}`);
  return `${same} of ${cpu.length} greedy texts equal the CPU's over ${DEMO_TOKENS} tokens (others up to id ${equal.filter((count) => count !== 'all').join(', ') || '-'})`;
}

const LIMITS = ['--max_batch_size', '64', '--max_input_len', '2048', '--max_output_len', '2048'];
const INT8 = ['--use_weight_only'];

/** An engine of random weights. When tuning fails, the part fails, but an untuned engine lets the others run. */
async function build(name, extra) {
  const started = performance.now();
  const shape = ['build', '--force', '--random_weights', 'llama2_7b', '--device', 'cuda'];
  const words = [...shape, '--output_dir', work(name), ...LIMITS, ...extra, ...libraryFlags];
  try {
    const printed = await aloft(words, 150);
    const tuned = printed.split('\n').find((line) => line.includes('Tuned')) ?? '';
    return `built in ${((performance.now() - started) / 1000).toFixed(0)} s. ${tuned}`;
  } catch (fault) {
    await aloft([...words, '--no_tune'], 150);
    throw new Error(`built untuned, because the tuned build failed: ${fault.message}`, { cause: fault });
  }
}

const ALL_LENGTHS = '128,128;2048,128;128,2048;2048,2048';

/** One measured run a case; graphs are captured once for the whole sweep, so long cases need no warm-up of their own. */
async function sweep(name, engine, lengths, { warmUp, extra = [], limit }) {
  const runs = ['--num_runs', '1', '--duration', '0', '--warm_up', String(warmUp)];
  const cases = ['--batch_size', '1;4;8;16', '--input_output_len', lengths];
  const files = ['--engine_dir', work(engine), '--json', work(`${name}.json`)];
  const words = ['bench', '-m', 'llama2_7b', ...files, ...cases, ...runs, '--log_level', 'info'];
  const printed = await aloft([...words, ...extra, ...libraryFlags], limit);
  const table = printed.split('\n').filter((line) => line.startsWith('|'));
  const data = readJson(work(`${name}.json`));
  const peak = Math.max(...data.rows.map((row) => row['gpu_peak_mem(gb)']));
  return { text: `peak ${peak} GiB\n${table.join('\n')}`, data };
}

const CAPPED = ['--max_device_memory', '32GB', '--kv_cache_free_mem_fraction', '1'];

async function inflight(engine) {
  const load = ['--num_requests', '192', '--input_len', 'constant:128', '--output_len', 'uniform:64,256'];
  const words = ['bench', '--type', 'IFB', '--engine_dir', work(engine), '--json', work('inflight.json')];
  const printed = await aloft([...words, ...load, ...libraryFlags], 60);
  const lines = printed.split('\n');
  const wanted = lines.filter((line) => /Output Throughput|Time to first|Time per output/.test(line));
  return { text: wanted.join('\n'), data: readJson(work('inflight.json')) };
}

const cappedCases = { warmUp: 0, extra: CAPPED, limit: 160 };
/** @type {[name: string, leastSeconds: number, start: () => Promise<string | { text: string }>][]} */
const PARTS = [
  ['devices', 5, async () => (await aloft(['devices', ...libraryFlags], 20)).trim()],
  ['demo', 20, demo],
  [
    'conformance',
    20,
    async () => {
      const library = flags['cuda-library-path'] ? ['--library-path', flags['cuda-library-path']] : [];
      const printed = await run('dist/tools/cuda/measure.js', ['--only', 'check', ...library], 100);
      return printed
        .split('\n')
        .filter((line) => /^(pass|FAIL)/.test(line))
        .join('\n');
    },
  ],
  ['build-int8', 20, () => build('int8', INT8)],
  ['int8-short', 15, () => sweep('int8-short', 'int8', '128,128;2048,128', { warmUp: 1, limit: 45 })],
  ['build-fp16', 20, () => build('fp16', [])],
  ['fp16-short', 15, () => sweep('fp16-short', 'fp16', '128,128;2048,128', { warmUp: 1, limit: 45 })],
  ['int8-long', 40, () => sweep('int8-long', 'int8', '128,2048;2048,2048', { warmUp: 0, limit: 130 })],
  ['inflight', 15, () => inflight('int8')],
  ['fp16-long', 50, () => sweep('fp16-long', 'fp16', '128,2048;2048,2048', { warmUp: 0, limit: 160 })],
  ['int8-32gb', 50, () => sweep('int8-32gb', 'int8', ALL_LENGTHS, cappedCases)],
  ['fp16-32gb', 100, () => sweep('fp16-32gb', 'fp16', ALL_LENGTHS, cappedCases)],
];

// ---- run them ----

const only = flags.only?.split(',');
const unknown = (only ?? []).filter((name) => !PARTS.some(([part]) => part === name));
if (unknown.length > 0) {
  console.error(
    `There is no part ${unknown.join(', ')}; parts are ${PARTS.map(([name]) => name).join(', ')}.`,
  );
  process.exit(2);
}
if (existsSync(logFile)) rmSync(logFile);
const summary = [];
for (const [name, leastSeconds, start] of PARTS) {
  if (only !== undefined && !only.includes(name)) continue;
  const startedMs = performance.now();
  let result;
  if (secondsLeft() < leastSeconds)
    result = { state: 'skipped', text: `${secondsLeft().toFixed(0)} s were left` };
  else {
    log(`\n=== ${name}\n`);
    try {
      const made = await start();
      result = { state: 'ok', ...(typeof made === 'string' ? { text: made } : made) };
    } catch (fault) {
      result = { state: 'FAILED', text: fault instanceof Error ? fault.message : String(fault) };
    }
  }
  const seconds = Number(((performance.now() - startedMs) / 1000).toFixed(1));
  summary.push({ name, ...result, seconds });
  writeFileSync(out('summary.json'), `${JSON.stringify(summary, undefined, 2)}\n`);
}
log('\n=== summary\n');
for (const { name, state, text, seconds } of summary)
  log(`${state.padEnd(7)} ${name} (${seconds} s): ${text.includes('\n') ? `\n${text}` : text}\n`);
if (dirname(flags.work) === tmpdir() && only === undefined)
  rmSync(flags.work, { recursive: true, force: true });
process.exitCode = summary.some(({ state }) => state === 'FAILED') ? 1 : 0;
