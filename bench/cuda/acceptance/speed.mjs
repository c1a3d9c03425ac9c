/** Parts that build engines of LLaMA-2-7B's shape and measure them. */
import { readJson } from './json.mjs';

const LENGTHS = ['--max_input_len', '2048', '--max_output_len', '2048'];
const LIMITS = ['--max_batch_size', '64'];
const WIDE_LIMITS = ['--max_batch_size', '1024', '--max_num_tokens', '8192'];
export const INT8 = ['--use_weight_only'];
export const INT4 = [...INT8, '--weight_only_precision', 'int4'];

/** An engine of random weights. When tuning fails, the part fails, but an untuned engine lets the others run. */
export async function build(session, name, extra, limits = LIMITS) {
  const started = performance.now();
  const shape = ['build', '--force', '--random_weights', 'llama2_7b', '--device', 'cuda'];
  const words = [
    ...shape,
    '--output_dir',
    session.work(name),
    ...LENGTHS,
    ...limits,
    ...extra,
    ...session.libraryFlags,
  ];
  try {
    const printed = await session.aloft(words, 150);
    const tuned = printed.split('\n').find((line) => line.includes('Tuned')) ?? '';
    return `built in ${((performance.now() - started) / 1000).toFixed(0)} s. ${tuned}`;
  } catch (fault) {
    await session.aloft([...words, '--no_tune'], 150);
    throw new Error(`built untuned, because the tuned build failed: ${fault.message}`, { cause: fault });
  }
}

export const SHORT = '128,128;2048,128';
export const LONG = '128,2048;2048,2048';
const SHORT_RUNS = 3;

/**
 * Measured runs a case: several of short ones, where a pause of the host shows; one of long ones. Graphs are captured once for the
 * whole sweep, so long cases need no warm-up of their own.
 */
export async function sweep(session, name, { engine, lengths, batches = '1;4;8;16', ...how }) {
  const { warmUp, limit, runCount = 1, extra = [] } = how;
  const json = session.work(`${name}.json`);
  const runs = ['--num_runs', String(runCount), '--duration', '0', '--warm_up', String(warmUp)];
  const cases = ['--batch_size', batches, '--input_output_len', lengths];
  const words = ['bench', '-m', 'llama2_7b', '--engine_dir', session.work(engine), '--json', json];
  const log = ['--log_level', 'info', ...extra, ...session.libraryFlags];
  const printed = await session.aloft([...words, ...cases, ...runs, ...log], limit);
  const table = printed.split('\n').filter((line) => line.startsWith('|'));
  const data = readJson(json);
  const peak = Math.max(...data.rows.map((row) => row['gpu_peak_mem(gb)']));
  return { text: `peak ${peak} GiB\n${table.join('\n')}`, data };
}

export const short = (session, name, engine) =>
  sweep(session, name, { engine, lengths: SHORT, warmUp: 1, runCount: SHORT_RUNS, limit: 90 });
export const long = (session, name, engine) =>
  sweep(session, name, { engine, lengths: LONG, warmUp: 0, limit: 160 });

/** Memory that a card of 32 GiB has left for programs. */
export const CAP_GIB = 31;
export const CAPPED = ['--max_device_memory', `${CAP_GIB}GiB`, '--kv_cache_free_mem_fraction', '1'];

/** Cases with capped memory; short ones have a warm-up, as without a cap. */
export function capped(session, name, { engine, lengths, batches }) {
  const warmUp = lengths === SHORT ? 1 : 0;
  return sweep(session, name, { engine, lengths, batches, warmUp, extra: CAPPED, limit: 230 });
}

/** Host time of a decode step of 64 sequences, and the part of it that the device waits for. */
export async function hostTime(session) {
  const how = { engine: 'int8', lengths: '128,128', warmUp: 1, limit: 60, batches: '64' };
  const { data } = await sweep(session, 'host-time', how);
  const names = ['decode_step(ms)', 'host_time(us)', 'exposed_host_time(us)'];
  const [step, host, exposed] = names.map((name) => data.rows[0][name]);
  const text = `batch 64: a step takes ${step} ms, the host ${host} us, of which the device waits ${exposed} us`;
  const ok = exposed <= 50;
  return { ok, text: ok ? text : `${text}, more than 50`, data };
}

/** In-flight workloads of the lab book: name, requests, input and output lengths. */
const INFLIGHT = [
  ['128/128', 1500, 128, 128],
  ['2048/128', 300, 2048, 128],
  ['128/2048', 300, 128, 2048],
  ['2048/2048', 120, 2048, 2048],
];

/** The engine of the in-flight workloads: INT8 weights, inputs and cache, 1,024 sequences at a time. */
export const buildWide = (session) =>
  build(session, 'wide', [...INT8, '--int8_activations', '--kv_cache_dtype', 'int8'], WIDE_LIMITS);

/** One in-flight benchmark. @returns what it printed, and its report */
async function inflightRun(session, engine, load, limitSeconds) {
  const json = session.work('inflight.json');
  const words = ['bench', '--type', 'IFB', '--engine_dir', session.work(engine), '--json', json];
  const printed = await session.aloft([...words, ...load, ...session.libraryFlags], limitSeconds);
  return { printed, report: readJson(json) };
}

/** Output tokens a second of each in-flight workload. */
export async function inflightTable(session) {
  const rows = [];
  for (const [name, requests, input, output] of INFLIGHT) {
    const lengths = ['--input_len', `constant:${input}`, '--output_len', `constant:${output}`];
    const load = [...lengths, '--num_requests', String(requests), '--kv_cache_free_mem_fraction', '0.95'];
    const { printed, report } = await inflightRun(session, 'wide', load, 150);
    const speed = Number(/Total Output Throughput \(tokens\/sec\): *([\d.]+)/.exec(printed)[1]);
    rows.push({ name, requests, tokensPerSecond: Math.round(speed), report });
  }
  const text = rows.map(
    ({ name, requests, tokensPerSecond }) => `${name}, ${requests} requests: ${tokensPerSecond} tok/s`,
  );
  return { text: text.join('\n'), data: rows };
}

/** Static batches of the same engine. */
export const wideShort = (session) =>
  sweep(session, 'wide-short', {
    engine: 'wide',
    lengths: SHORT,
    batches: '1;16;64',
    warmUp: 1,
    runCount: SHORT_RUNS,
    limit: 120,
  });
export const wideLong = (session) =>
  sweep(session, 'wide-long', { engine: 'wide', lengths: LONG, batches: '16', warmUp: 0, limit: 100 });

export async function inflight(session, engine) {
  const load = ['--num_requests', '192', '--input_len', 'constant:128', '--output_len', 'uniform:64,256'];
  const { printed, report } = await inflightRun(session, engine, load, 60);
  const wanted = /Output Throughput|Time to first|Time per output/;
  const lines = printed.split('\n').filter((line) => wanted.test(line));
  return { text: lines.join('\n'), data: report };
}
