/**
 * Compares ways to wait for the end of a step on a GPU:
 *
 *   node bench/cuda/collect-wait.mjs [--cuda-library-path FOLDERS] [--out FILE]
 *
 * A step here is a chain of memsets that keeps the device busy for a chosen time, then the copy of a counter to the host, as an
 * executor's step ends with the copy of its results. For each way and length of a step:
 *
 * - latency: from the counter's arrival in host memory, which another thread watches, to the line after `await`, microseconds;
 * - host: share of a core that this process takes while it waits, without the watcher;
 * - enqueue: what the way adds to submitting a step, microseconds;
 * - gap: from the end of a step to the start of the next one that was submitted before it ended, microseconds on the device.
 */
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { createCompletionSignal } from '../../dist/device/cuda/completion-signal.js';
import { openGpu } from '../../dist/device/cuda/gpu.js';
import { openCudaLibrary } from '../../dist/device/cuda/library-search.js';
import { createStream } from '../../dist/device/cuda/stream.js';
import { openLibrary } from '../../dist/ffi/library.js';
import { createWakeUp } from '../../dist/ffi/wake-up.js';
import { machineRecord } from '../../dist/tools/bench/machine.js';

const { values: flags } = parseArgs({
  options: { 'cuda-library-path': { type: 'string' }, out: { type: 'string' } },
});
const libraryPath = flags['cuda-library-path'];
const gpu = openGpu(0, libraryPath);
const { driver } = gpu;
const stream = createStream(driver);
const STEP_MS = [1, 5];
const STEPS = 300;
const MEMSET_BYTES = 256 << 20;
const area = gpu.allocate(MEMSET_BYTES, 'work');
const counter = gpu.allocate(256, 'the counter');
const arrived = gpu.allocatePinned(64);

// ---- ways to wait ----

const BLOCKING_SYNC = 1; // CU_EVENT_BLOCKING_SYNC
const turn = () => new Promise(setImmediate);

function spin() {
  const wait = async (event) => {
    while (!event.isDone()) await turn();
  };
  return { enqueue: () => {}, wait, dispose: () => {} };
}

function timer() {
  const wait = async (event) => {
    while (!event.isDone()) await sleep(1);
  };
  return { enqueue: () => {}, wait, dispose: () => {} };
}

/** Sleeps until shortly before the end that is expected, and then asks all the time. */
function predicted() {
  const SPIN_MS = 1.5; // timers are late by up to a millisecond
  let expectedMs = 0;
  const wait = async (event) => {
    const startMs = performance.now();
    const sleepMs = Math.floor(expectedMs - SPIN_MS);
    if (sleepMs >= 1) await sleep(sleepMs);
    while (!event.isDone()) await turn();
    expectedMs = performance.now() - startMs;
  };
  return { enqueue: () => {}, wait, dispose: () => {} };
}

/** A thread of the pool sleeps in cuEventSynchronize. */
function pool() {
  const library = openCudaLibrary('driver', libraryPath);
  const synchronize = library.bind('int cuEventSynchronize(uint64_t event)');
  const wait = ({ handle }) =>
    new Promise((resolve, reject) =>
      synchronize.async(handle, (fault, status) =>
        status === 0 ? resolve() : reject(fault ?? new Error(`cuEventSynchronize: ${status}`)),
      ),
    );
  return { eventFlags: BLOCKING_SYNC, enqueue: () => {}, wait, dispose: () => {} };
}

/** Way of the executor: cuStreamAddCallback on a stream of its own. */
function callback() {
  const signal = createCompletionSignal(driver);
  const wait = async (event) => {
    while (!event.isDone()) await signal.next();
  };
  return { enqueue: (event) => signal.signalAfter(event), wait, dispose: () => signal.dispose() };
}

/**
 * cuLaunchHostFunc, which calls a function of one argument: the C library's `fflush`, on a file whose buffer holds the byte; a
 * file for each event, or the flush of one step would take the next step's byte along.
 * @param ownStream false: on the stream of the steps, which then waits for the host
 */
function hostFunction(ownStream) {
  const wakeUp = createWakeUp();
  const libc = openLibrary('libc.so.6');
  const open = libc.bind('uint64_t fdopen(int descriptor, str mode)');
  const files = new Map();
  const put = libc.bind('int fputc(int byte, uint64_t file)');
  const flush = libc.address('fflush');
  const launch = openCudaLibrary('driver', libraryPath).bind(
    'int cuLaunchHostFunc(uint64_t stream, uint64_t function, uint64_t data)',
  );
  const signals = ownStream ? createStream(driver) : stream;
  const enqueue = (event) => {
    if (ownStream) driver.call('cuStreamWaitEvent', signals.handle, event.handle, 0);
    const file = files.get(event.handle) ?? Number(open(wakeUp.descriptor, 'w'));
    files.set(event.handle, file);
    put(1, file);
    const status = Number(launch(signals.handle, flush, file));
    if (status !== 0) throw new Error(`cuLaunchHostFunc: ${status}`);
  };
  const wait = async (event) => {
    while (!event.isDone()) await wakeUp.next();
  };
  const dispose = () => {
    signals.synchronize();
    wakeUp.dispose();
  };
  return { enqueue, wait, dispose };
}

const WAYS = {
  'setImmediate, as before': spin,
  'cuStreamAddCallback and a pipe': callback,
  'cuLaunchHostFunc and a pipe': () => hostFunction(true),
  'cuLaunchHostFunc in the stream of the steps': () => hostFunction(false),
  'cuEventSynchronize in a thread of the pool': pool,
  'timers of 1 ms': timer,
  'a timer, and setImmediate at the end': predicted,
};

// ---- steps ----

const memset = driver.raw('cuMemsetD32Async');
const work = (count) => {
  for (let i = 0; i < count; i++) memset(area, i, MEMSET_BYTES / 4, stream.handle);
};

/** Memsets that keep the device busy for so long. */
function countFor(ms) {
  const [start, end] = [eventOf(0), eventOf(0)];
  const COUNT = 20;
  work(COUNT);
  start.record(stream);
  work(COUNT);
  end.record(stream);
  end.synchronize();
  return Math.max(1, Math.round((ms * COUNT) / end.msSince(start)));
}

/** As `createEvent`, with flags. */
function eventOf(flagBits) {
  const handle = driver.out64('cuEventCreate', flagBits);
  return {
    handle,
    record: (on) => driver.call('cuEventRecord', handle, on.handle),
    isDone: () => driver.query('cuEventQuery', handle),
    synchronize: () => driver.call('cuEventSynchronize', handle),
    msSince: (start) => driver.outFloat('cuEventElapsedTime', start.handle, handle),
  };
}

/** Submits a step and what the way needs. @returns microseconds that the way took */
function submit(way, count, { start, end }, stepId) {
  start.record(stream);
  work(count);
  driver.call('cuMemsetD32Async', counter, stepId, 1, stream.handle);
  stream.copyToHost(arrived.address, counter, 4);
  end.record(stream);
  const before = performance.now();
  way.enqueue(end);
  return (performance.now() - before) * 1000;
}

/** A thread that notes when the counter arrives. */
function createWatcher() {
  const shared = new SharedArrayBuffer(24); // [0] step that is watched for; [8] when it arrived, nanoseconds
  const program = `
    const { workerData } = require('node:worker_threads');
    const koffi = require(workerData.koffi);
    koffi.load('libc.so.6');
    const words = new Int32Array(koffi.view(BigInt(workerData.address), 64));
    const [wanted, time] = [new Int32Array(workerData.shared, 0, 2), new BigInt64Array(workerData.shared, 8, 2)];
    for (let step = 0; ; ) {
      Atomics.wait(wanted, 0, step);
      step = Atomics.load(wanted, 0);
      if (step < 0) break;
      while (Atomics.load(words, 0) !== step);
      Atomics.store(time, 0, process.hrtime.bigint());
    }`;
  const koffiPath = createRequire(import.meta.url).resolve('koffi');
  const workerData = { koffi: koffiPath, address: arrived.address, shared };
  const worker = new Worker(program, { eval: true, workerData });
  const [wanted, time] = [new Int32Array(shared, 0, 2), new BigInt64Array(shared, 8, 2)];
  const watchFor = (step) => {
    Atomics.store(time, 0, 0n);
    Atomics.store(wanted, 0, step);
    Atomics.notify(wanted, 0);
  };
  const arrival = () => {
    let nanoseconds;
    do nanoseconds = Atomics.load(time, 0);
    while (nanoseconds === 0n);
    return nanoseconds;
  };
  const end = async () => {
    watchFor(-1);
    await new Promise((resolve) => worker.once('exit', resolve));
  };
  return { watchFor, arrival, end };
}

const quantile = (values, share) => values.toSorted((a, b) => a - b)[Math.floor(share * (values.length - 1))];
const round = (value) => Number(value.toFixed(2));
let lastStepId = 0;

async function latencies(way, count, events) {
  const watcher = createWatcher();
  const found = [];
  for (let i = 0; i < STEPS; i++) {
    const stepId = ++lastStepId;
    watcher.watchFor(stepId);
    submit(way, count, events[0], stepId);
    await way.wait(events[0].end);
    const latency = Number(process.hrtime.bigint() - watcher.arrival()) / 1000;
    if (i >= STEPS / 10) found.push(latency);
  }
  await watcher.end();
  return found;
}

/** One step ahead, as the batcher runs them. */
async function overlapped(way, count, events) {
  const [enqueued, gaps] = [[], []];
  const startCpu = process.cpuUsage();
  const startMs = performance.now();
  const eventsOf = (step) => events[step % events.length];
  submit(way, count, eventsOf(0), ++lastStepId);
  for (let i = 1; i < STEPS; i++) {
    enqueued.push(submit(way, count, eventsOf(i), ++lastStepId));
    await way.wait(eventsOf(i - 1).end);
    if (i > 1) gaps.push(eventsOf(i - 1).start.msSince(eventsOf(i - 2).end) * 1000);
  }
  await way.wait(eventsOf(STEPS - 1).end);
  const { user, system } = process.cpuUsage(startCpu);
  const hostShare = (user + system) / 1000 / (performance.now() - startMs);
  return { enqueued, gaps, hostShare };
}

const rows = [];
for (const stepMs of STEP_MS) {
  const count = countFor(stepMs);
  for (const [name, create] of Object.entries(WAYS)) {
    const way = create();
    const events = [0, 1, 2].map(() => ({ start: eventOf(0), end: eventOf(way.eventFlags ?? 0) }));
    const found = await latencies(way, count, events);
    const { enqueued, gaps, hostShare } = await overlapped(way, count, events);
    stream.synchronize();
    way.dispose();
    const row = {
      way: name,
      step_ms: stepMs,
      'latency_p50(us)': round(quantile(found, 0.5)),
      'latency_p99(us)': round(quantile(found, 0.99)),
      host_share: round(hostShare),
      'enqueue(us)': round(quantile(enqueued, 0.5)),
      'gap(us)': round(quantile(gaps, 0.5)),
    };
    rows.push(row);
    console.log(JSON.stringify(row));
  }
}
const machine = machineRecord(['node', 'bench/cuda/collect-wait.mjs'], gpu.properties.name);
if (flags.out !== undefined) writeFileSync(flags.out, `${JSON.stringify({ machine, rows }, undefined, 2)}\n`);
gpu.dispose();
