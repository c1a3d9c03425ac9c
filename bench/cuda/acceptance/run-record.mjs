/**
 * The record of an acceptance run: one commit, one machine, one command, and every part with its outcome. It is a file of
 * its own, which becomes a result by being copied into bench/results/cuda.
 */
import { spawnSync } from 'node:child_process';

/**
 * @param record what every benchmark says of its machine (dist/tools/bench/machine.js)
 * @param devices what `aloft devices` printed
 * @param smi what nvidia-smi printed for `driver_version,memory.total`; empty where it is not installed
 */
export function machineOf({ record, devices, smi }) {
  const [, gpu = null, architecture = null] = /^cuda:0 +(.*?) +(sm_\d+a?) /m.exec(devices) ?? [];
  const versionOf = (library) => new RegExp(`^${library} +([\\d.]+) `, 'm').exec(devices)?.[1] ?? null;
  const [driver = null, memoryMiB = null] = smi.split('\n')[0].split(',').filter(Boolean);
  return {
    gpu,
    architecture,
    driver,
    cuda: versionOf('CUDA driver'),
    cublasLt: versionOf('cuBLASLt'),
    nvrtc: versionOf('NVRTC'),
    memoryMiB: memoryMiB === null ? null : Number(memoryMiB),
    hostCores: record.coreCount,
    cpu: record.cpu,
    node: record.node,
  };
}

export function queryDriver() {
  const words = ['--query-gpu=driver_version,memory.total', '--format=csv,noheader,nounits'];
  return spawnSync('nvidia-smi', words, { encoding: 'utf8' }).stdout ?? '';
}

/** Name of the record's file: GPU, commit and time of the start, such as `h200-571b47f-20261126T044526.json`. */
export function fileNameOf({ machine, commit, date }) {
  const gpu = /\b([a-z]*\d+[a-z]*)\b/i.exec(machine.gpu ?? '')?.[1]?.toLowerCase() ?? 'no-gpu';
  return `${gpu}-${commit}-${date.replaceAll(/[-:]|\..*/g, '')}.json`;
}

/** The command without the folders of one machine. */
export function commandOf({ only, seconds }) {
  const words = ['node bench/cuda/acceptance.mjs', '--seconds', seconds];
  return (only === undefined ? words : [...words, '--only', only]).join(' ');
}
