/**
 * Checks and measures the CUDA device on a machine with a GPU, from a bundle (scripts/bundle.mjs):
 *
 *   <bundle>/node <bundle>/app/bench/cuda/acceptance.mjs --out DIR [--work DIR] [--seconds 540] [--only part,part]
 *     [--cuda-library-path FOLDERS] [--arch-engine DIR]
 *
 * `--arch-engine` is an engine of the demo model that was built with `--arch` on a machine without a GPU; without one, the part
 * that moves such an engine builds it here.
 *
 * Parts run in order of importance, each under its own time limit and the whole under `--seconds`; a part that cannot
 * end in time is skipped and says so. Everything printed goes to DIR/acceptance.log, results to DIR/summary.json, and a summary
 * comes last. Exit status 1 when a part failed.
 */
import { spawn } from 'node:child_process';
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
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
    'arch-engine': { type: 'string' },
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
  return runLine([process.execPath, join(app, program), ...words], limitSeconds);
}

function runLine(line, limitSeconds, cwd = flags.work) {
  const seconds = Math.max(1, Math.min(limitSeconds, secondsLeft()));
  log(`$ ${line.join(' ').replaceAll(`${app}/`, '').replace(process.execPath, 'node')}\n`);
  return new Promise((resolve, reject) => {
    const child = spawn(line[0], line.slice(1), { cwd });
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

/** Most of a check's time is the reference's, on one core. The race checker takes 30 GB of memory for each process. */
const SHARDS = { none: 5, memcheck: 5, racecheck: 3 };

/** The comparison of every kernel with the reference, in several processes. @returns what each of them printed */
async function conformance(before, limitSeconds, shardCount) {
  const library = flags['cuda-library-path'] ? ['--library-path', flags['cuda-library-path']] : [];
  const shards = Array.from({ length: shardCount }, (_, i) => ['--shard', `${i + 1}/${shardCount}`]);
  const line = [
    ...before,
    process.execPath,
    join(app, 'dist/tools/cuda/measure.js'),
    '--only',
    'check',
    ...library,
  ];
  const ends = await Promise.allSettled(shards.map((shard) => runLine([...line, ...shard], limitSeconds)));
  return ends.map((end) => {
    if (end.status === 'rejected') throw end.reason;
    return end.value;
  });
}

const resultLines = (printed) => printed.split('\n').filter((line) => /^(pass|FAIL)/.test(line));

/** The matrix library's kernels, whose own synchronisation the race checker does not understand. */
const FOREIGN_KERNEL = /\bat (nvjet|cutlass|cublas|sm\d+_xmma)/;

/** A tool of compute-sanitizer over all of them. What it reports of kernels of cuBLASLt is counted and told, not held against us. */
async function sanitize(tool, limitSeconds) {
  const printed = await conformance(['compute-sanitizer', '--tool', tool], limitSeconds, SHARDS[tool]);
  const reports = printed
    .flatMap((text) => text.split('\n'))
    .filter((line) => /^=+ (Error|Warning|Invalid|Race|Potential|Program hit)/.test(line));
  const ours = reports.filter((line) => !FOREIGN_KERNEL.test(line));
  if (ours.length > 0) throw new Error(ours.join('\n'));
  return `${printed.flatMap(resultLines).length} cases, nothing reported of our kernels, ${reports.length} reports of cuBLASLt's`;
}

/** The tests of the repository that a bundle made with `--tests` holds. */
async function tests() {
  const vitest = join(app, 'node_modules/vitest/vitest.mjs');
  const words = ['run', '--config', 'vitest.cuda.config.mjs', '--no-color'];
  const printed = await runLine([process.execPath, vitest, ...words], 280, app);
  const wanted = /answers part in|of the range|^perplexity|^\s*(float16|bfloat16|int8): \[|^\d+ passed/;
  return printed
    .split('\n')
    .filter((line) => wanted.test(line))
    .join('\n');
}

/** Runs a command that must fail, and with words that `pattern` finds. */
async function refused(words, pattern) {
  const said = await aloft(words, 60).then(
    () => 'nothing: it succeeded',
    (fault) => fault.message,
  );
  if (!pattern.test(said))
    throw new Error(`${words[0]} should have been refused with ${pattern}, but said ${said}`);
  return said;
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

/** Builds the demo model for a device. @returns what was printed */
function buildDemo(name, device, extra = []) {
  const build = ['build', '--force', '--model_dir', join(app, 'models/demo'), '--output_dir', work(name)];
  const limits = ['--max_input_len', '512', '--max_output_len', '256', '--max_batch_size', '8'];
  return aloft([...build, '--device', device, ...limits, ...extra, ...placeOf(device)], 60);
}

const placeOf = (device) => (device === 'cuda' ? libraryFlags : []);

function runWords(name, device) {
  const csv = work(`${name}.csv`);
  writeFileSync(work('prompts.txt'), `${PROMPTS.join('\n')}\n`);
  const read = ['run', '--engine_dir', work(name), '--input_file', work('prompts.txt'), '--output_csv', csv];
  const greedy = ['--temperature', '0', '--max_output_len', String(DEMO_TOKENS), '--ignore_eos'];
  return { csv, words: [...read, ...greedy, ...placeOf(device)] };
}

/** Greedy continuations by an engine of the demo model, as arrays of token ids. */
async function idsOf(name, device, extra = []) {
  const { csv, words } = runWords(name, device);
  await aloft([...words, ...extra], 60);
  return readFileSync(csv, 'utf8')
    .trim()
    .split('\n')
    .map((line) => line.split(',').map(Number));
}

async function demo() {
  await buildDemo('demo-cuda', 'cuda');
  await buildDemo('demo-cpu', 'cpu');
  const [cuda, cpu] = [await idsOf('demo-cuda', 'cuda'), await idsOf('demo-cpu', 'cpu')];
  const equal = cpu.map((ids, i) => {
    const first = ids.findIndex((id, at) => id !== cuda[i]?.[at]);
    return first < 0 ? 'all' : first;
  });
  const same = equal.filter((count) => count === 'all').length;
  if (same === 0) throw new Error(`no text equals the CPU's; ids equal up to ${equal.join(', ')}`);
  return `${same} of ${cpu.length} greedy texts equal the CPU's over ${DEMO_TOKENS} tokens (others up to id ${equal.filter((count) => count !== 'all').join(', ') || '-'})`;
}

const sameIds = (a, b) => JSON.stringify(a) === JSON.stringify(b);

/** `--warmup` changes nothing but when the work is done. */
async function warmup() {
  const [cold, warm] = [await idsOf('demo-cuda', 'cuda'), await idsOf('demo-cuda', 'cuda', ['--warmup'])];
  if (!sameIds(cold, warm)) throw new Error('tokens with --warmup are not those without');
  return 'tokens with --warmup are those without';
}

/** Built by architecture alone, an engine is the untuned one, runs where it was moved to, and is refused on another GPU. */
async function architectureBuild() {
  const here = /^cuda:0 .* (sm_\d+a?) /m.exec(await aloft(['devices', ...libraryFlags], 20))[1];
  const other = here === 'sm_80' ? 'sm_86' : 'sm_80';
  await buildDemo('demo-untuned', 'cuda', ['--no_tune']);
  const elsewhere = flags['arch-engine'];
  if (elsewhere === undefined) await buildDemo('demo-arch', 'cuda', ['--arch', here, '--no_tune']);
  else cpSync(elsewhere, work('demo-arch'), { recursive: true });
  rmSync(work('demo-moved'), { recursive: true, force: true });
  renameSync(work('demo-arch'), work('demo-moved'));
  const [moved, untuned] = [await idsOf('demo-moved', 'cuda'), await idsOf('demo-untuned', 'cuda')];
  if (!sameIds(moved, untuned))
    throw new Error(`tokens of the --arch ${here} build are not the untuned build's`);
  await buildDemo('demo-other', 'cuda', ['--arch', other]);
  const pattern = new RegExp(`built for ${other}.*is ${here}.*ENGINE_DEVICE`);
  const said = await refused(runWords('demo-other', 'cuda').words, pattern);
  return `--arch ${here}, moved: tokens of the untuned build. --arch ${other}: ${said}`;
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

/** The winners that an engine holds, by problem. */
async function winnersOf(name) {
  const shown = await aloft(['engine', 'show', work(name)], 30);
  return shown
    .split('\n')
    .filter((line) => /^linear (int8|dense) /.test(line) && /(ring|stream|wide|cublasLt) /.test(line));
}

/** A build with the first one's model.cache measures nothing and chooses the same. */
async function timingCache() {
  const startedMs = performance.now();
  await build('int8-again', [...INT8, '--timing_cache', work('int8/model.cache')]);
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(0);
  const [first, again] = [await winnersOf('int8'), await winnersOf('int8-again')];
  if (first.length === 0 || !sameIds(first, again))
    throw new Error('a build with model.cache chose other kernels');
  rmSync(work('int8-again'), { recursive: true });
  return `${first.length} problems from model.cache, built in ${seconds} s`;
}

/** The same short cases by an engine that was not tuned; winners that are slower than it are a fault of the tuner. */
async function untuned() {
  await build('int8-untuned', [...INT8, '--no_tune']);
  const { data, text } = await sweep('int8-untuned', 'int8-untuned', SHORT, {
    warmUp: 1,
    limit: 45,
  });
  const speedsOf = ({ rows }) => rows.map(({ tokens_per_sec }) => Number(tokens_per_sec));
  const tuned = speedsOf(readJson(work('int8-short.json')));
  const gains = speedsOf(data).map((speed, i) => tuned[i] / speed);
  const slowest = Math.min(...gains);
  if (!(slowest > 0.95))
    throw new Error(`tuned over untuned: ${gains.map((gain) => gain.toFixed(3)).join(', ')}`);
  return { text: `tuned over untuned: ${gains.map((gain) => gain.toFixed(3)).join(', ')}\n${text}`, data };
}

async function profile() {
  const trace = out('profile-trace.json');
  const load = ['--batch_size', '1;16', '--input_output_len', '128,16;2048,4', '--output', trace];
  const printed = await aloft(['profile', '--engine_dir', work('int8'), ...load, ...libraryFlags], 90);
  const { traceEvents } = readJson(trace);
  const sumMs = (category) =>
    traceEvents.filter(({ cat }) => cat === category).reduce((sum, { dur }) => sum + dur / 1000, 0);
  const [steps, calls] = [sumMs('step'), sumMs('call')];
  if (!(calls > 0.5 * steps && calls <= 1.01 * steps))
    throw new Error(`calls take ${calls.toFixed(1)} ms of steps of ${steps.toFixed(1)} ms`);
  // Weights of this model lie in no cache, so their ops cannot be faster than memory.
  const shares = Array.from(printed.matchAll(/^linear .* (\d+)% +\S/gm), ([, share]) => Number(share));
  if (shares.length === 0 || Math.max(...shares) > 110)
    throw new Error(`shares of the limit: ${shares.join(', ')}`);
  return printed.trim();
}

/** The blocks that a dry run predicts under a cap are those that the executor gets. */
async function planMemory() {
  const blocksOf = (printed) => Number(/(\d+) blocks of/.exec(printed)[1]);
  const dry = [
    'plan-memory',
    '--engine_dir',
    work('int8'),
    '--gpu_memory_gb',
    String((CAP_GIB * 2 ** 30) / 1e9),
  ];
  const planned = blocksOf(await aloft([...dry, ...CAPPED.slice(2)], 30));
  const short = ['--input_tokens', work('ids.csv'), '--max_output_len', '1', '--output_csv', work('one.csv')];
  writeFileSync(work('ids.csv'), '1,2,3\n');
  const tokenizer = ['--tokenizer_dir', join(app, 'models/demo'), '--log_level', 'info'];
  const words = ['run', '--engine_dir', work('int8'), ...short, ...tokenizer, ...CAPPED, ...libraryFlags];
  const actual = blocksOf(await aloft(words, 60));
  if (Math.abs(planned - actual) > 4) throw new Error(`planned ${planned} blocks, and there are ${actual}`);
  return `planned ${planned} blocks under ${CAP_GIB} GiB, and there are ${actual}`;
}

const SHORT = '128,128;2048,128';
const LONG = '128,2048;2048,2048';

/** One measured run a case; graphs are captured once for the whole sweep, so long cases need no warm-up of their own. */
async function sweep(name, engine, lengths, { warmUp, extra = [], limit, batches = '1;4;8;16' }) {
  const runs = ['--num_runs', '1', '--duration', '0', '--warm_up', String(warmUp)];
  const cases = ['--batch_size', batches, '--input_output_len', lengths];
  const files = ['--engine_dir', work(engine), '--json', work(`${name}.json`)];
  const words = ['bench', '-m', 'llama2_7b', ...files, ...cases, ...runs, '--log_level', 'info'];
  const printed = await aloft([...words, ...extra, ...libraryFlags], limit);
  const table = printed.split('\n').filter((line) => line.startsWith('|'));
  const data = readJson(work(`${name}.json`));
  const peak = Math.max(...data.rows.map((row) => row['gpu_peak_mem(gb)']));
  return { text: `peak ${peak} GiB\n${table.join('\n')}`, data };
}

/** What the host does for a decode step of 64 sequences, and what of it the device waits for. */
async function hostTime() {
  const { data } = await sweep('host-time', 'int8', '128,128', { warmUp: 1, limit: 60, batches: '64' });
  const [row] = data.rows;
  const [step, host, exposed] = ['decode_step(ms)', 'host_time(us)', 'exposed_host_time(us)'].map(
    (name) => row[name],
  );
  if (!(exposed <= 50)) throw new Error(`the device waits ${exposed} us for the host`);
  const text = `batch 64: a step takes ${step} ms, the host ${host} us, of which the device waits ${exposed} us`;
  return { text, data };
}

// What a card of 32 GiB has left for programs.
const CAP_GIB = 31;
const CAPPED = ['--max_device_memory', `${CAP_GIB}GiB`, '--kv_cache_free_mem_fraction', '1'];

async function inflight(engine) {
  const load = ['--num_requests', '192', '--input_len', 'constant:128', '--output_len', 'uniform:64,256'];
  const words = ['bench', '--type', 'IFB', '--engine_dir', work(engine), '--json', work('inflight.json')];
  const printed = await aloft([...words, ...load, ...libraryFlags], 60);
  const lines = printed.split('\n');
  const wanted = lines.filter((line) => /Output Throughput|Time to first|Time per output/.test(line));
  return { text: wanted.join('\n'), data: readJson(work('inflight.json')) };
}

const cappedCases = { warmUp: 0, extra: CAPPED, limit: 230 };
/** @type {[name: string, leastSeconds: number, start: () => Promise<string | { text: string }>][]} */
const PARTS = [
  ['devices', 5, async () => (await aloft(['devices', ...libraryFlags], 20)).trim()],
  ['demo', 20, demo],
  ['conformance', 20, async () => (await conformance([], 100, SHARDS.none)).flatMap(resultLines).join('\n')],
  ['memcheck', 30, () => sanitize('memcheck', 200)],
  ['racecheck', 90, () => sanitize('racecheck', 300)],
  ['tests', 60, tests],
  ['warmup', 10, warmup],
  ['arch-build', 30, architectureBuild],
  ['build-int8', 20, () => build('int8', INT8)],
  ['int8-short', 15, () => sweep('int8-short', 'int8', SHORT, { warmUp: 1, limit: 45 })],
  ['profile', 20, profile],
  ['int8-untuned', 40, untuned],
  ['build-fp16', 20, () => build('fp16', [])],
  ['fp16-short', 15, () => sweep('fp16-short', 'fp16', SHORT, { warmUp: 1, limit: 45 })],
  ['int8-long', 40, () => sweep('int8-long', 'int8', LONG, { warmUp: 0, limit: 130 })],
  ['timing-cache', 20, timingCache],
  ['plan-memory', 15, planMemory],
  ['inflight', 15, () => inflight('int8')],
  ['fp16-long', 50, () => sweep('fp16-long', 'fp16', LONG, { warmUp: 0, limit: 160 })],
  ['int8-capped-short', 20, () => sweep('int8-capped-short', 'int8', SHORT, { ...cappedCases, warmUp: 1 })],
  ['int8-capped-long', 50, () => sweep('int8-capped-long', 'int8', LONG, cappedCases)],
  ['fp16-capped-short', 20, () => sweep('fp16-capped-short', 'fp16', SHORT, { ...cappedCases, warmUp: 1 })],
  ['fp16-capped-long', 100, () => sweep('fp16-capped-long', 'fp16', LONG, cappedCases)],
  ['host-time', 15, hostTime],
  ['build-fp16-kv8', 20, () => build('fp16-kv8', ['--kv_cache_dtype', 'int8'])],
  [
    'fp16-kv8-capped',
    50,
    () => sweep('fp16-kv8-capped', 'fp16-kv8', '2048,2048', { ...cappedCases, batches: '16' }),
  ],
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
