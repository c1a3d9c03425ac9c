/**
 * Times every configuration of the wide kernels for LLaMA-2-7B's linear layers, in 16 and in 8 bits, from a bundle:
 *
 *   <bundle>/node <bundle>/app/bench/cuda/linear-times.mjs [--format int8|fp8] [--out DIR] [--rows 64,256,1024] [--all]
 *     [--cuda-library-path FOLDERS]
 *
 * A table by rows and layer: the fastest of each method, and what it makes in 10^12 operations a second; with --all every
 * configuration in the order of its time. Inputs in 8 bits include their rounding, but for qkv and fc_gate, whose norms round them. The record goes to DIR/linear-times.json.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createLinearTimer } from '../../dist/builder/cuda/linear-timer.js';
import { openGpu } from '../../dist/device/cuda/gpu.js';
import { openNvrtc } from '../../dist/device/cuda/nvrtc.js';
import { configKey } from '../../dist/ops/linear/cuda/keys.js';
import { WIDE } from '../../dist/ops/linear/cuda/wide.js';
import { WIDE8, WIDEF8 } from '../../dist/ops/linear/cuda/wide8.js';
import { wideConfigs } from '../../dist/ops/linear/cuda/wide-method.js';
import { NAMED_FORMATS } from '../../dist/plan/weight-format.js';
import { machineRecord } from '../../dist/tools/bench/machine.js';

const { values: flags } = parseArgs({
  options: {
    format: { type: 'string', default: 'int8' },
    out: { type: 'string', default: 'linear-times' },
    rows: { type: 'string', default: '64,128,192,256,384,512,768,1024,2048,4096,8192' },
    all: { type: 'boolean', default: false },
    'cuda-library-path': { type: 'string' },
  },
});
const LAYERS = [
  { name: 'qkv', n: 12288, k: 4096, epilogue: 'store', inputIsRounded: true },
  { name: 'dense', n: 4096, k: 4096, epilogue: 'store' },
  { name: 'fc_gate', n: 22016, k: 4096, epilogue: 'swiglu', inputIsRounded: true },
  { name: 'proj', n: 4096, k: 11008, epilogue: 'store' },
];
const CODES = { inputBits: 8 };
const METHODS = [
  { kind: WIDE, input: {} },
  { kind: flags.format === 'fp8' ? WIDEF8 : WIDE8, input: CODES },
];
const format = NAMED_FORMATS[flags.format];

const libraryPath = flags['cuda-library-path'];
const gpu = openGpu(0, libraryPath);
const { multiprocessorCount, name } = gpu.properties;
const tools = { gpu, nvrtc: openNvrtc(libraryPath), dtype: 'f16', libraryPath };
const rows = flags.rows.split(',').map(Number);
const records = [];
for (const { kind, input } of METHODS) {
  const problemOf = (m, { n, k, epilogue, inputIsRounded }) => ({
    ...{ m, n, k, epilogue, format },
    ...input,
    inputIsRounded,
  });
  const problems = rows.flatMap((m) => LAYERS.map((layer) => problemOf(m, layer)));
  const configs = (problem) => wideConfigs(kind, problem, multiprocessorCount);
  const timer = createLinearTimer(tools, problems, configs);
  for (const m of rows)
    for (const layer of LAYERS) {
      const problem = problemOf(m, layer);
      for (const config of configs(problem)) {
        const microseconds = timer.microseconds(problem, config);
        if (microseconds === undefined)
          console.log(`WRONG ${configKey(config, 0)} for ${m} rows of ${layer.name}`);
        else records.push({ rows: m, layer: layer.name, config: configKey(config, 0), microseconds });
      }
    }
}
for (const m of rows) {
  const sums = {};
  for (const { name: layer, n, k } of LAYERS)
    for (const { kind } of METHODS) {
      const sorted = records
        .filter((one) => one.rows === m && one.layer === layer && one.config.startsWith(`${kind.name} `))
        .toSorted((a, b) => a.microseconds - b.microseconds);
      const shown = flags.all ? sorted : sorted.slice(0, 1);
      for (const { config, microseconds } of shown) {
        const rate = ((2 * m * n * k) / microseconds / 1e6).toFixed(0);
        console.log(`${m} ${layer} ${config}: ${microseconds.toFixed(1)} us, ${rate} TOP/s`);
      }
      sums[kind.name] = (sums[kind.name] ?? 0) + (sorted[0]?.microseconds ?? NaN);
    }
  const texts = Object.entries(sums).map(([method, us]) => `${method} ${us.toFixed(1)} us`);
  console.log(`${m} rows, a layer: ${texts.join(', ')}`);
}
gpu.dispose();
mkdirSync(flags.out, { recursive: true });
const record = {
  machine: { ...machineRecord([]), gpu: name },
  command: 'node bench/cuda/linear-times.mjs',
  records,
};
writeFileSync(join(flags.out, 'linear-times.json'), `${JSON.stringify(record, null, 1)}\n`);
