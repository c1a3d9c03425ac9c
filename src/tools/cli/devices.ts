/** `aloft devices`: what this machine can run engines on. */
import { freemem, totalmem } from 'node:os';
import type { Command } from 'commander';
import { DEVICE_NAMES, type DeviceName } from '../../core/device.js';
import { cpuName } from '../../device/cpu/cpu-device.js';
import { detectIsa, openKernelLibrary } from '../../device/cpu/kernel-library.js';
import { physicalCoreCount } from '../../device/cpu/physical-cores.js';
import { architectureName, MIN_COMPUTE_CAPABILITY } from '../../device/cuda/architecture.js';
import type { GpuProperties } from '../../device/cuda/gpu.js';
import { type LinkSurvey, surveyLinks } from '../../device/cuda/gpu-links.js';
import { type CudaSurvey, surveyCuda } from '../../device/cuda/survey.js';
import { linksText } from './gpu-links.js';
import { formatBytes, formatTable, jsonText, type Terminal } from './terminal.js';

export function registerDevices(command: Command, terminal: Terminal): void {
  command
    .option('--cuda-library-path <folders>', 'where CUDA libraries lie, separated by colons')
    .option('--json', 'print all facts as JSON')
    .action(({ cudaLibraryPath, json }: { readonly cudaLibraryPath?: string; readonly json?: true }) => {
      if (json) {
        const cuda = surveyCuda(cudaLibraryPath);
        const links = surveyLinks(cuda.gpus, cudaLibraryPath);
        terminal.out(jsonText({ cpu: cpuFacts(), cuda: { ...cuda, links } }));
        return;
      }
      const texts = DEVICE_NAMES.map((device) => LISTINGS[device](cudaLibraryPath));
      terminal.out(`${texts.join('\n\n')}\n`);
    });
}

/** Prints what this machine has of each kind of device. */
const LISTINGS: Readonly<Record<DeviceName, (cudaLibraryPath: string | undefined) => string>> = {
  cpu: () => formatTable(cpuRows()),
  cuda: (cudaLibraryPath) => {
    const survey = surveyCuda(cudaLibraryPath);
    return cudaText(survey, surveyLinks(survey.gpus, cudaLibraryPath));
  },
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

/** GPUs and their links, CUDA's parts, and what is missing. */
export function cudaText(survey: CudaSurvey, links: LinkSurvey): string {
  const { gpus, driver, nvrtc, cublasLt, missing } = survey;
  const parts = [
    ['CUDA driver', driver ?? '-', 'runs engines'],
    ['cuBLASLt', cublasLt ?? '-', 'runs engines'],
    ['NVRTC', nvrtc ?? '-', 'builds engines'],
  ];
  const header = ['device', 'name', 'architecture', 'multiprocessors', 'memory', 'uuid', 'usable'];
  const list = gpus.length === 0 ? 'No CUDA GPU.' : formatTable([header, ...gpus.map(gpuRow)]);
  const table = formatTable([['library', 'version', 'for'], ...parts]);
  const linkLines = linksText(links);
  const between = linkLines.length === 0 ? [''] : ['', ...linkLines, ''];
  return [list, ...between, table, ...missing.map((sentence) => `Missing: ${sentence}`)].join('\n');
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
