import { describe, expect, test } from 'vitest';
import { PARTS } from './parts.mjs';
import { partsToRun } from './parts-to-run.mjs';
import { commandOf, fileNameOf, machineOf } from './run-record.mjs';

const names = (parts) => parts.map(({ name }) => name);

describe('parts', () => {
  test('come after what they need, and have names of their own', () => {
    expect(new Set(names(PARTS)).size).toBe(PARTS.length);
    for (const [at, { needs = [] }] of PARTS.entries())
      expect(names(PARTS.slice(0, at))).toEqual(expect.arrayContaining(needs));
  });

  test('run all by default, and the wanted ones after what they need', () => {
    expect(partsToRun(PARTS, undefined, [])).toBe(PARTS);
    expect(names(partsToRun(PARTS, ['int8-untuned', 'memcheck'], []))).toEqual([
      'memcheck',
      'build-int8',
      'int8-short',
      'int8-untuned',
    ]);
  });

  test('do not run again what is done, unless it is wanted', () => {
    expect(names(partsToRun(PARTS, ['fp16-long'], ['build-fp16']))).toEqual(['fp16-long']);
    expect(names(partsToRun(PARTS, ['build-fp16'], ['build-fp16']))).toEqual(['build-fp16']);
  });

  test('must be there', () => {
    expect(() => partsToRun(PARTS, ['speed'], [])).toThrow(/There is no part speed; parts are devices, demo/);
  });
});

describe('the record', () => {
  const record = { coreCount: 16, cpu: 'Xeon', node: 'v20.20.2' };
  const devices = `device  name                        cores  kernels  memory     free
cpu     Intel(R) Xeon(R) Processor  16     amx      125.9 GiB  125.1 GiB

device  name         architecture  multiprocessors  memory     usable
cuda:0  NVIDIA H200  sm_90a        132              139.8 GiB  yes

library      version  for
CUDA driver  13.0     runs engines
cuBLASLt     13.1     runs engines
NVRTC        13.0     builds engines`;

  test('names the machine', () => {
    expect(machineOf({ record, devices, smi: '580.159.04, 143771\n' })).toEqual({
      gpu: 'NVIDIA H200',
      architecture: 'sm_90a',
      driver: '580.159.04',
      cuda: '13.0',
      cublasLt: '13.1',
      nvrtc: '13.0',
      memoryMiB: 143771,
      hostCores: 16,
      cpu: 'Xeon',
      node: 'v20.20.2',
    });
    expect(machineOf({ record, devices: 'No CUDA GPU.', smi: '' })).toMatchObject({
      gpu: null,
      driver: null,
      memoryMiB: null,
    });
  });

  test('is in a file of its own for each run', () => {
    const [commit, date] = ['571b47f', '2026-11-26T04:45:26.070Z'];
    const nameOf = (gpu) => fileNameOf({ machine: { gpu }, commit, date });
    expect(nameOf('NVIDIA H200')).toBe('h200-571b47f-20261126T044526.json');
    expect(nameOf('NVIDIA H100 80GB HBM3')).toBe('h100-571b47f-20261126T044526.json');
    expect(nameOf(null)).toBe('no-gpu-571b47f-20261126T044526.json');
  });

  test('names the command without folders', () => {
    expect(commandOf({ seconds: '540', only: 'demo,tests', out: '/a', work: '/b' })).toBe(
      'node bench/cuda/acceptance.mjs --seconds 540 --only demo,tests',
    );
  });
});
