/**
 * Checks ranks on a machine with one GPU, which they share, from a bundle with tests (scripts/bundle.mjs --tests):
 *
 *   <bundle>/node <bundle>/app/bench/cuda/ranks-one-gpu.mjs [--out DIR] [--work DIR] [--seconds 110] [--cuda-library-path FOLDERS]
 *
 * Parts run in order of importance, and none begins that cannot end in time: exchanges between ranks; an engine of two ranks that
 * answers as one of one rank does; ranks that may not share a GPU; a rank that is killed; the executor's contract over two ranks.
 * Two processes on one GPU take turns, so nothing here says how fast ranks are. All that is printed goes to DIR/acceptance.log.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { killFault, killRank } from '../../dist/test/kill-ranks.js';
import { createSession } from './acceptance/session.mjs';

const { values: flags } = parseArgs({
  options: {
    out: { type: 'string', default: 'ranks' },
    work: { type: 'string', default: join(tmpdir(), 'aloft-ranks') },
    seconds: { type: 'string', default: '110' },
    'cuda-library-path': { type: 'string' },
  },
});
const session = createSession(flags, fileURLToPath(new URL('../..', import.meta.url)));
const TOKENS = 64;
const PROMPTS = ['Once upon a time', 'Tom and his dog went to the', 'The sun was hot and the cat'];

/** Parts with the least seconds that each needs. */
const PARTS = [
  { name: 'exchanges', leastSeconds: 20, start: () => vitest('exchanges') },
  { name: 'demo', leastSeconds: 15, start: demo },
  { name: 'refused', leastSeconds: 5, start: refused },
  { name: 'killed', leastSeconds: 8, start: killed },
  { name: 'contract', leastSeconds: 30, start: () => vitest('ranks') },
];

async function vitest(name) {
  const runner = join(session.app, 'node_modules/vitest/vitest.mjs');
  const words = ['run', '--config', 'vitest.cuda.config.mjs', '--no-color', `dist/test/cuda/${name}.test.js`];
  const printed = await session.runLine([process.execPath, runner, ...words], 100, session.app);
  return printed.trim().split('\n').at(-1);
}

function build(ranks) {
  const model = [
    '--model_dir',
    join(session.app, 'models/demo'),
    '--output_dir',
    session.work(`ranks-${ranks}`),
  ];
  const sizes = ['--max_batch_size', '4', '--max_input_len', '128', '--max_output_len', '512', '--no_tune'];
  const world = ['--tp_size', String(ranks), '--world_size', String(ranks)];
  return session.aloft(
    ['build', '--force', '--device', 'cuda', ...model, ...sizes, ...world, ...session.libraryFlags],
    40,
  );
}

/** Greedy continuations, as arrays of token ids. */
async function idsOf(ranks) {
  const [csv, prompts] = [session.work(`ranks-${ranks}.csv`), session.work('prompts.txt')];
  writeFileSync(prompts, `${PROMPTS.join('\n')}\n`);
  const read = ['run', '--engine_dir', session.work(`ranks-${ranks}`), '--input_file', prompts];
  const greedy = [
    '--output_csv',
    csv,
    '--temperature',
    '0',
    '--max_output_len',
    String(TOKENS),
    '--ignore_eos',
  ];
  const share = ranks > 1 ? ['--share_gpu'] : [];
  await session.aloft([...read, ...greedy, ...share, ...session.libraryFlags], 60);
  return readFileSync(csv, 'utf8')
    .trim()
    .split('\n')
    .map((line) => line.split(',').map(Number));
}

async function demo() {
  await build(1);
  await build(2);
  const [one, two] = [await idsOf(1), await idsOf(2)];
  const equal = one.map((ids, i) => {
    const first = ids.findIndex((id, at) => id !== two[i]?.[at]);
    return first < 0 ? TOKENS : first;
  });
  // Sums are cut elsewhere, so that texts may part where two tokens are almost equally likely.
  if (Math.max(...equal) < TOKENS)
    throw new Error(`no text of two ranks is that of one; equal up to ${equal.join(', ')}`);
  return `texts of two ranks and of one are equal over ${equal.join(', ')} of ${TOKENS} tokens`;
}

/** Without leave, ranks do not share a GPU. */
async function refused() {
  const words = [
    'run',
    '--engine_dir',
    session.work('ranks-2'),
    '--input_text',
    'a',
    ...session.libraryFlags,
  ];
  const program = [join(session.app, 'bin/aloft.js'), ...words];
  const { status, stderr } = spawnSync(process.execPath, program, { encoding: 'utf8' });
  const lines = stderr.trim().split('\n');
  if (status !== 2 || lines.length !== 1 || !/this machine shows 1;.*\[DEVICE_UNAVAILABLE\]/.test(stderr))
    throw new Error(`status ${status}, ${lines.length} lines: ${stderr}`);
  return stderr.trim();
}

async function killed() {
  const extra = ['--share_gpu', ...session.libraryFlags];
  const ends = [];
  for (const afterMs of [1500, 4000]) {
    const kill = { who: 'follower', afterMs };
    const ending = await killRank(session.work('ranks-2'), kill, extra);
    const fault = killFault(kill, ending) ?? (ending.ms < 2000 ? undefined : 'it takes too long');
    if (fault !== undefined) throw new Error(`${fault} (${Math.round(ending.ms)} ms): ${ending.err}`);
    ends.push(`${afterMs} ms after its start: no process is left ${Math.round(ending.ms)} ms later`);
  }
  return ends.join('; ');
}

/** @type {{ name: string, ok: boolean, text: string, seconds: string }[]} */
const outcomes = [];
for (const { name, leastSeconds, start } of PARTS) {
  const left = session.secondsLeft();
  session.log(`\n=== ${name}\n`);
  const startedMs = performance.now();
  let outcome = { ok: false, text: `skipped: ${left.toFixed(0)} s were left` };
  if (left >= leastSeconds)
    try {
      outcome = { ok: true, text: await start() };
    } catch ({ message }) {
      outcome = { ok: false, text: message };
    }
  outcomes.push({ name, ...outcome, seconds: ((performance.now() - startedMs) / 1000).toFixed(1) });
}
session.log('\n=== summary\n');
for (const { name, ok, text, seconds } of outcomes)
  session.log(`${ok ? 'ok    ' : 'FAILED'} ${name} (${seconds} s): ${text}\n`);
rmSync(flags.work, { recursive: true, force: true });
process.exitCode = outcomes.every(({ ok }) => ok) ? 0 : 1;
