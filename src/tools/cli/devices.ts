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
import { formatBytes, formatTable, jsonText, type Terminal } from './terminal.js';

export function registerDevices(command: Command, terminal: Terminal): void {
  command
    .option('--cuda-library-path <folders>', 'where CUDA libraries lie, separated by colons')
    .option('--json', 'print all facts as JSON')
    .action(({ cudaLibraryPath, json }: { readonly cudaLibraryPath?: string; readonly json?: true }) => {
      if (json) {
        terminal.out(jsonText({ cpu: cpuFacts(), cuda: surveyCuda(cudaLibraryPath) }));
        return;
      }
      const texts = DEVICE_NAMES.map((device) => LISTINGS[device](cudaLibraryPath));
      terminal.out(`${texts.join('\n\n')}\n`);
    });
}

/** Prints what this machine has of each kind of device. */
const LISTINGS: Readonly<Record<DeviceName, (cudaLibraryPath: string | undefined) => string>> = {
  cpu: () => formatTable(cpuRows()),
  cuda: (cudaLibraryPath) => cudaText(surveyCuda(cudaLibraryPath)),
};

function cpuFacts() {
  return {
    name: cpuName(),
    coreCount: physicalCoreCount(),
    kernels: detectIsa(openKernelLibrary()),
    memoryBytes: totalmem(),
    freeBytes: freemem(),
  };
}

function cpuRows(): string[][] {
  const { name, coreCount, kernels, memoryBytes, freeBytes } = cpuFacts();
  return [
    ['device', 'name', 'cores', 'kernels', 'memory', 'free'],
    ['cpu', name, String(coreCount), kernels, formatBytes(memoryBytes), formatBytes(freeBytes)],
  ];
}

/** GPUs, CUDA's parts, and what is missing. */
export function cudaText(survey: CudaSurvey): string {
  const { gpus, driver, nvrtc, cublasLt, missing } = survey;
  const parts = [
    ['CUDA driver', driver ?? '-', 'runs engines'],
    ['cuBLASLt', cublasLt ?? '-', 'runs engines'],
    ['NVRTC', nvrtc ?? '-', 'builds engines'],
  ];
  const header = ['device', 'name', 'architecture', 'multiprocessors', 'memory', 'uuid', 'usable'];
  const list = gpus.length === 0 ? 'No CUDA GPU.' : formatTable([header, ...gpus.map(gpuRow)]);
  const table = formatTable([['library', 'version', 'for'], ...parts]);
  return [list, ...rankLines(survey), '', table, ...missing.map((sentence) => `Missing: ${sentence}`)].join(
    '\n',
  );
}

/** Line on the way between ranks on several GPUs. */
function rankLines({ gpus, apart, nccl }: CudaSurvey): string[] {
  if (gpus.length < 2) return [];
  if (apart.length === 0)
    return [
      "Ranks on these GPUs exchange over each other's memory, if it proves to work when an engine opens.",
    ];
  const pairs = apart.map(([a, b]) => `${a} and ${b}`).join(', ');
  const way = nccl === undefined ? 'NCCL, which is missing' : `NCCL ${nccl}`;
  return [`These GPUs do not reach each other's memory: ${pairs}. Ranks on them exchange by ${way}.`];
}

function gpuRow(gpu: GpuProperties): string[] {
  const isUsable = gpu.computeCapability >= MIN_COMPUTE_CAPABILITY;
  return [
    `cuda:${gpu.ordinal}`,
    gpu.name,
    architectureName(gpu.computeCapability),
    String(gpu.multiprocessorCount),
    formatBytes(gpu.totalBytes),
    gpu.uuid,
    isUsable ? 'yes' : 'no, compute capability 8.0 or later is needed',
  ];
}
