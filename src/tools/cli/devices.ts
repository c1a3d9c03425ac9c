/** `aloft devices`: what this machine can run engines on. */
import { freemem, totalmem } from 'node:os';
import type { Command } from 'commander';
import { DEVICE_NAMES, type DeviceName } from '../../core/device.js';
import { cpuName } from '../../device/cpu/cpu-device.js';
import { detectIsa, openKernelLibrary } from '../../device/cpu/kernel-library.js';
import { physicalCoreCount } from '../../device/cpu/physical-cores.js';
import { architectureName, MIN_COMPUTE_CAPABILITY } from '../../device/cuda/architecture.js';
import type { GpuProperties } from '../../device/cuda/gpu.js';
import { type CudaSurvey, surveyCuda } from '../../device/cuda/survey.js';
import { formatBytes, formatTable, type Terminal } from './terminal.js';

export function registerDevices(command: Command, terminal: Terminal): void {
  command
    .option('--cuda-library-path <folders>', 'where CUDA libraries lie, separated by colons')
    .action(({ cudaLibraryPath }: { readonly cudaLibraryPath?: string }) => {
      const texts = DEVICE_NAMES.map((device) => LISTINGS[device](cudaLibraryPath));
      terminal.out(`${texts.join('\n\n')}\n`);
    });
}

/** Prints what this machine has of each kind of device. */
const LISTINGS: Readonly<Record<DeviceName, (cudaLibraryPath: string | undefined) => string>> = {
  cpu: () => formatTable(cpuRows()),
  cuda: (cudaLibraryPath) => cudaText(surveyCuda(cudaLibraryPath)),
};

function cpuRows(): string[][] {
  return [
    ['device', 'name', 'cores', 'kernels', 'memory', 'free'],
    [
      'cpu',
      cpuName(),
      String(physicalCoreCount()),
      detectIsa(openKernelLibrary()),
      formatBytes(totalmem()),
      formatBytes(freemem()),
    ],
  ];
}

/** GPUs, CUDA's parts, and what is missing. */
export function cudaText({ gpus, driver, nvrtc, cublasLt, missing }: CudaSurvey): string {
  const parts = [
    ['CUDA driver', driver ?? '-', 'runs engines'],
    ['cuBLASLt', cublasLt ?? '-', 'runs engines'],
    ['NVRTC', nvrtc ?? '-', 'builds engines'],
  ];
  const header = ['device', 'name', 'architecture', 'multiprocessors', 'memory', 'usable'];
  const list = gpus.length === 0 ? 'No CUDA GPU.' : formatTable([header, ...gpus.map(gpuRow)]);
  const table = formatTable([['library', 'version', 'for'], ...parts]);
  return [list, '', table, ...missing.map((sentence) => `Missing: ${sentence}`)].join('\n');
}

function gpuRow(gpu: GpuProperties): string[] {
  const isUsable = gpu.computeCapability >= MIN_COMPUTE_CAPABILITY;
  return [
    `cuda:${gpu.ordinal}`,
    gpu.name,
    architectureName(gpu.computeCapability),
    String(gpu.multiprocessorCount),
    formatBytes(gpu.totalBytes),
    isUsable ? 'yes' : 'no, compute capability 8.0 or later is needed',
  ];
}
