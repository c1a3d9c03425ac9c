/**
 * Measures the cost of calling each kernel from TypeScript, for a step on the CPU: native calls per step times the cost of an empty
 * call, against the time of a decode step. Builds the demo engine and a TinyLlama-shaped INT8 engine in a temporary folder.
 *   node scripts/prepare.mjs && node bench/step/native-calls.mjs [result.json]
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildStep } from '../../dist/core/build-step.js';
import { GREEDY } from '../../dist/core/sampling.js';
import { CPU_LAYOUT_VERSION } from '../../dist/device/cpu/cpu-weight-layout.js';
import { createCpuPool } from '../../dist/device/cpu/kernel-library.js';
import { openEngineRank } from '../../dist/engine/rank-file-reader.js';
import { bindAdd } from '../../dist/ops/add/cpu.js';
import { bestMs } from '../../dist/ops/measure.js';
import { bindRmsNorm } from '../../dist/ops/rms-norm/cpu.js';
import { CpuExecutor } from '../../dist/run/executor/cpu/cpu-executor.js';
import { machineRecord } from '../../dist/tools/bench/machine.js';
import { COMMANDS } from '../../dist/tools/cli/commands.js';
import { main } from '../../dist/tools/cli/main.js';

const CONTEXT_TOKENS = 128;
const BLOCK_TOKENS = 16;
const demoModel = fileURLToPath(new URL('../../models/demo', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'aloft-step-'));
try {
  const emptyCallNs = measureEmptyCalls();
  const subjects = [
    { name: 'demo f16', flags: ['--model_dir', demoModel] },
    { name: 'tinyllama_1b int8', flags: ['--random_weights', 'tinyllama_1b', '--use_weight_only'] },
  ];
  const rows = [];
  for (const subject of subjects) {
    const directory = await build(subject);
    for (const batch of [1, 8])
      rows.push(await measureEngine({ ...subject, directory, batch }, emptyCallNs.arguments8));
  }
  const result = {
    machine: machineRecord(['node', 'bench/step/native-calls.mjs']),
    emptyCallNs,
    rows,
  };
  console.table(rows);
  console.log(emptyCallNs);
  if (process.argv[2] !== undefined)
    writeFileSync(process.argv[2], `${JSON.stringify(result, undefined, 2)}\n`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** Kernels asked for nothing: the crossing alone, with four and with eight arguments. */
function measureEmptyCalls() {
  const pool = createCpuPool({ threadCount: 1 });
  const [add, rmsNorm] = [bindAdd(pool.library), bindRmsNorm(pool.library)];
  const calls = 1000;
  const nanoseconds = (body) =>
    Math.round(
      (1e6 *
        bestMs(() => {
          for (let i = 0; i < calls; i++) body();
        })) /
        calls,
    );
  const result = {
    arguments4: nanoseconds(() => add(pool.handle, 0, 0, 0)),
    arguments8: nanoseconds(() => rmsNorm(pool.handle, 0, 0, 0, 0, 0, 1, 1e-5)),
  };
  pool.dispose();
  return result;
}

async function build({ name, flags }) {
  const directory = join(folder, name.replaceAll(' ', '-'));
  const limits = ['--max_batch_size', '8', '--max_input_len', '256', '--max_output_len', '256'];
  const rest = ['--output_dir', directory, '--log_level', 'error'];
  const status = await main(['build', ...flags, ...limits, ...rest], COMMANDS);
  if (status !== 0) throw new Error(`the build of ${name} failed`);
  return directory;
}

/** Least of many steps: the machine's other work only ever adds. */
async function measureEngine({ name, directory, batch }, callNs) {
  let kernelMs = 0;
  const plain = await timeSteps(directory, batch);
  const stepMs = Math.min(...plain.steps.map(({ ms }) => ms));
  const profiled = await timeSteps(directory, batch, {
    profile: ({ ms }) => (kernelMs += ms),
    take() {
      const ms = kernelMs;
      kernelMs = 0;
      return ms;
    },
  });
  const hostMs = Math.min(...profiled.steps.map(({ ms, inKernelsMs }) => ms - inKernelsMs));
  const callMs = (plain.callCount * callNs) / 1e6;
  const rounded = (value, digits) => Number(value.toFixed(digits));
  return {
    model: name,
    batch,
    nativeCalls: plain.callCount,
    stepMs: rounded(stepMs, 3),
    callsMs: rounded(callMs, 4),
    callsPercent: rounded((100 * callMs) / stepMs, 2),
    otherTypeScriptMs: rounded(hostMs, 4),
  };
}

/** Decode steps of `batch` sequences. A profiler collects the time in kernels, a step at a time. */
async function timeSteps(directory, batch, profiler) {
  const engine = openEngineRank(directory, {
    rank: 0,
    worldSize: 1,
    device: 'cpu',
    layoutVersion: CPU_LAYOUT_VERSION,
    verification: 'sample',
  });
  const blocksEach = CONTEXT_TOKENS / BLOCK_TOKENS;
  const executor = new CpuExecutor({
    plan: engine.plan,
    pool: createCpuPool(),
    tensorAddress: (tensor) => engine.tensor(tensor).address,
    weightBytes: engine.weightBytes,
    limits: {
      maxStepTokens: 512,
      maxRows: 8,
      maxLogits: 64,
      blockTokens: BLOCK_TOKENS,
      blockCount: 8 * blocksEach,
      hostBlockCount: 0,
      maxSequenceTokens: 512,
    },
    kvDtype: 'f16',
    ...(profiler === undefined ? {} : { profile: profiler.profile }),
    onDispose: () => engine.dispose(),
  });
  const slots = Array.from({ length: batch }, (_, slot) => slot);
  for (const slot of slots)
    executor.attachSlot({
      slot,
      sampling: GREEDY,
      isBeam: false,
      endIds: [],
      promptTokenIds: new Int32Array(0),
      outputTokenIds: new Int32Array(0),
    });
  const step = buildStep(
    slots.map((slot) => ({
      slot,
      tokenIds: [7 + slot],
      firstPosition: CONTEXT_TOKENS - 1,
      blocks: Array.from({ length: blocksEach }, (_, i) => slot * blocksEach + i),
    })),
  );
  const steps = [];
  const startMs = performance.now();
  for (let i = 0; i < 5 || performance.now() - startMs < 4000; i++) {
    executor.submit(step);
    const { deviceMs } = await executor.collect();
    const inKernelsMs = profiler?.take() ?? 0;
    if (i >= 5) steps.push({ ms: deviceMs, inKernelsMs });
  }
  await executor.dispose();
  return { callCount: engine.plan.ops.length + 1, steps }; // one more: the sampler
}
