/** `aloft devices`: what this machine can run engines on. */
import { cpus, freemem, totalmem } from 'node:os';
import type { Command } from 'commander';
import { detectIsa, openKernelLibrary } from '../../device/cpu/kernel-library.js';
import { physicalCoreCount } from '../../device/cpu/physical-cores.js';
import { formatBytes, formatTable, type Terminal } from './terminal.js';

export function registerDevices(program: Command, terminal: Terminal): void {
  program
    .command('devices')
    .description('list what engines can run on here')
    .action(() => terminal.out(`${formatTable(cpuRows())}\n`));
}

function cpuRows(): string[][] {
  return [
    ['device', 'name', 'cores', 'kernels', 'memory', 'free'],
    [
      'cpu',
      cpus()[0]?.model.trim() ?? process.arch,
      String(physicalCoreCount()),
      detectIsa(openKernelLibrary()),
      formatBytes(totalmem()),
      formatBytes(freemem()),
    ],
  ];
}
