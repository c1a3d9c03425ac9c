/** Parts that look at what the INT8 engine is: its kernels, its profile, its memory. */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readJson, sameJson } from './json.mjs';
import { build, CAP_GIB, CAPPED, INT8, short } from './speed.mjs';

/** The winners that an engine holds, by problem. */
async function winnersOf(session, name) {
  const shown = await session.aloft(['engine', 'show', session.work(name)], 30);
  return shown
    .split('\n')
    .filter((line) => /^linear (int8|dense) /.test(line) && /(ring|stream|wide|cublasLt) /.test(line));
}

/** A build with the first one's model.cache measures nothing and chooses the same. */
export async function timingCache(session) {
  const startedMs = performance.now();
  await build(session, 'int8-again', [...INT8, '--timing_cache', session.work('int8/model.cache')]);
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(0);
  const first = await winnersOf(session, 'int8');
  if (first.length === 0 || !sameJson(first, await winnersOf(session, 'int8-again')))
    throw new Error('a build with model.cache chose other kernels');
  rmSync(session.work('int8-again'), { recursive: true });
  return `${first.length} problems from model.cache, built in ${seconds} s`;
}

/** The same short cases by an engine that was not tuned; winners that are slower than it are a fault of the tuner. */
export async function untuned(session) {
  await build(session, 'int8-untuned', [...INT8, '--no_tune']);
  const { data, text } = await short(session, 'int8-untuned', 'int8-untuned');
  const speedsOf = ({ rows }) => rows.map(({ tokens_per_sec }) => Number(tokens_per_sec));
  const tuned = speedsOf(readJson(session.work('int8-short.json')));
  const gains = speedsOf(data).map((speed, i) => tuned[i] / speed);
  const line = `tuned over untuned: ${gains.map((gain) => gain.toFixed(3)).join(', ')}`;
  return { ok: Math.min(...gains) > 0.95, text: `${line}\n${text}`, data };
}

export async function profile(session) {
  const trace = session.out('profile-trace.json');
  const load = ['--batch_size', '1;16', '--input_output_len', '128,16;2048,4', '--output', trace];
  const words = ['profile', '--engine_dir', session.work('int8'), ...load, ...session.libraryFlags];
  const printed = await session.aloft(words, 90);
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
export async function planMemory(session) {
  const blocksOf = (printed) => Number(/(\d+) blocks of/.exec(printed)[1]);
  const engine = ['--engine_dir', session.work('int8')];
  const memory = ['--gpu_memory_gb', String((CAP_GIB * 2 ** 30) / 1e9), ...CAPPED.slice(2)];
  const planned = blocksOf(await session.aloft(['plan-memory', ...engine, ...memory], 30));
  writeFileSync(session.work('ids.csv'), '1,2,3\n');
  const read = ['--input_tokens', session.work('ids.csv'), '--output_csv', session.work('one.csv')];
  const tokenizer = ['--tokenizer_dir', join(session.app, 'models/demo'), '--log_level', 'info'];
  const rest = ['--max_output_len', '1', ...tokenizer, ...CAPPED, ...session.libraryFlags];
  const actual = blocksOf(await session.aloft(['run', ...engine, ...read, ...rest], 60));
  if (Math.abs(planned - actual) > 4) throw new Error(`planned ${planned} blocks, and there are ${actual}`);
  return `planned ${planned} blocks under ${CAP_GIB} GiB, and there are ${actual}`;
}
