/** Parts that build engines of LLaMA-2-7B's shape and measure them. */
import { readJson } from './json.mjs';

const LIMITS = ['--max_batch_size', '64', '--max_input_len', '2048', '--max_output_len', '2048'];
export const INT8 = ['--use_weight_only'];

/** An engine of random weights. When tuning fails, the part fails, but an untuned engine lets the others run. */
export async function build(session, name, extra) {
  const started = performance.now();
  const shape = ['build', '--force', '--random_weights', 'llama2_7b', '--device', 'cuda'];
  const words = [...shape, '--output_dir', session.work(name), ...LIMITS, ...extra, ...session.libraryFlags];
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

/** One measured run a case; graphs are captured once for the whole sweep, so long cases need no warm-up of their own. */
export async function sweep(session, name, { engine, lengths, batches = '1;4;8;16', ...how }) {
  const { warmUp, limit, extra = [] } = how;
  const json = session.work(`${name}.json`);
  const runs = ['--num_runs', '1', '--duration', '0', '--warm_up', String(warmUp)];
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
  sweep(session, name, { engine, lengths: SHORT, warmUp: 1, limit: 45 });
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

export async function inflight(session, engine) {
  const json = session.work('inflight.json');
  const load = ['--num_requests', '192', '--input_len', 'constant:128', '--output_len', 'uniform:64,256'];
  const words = ['bench', '--type', 'IFB', '--engine_dir', session.work(engine), '--json', json];
  const printed = await session.aloft([...words, ...load, ...session.libraryFlags], 60);
  const wanted = /Output Throughput|Time to first|Time per output/;
  const lines = printed.split('\n').filter((line) => wanted.test(line));
  return { text: lines.join('\n'), data: readJson(json) };
}
