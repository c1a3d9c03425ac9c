/** `aloft engine check` and `aloft engine show`. */
import type { Command } from 'commander';
import { AloftError } from '../../core/errors.js';
import { checkEngine } from '../../run/executor/opening/check-engine.js';
import { readManifest } from '../../engine/manifest.js';
import { openRank } from '../../run/executor/opening/open-rank.js';
import type { KernelFacts } from '../../device/cuda/kernel-facts.js';
import { printPlan } from '../../plan/print.js';
import { describeKernels } from '../engine/describe-kernels.js';
import { describeTensors, manifestRows, type StoredTensor } from '../engine/describe.js';
import { wholeNumber } from './flags.js';
import { plural, formatBytes, formatTable, jsonText, type Terminal } from './terminal.js';

export function registerEngine(engine: Command, terminal: Terminal): void {
  engine
    .command('check')
    .description(
      'check an engine as it is checked when it is opened, and compare every byte with its checksums',
    )
    .argument('<dir>', 'the engine')
    .option('--json', 'print the result as JSON')
    .action((directory: string, { json = false }: { json?: boolean }) => check(directory, json, terminal));
  engine
    .command('show')
    .description('print what an engine is: limits, tensors, and with --plan its ops')
    .argument('<dir>', 'the engine')
    .option('--rank <rank>', 'whose plan and tensors', wholeNumber(0), 0)
    .option('--plan', 'print its ops, too')
    .option('--json', 'print manifest, plan and tensors as JSON')
    .action((directory: string, flags: ShowFlags) => show(directory, flags, terminal));
}

interface ShowFlags {
  readonly rank: number;
  readonly plan?: true;
  readonly json?: true;
}

function check(directory: string, isJson: boolean, terminal: Terminal): void {
  const startMs = performance.now();
  const { aloft } = checkEngine(directory);
  if (isJson) {
    terminal.out(jsonText({ directory, isWhole: true, ranks: aloft.ranks }));
    return;
  }
  const rows = aloft.ranks.map(({ file, bytes }) => [
    file,
    formatBytes(bytes),
    'size, header and all data match their checksums, plan and tensors fit each other',
  ]);
  const totalBytes = aloft.ranks.reduce((sum, { bytes }) => sum + bytes, 0);
  const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
  terminal.out(`${formatTable(rows)}\n`);
  terminal.out(
    `${directory} is whole: ${formatBytes(totalBytes)} in ${plural(aloft.ranks.length, 'file')}, format ${aloft.format_version}, checked in ${seconds} s.\n`,
  );
}

function show(directory: string, { rank, plan, json }: ShowFlags, terminal: Terminal): void {
  const manifest = readManifest(directory);
  const { builder_config: build } = manifest;
  if (rank >= build.tensor_parallel)
    throw new AloftError(
      'USAGE',
      `--rank is ${rank}, but ${directory} has ${plural(build.tensor_parallel, 'rank')}, counted from 0.`,
    );
  const engine = openRank({ engineDirectory: directory, rank, worldSize: build.tensor_parallel });
  try {
    const tensors = engine.tensorNames.map((name) => ({ name, ...engine.tensor(name) }));
    if (json) {
      const kernels = engine.kernelFacts as KernelFacts | undefined;
      terminal.out(jsonText({ manifest, plan: engine.plan, tensors: tensors.map(plainTensor), kernels }));
      return;
    }
    const ops = plan ? `${printPlan(engine.plan)}\n` : '';
    terminal.out(`${formatTable(manifestRows(manifest))}\n\n${ops}${describeTensors(tensors)}\n`);
    if (engine.kernelFacts !== undefined)
      terminal.out(`\n${describeKernels(engine.kernelFacts as KernelFacts)}\n`);
  } finally {
    engine.dispose();
  }
}

const plainTensor = ({ name, dtype, shape }: StoredTensor): StoredTensor => ({ name, dtype, shape });
