/**
 * Memory and time that a build of a checkpoint takes, by weight format:
 *
 *   node scripts/write-random-checkpoint.mjs llama2_7b CHECKPOINT
 *   node bench/build/memory.mjs CHECKPOINT [--only float16,int8] [--device cpu] [--arch sm_90a] [--cuda-library-path FOLDERS] [--output FILE]
 *
 * Memory is the anonymous part of what the process has at most, as the build prints it: pages of files that are mapped can be
 * taken away at any time. Each engine goes to a temporary folder and is deleted. Exit status 1 when a format takes over 3 GB.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { machineRecord } from '../../dist/tools/bench/machine.js';

const MOST_BYTES = 3e9;
const FORMATS = {
  float16: ['--dtype', 'float16'],
  bfloat16: ['--dtype', 'bfloat16'],
  int8: ['--use_weight_only'],
  int4: ['--quantization', 'int4'],
  int4_g32_zeros: ['--quantization', 'int4_g32_zeros'],
  fp8: ['--quantization', 'fp8'],
};
const UNITS = { B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 };

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    only: { type: 'string', default: Object.keys(FORMATS).join() },
    device: { type: 'string', default: 'cpu' },
    arch: { type: 'string' },
    'cuda-library-path': { type: 'string' },
    output: { type: 'string' },
  },
});
const [checkpoint] = positionals;
if (checkpoint === undefined) {
  console.error(
    'usage: node bench/build/memory.mjs CHECKPOINT [--only FORMATS] [--device cpu] [--output FILE]',
  );
  process.exit(2);
}
const ALOFT = fileURLToPath(new URL('../../bin/aloft.js', import.meta.url));
const place = ['arch', 'cuda-library-path'].flatMap((name) =>
  flags[name] === undefined ? [] : [`--${name}`, flags[name]],
);
const rows = [];
for (const format of flags.only.split(',')) {
  const folder = mkdtempSync(join(tmpdir(), 'aloft-build-memory-'));
  const words = ['build', '--model_dir', checkpoint, ...FORMATS[format], '--device', flags.device, ...place];
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    [ALOFT, ...words, '--output_dir', join(folder, 'engine')],
    {
      encoding: 'utf8',
    },
  );
  rmSync(folder, { recursive: true, force: true });
  const found = /built in ([\d.]+) s; peak memory ([\d.]+) (\w+)/.exec(stdout + stderr);
  if (status !== 0 || found === null) throw new Error(`${format}: ${stderr.trim().split('\n').at(-1)}`);
  const [, seconds, amount, unit] = found;
  rows.push({
    format,
    seconds: Number(seconds),
    peakAnonymousBytes: Math.round(Number(amount) * UNITS[unit]),
  });
  console.log(JSON.stringify(rows.at(-1)));
}
if (flags.output !== undefined) {
  const command = ['node', 'bench/build/memory.mjs', 'CHECKPOINT', ...process.argv.slice(3)];
  writeFileSync(flags.output, `${JSON.stringify({ machine: machineRecord(command), rows }, null, 2)}\n`);
}
if (rows.some(({ peakAnonymousBytes }) => peakAnonymousBytes > MOST_BYTES)) process.exitCode = 1;
