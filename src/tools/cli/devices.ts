/** `aloft devices`: what this machine can run engines on. */
import { cpus, freemem, totalmem } from 'node:os';
import type { Command } from 'commander';
import { AloftError } from '../../core/errors.js';
import { openDriver } from '../../device/cuda/driver.js';
import { gpuCount, MIN_COMPUTE_CAPABILITY, readProperties } from '../../device/cuda/gpu.js';
import { architectureName } from '../../device/cuda/kernel-sources.js';
import { detectIsa, openKernelLibrary } from '../../device/cpu/kernel-library.js';
import { physicalCoreCount } from '../../device/cpu/physical-cores.js';
import { formatBytes, formatTable, type Terminal } from './terminal.js';

export function registerDevices(program: Command, terminal: Terminal): void {
  program
    .command('devices')
    .description('list what engines can run on here')
    .option('--cuda-library-path <folders>', 'where CUDA libraries lie, separated by colons')
    .action(({ cudaLibraryPath }: { readonly cudaLibraryPath?: string }) => {
      terminal.out(`${formatTable(cpuRows())}\n\n${gpuReport(cudaLibraryPath)}\n`);
    });
}

/** The GPUs as a table, or one sentence that says why there is none. */
function gpuReport(libraryPath: string | undefined): string {
  try {
    const driver = openDriver(libraryPath);
    const gpus = Array.from({ length: gpuCount(driver) }, (_, ordinal) => readProperties(driver, ordinal));
    const rows = gpus.map((gpu) => [
      String(gpu.ordinal),
      gpu.name,
      architectureName(gpu.computeCapability),
      String(gpu.multiprocessorCount),
      formatBytes(gpu.totalBytes),
      `${Math.floor(gpu.driverCudaVersion / 1000)}.${(gpu.driverCudaVersion % 1000) / 10}`,
      gpu.computeCapability >= MIN_COMPUTE_CAPABILITY ? 'yes' : 'no: compute capability 8.0 is needed',
    ]);
    return formatTable([['gpu', 'name', 'arch', 'SMs', 'memory', 'CUDA', 'usable'], ...rows]);
  } catch (fault) {
    if (fault instanceof AloftError) return fault.message;
    throw fault;
  }
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
