/**
 * The kernels of exchanges between GPUs, compiled for the CPU: ranks are threads that store into each other's memory word by word.
 * It shows that the protocol ends and leaves the right bits; it says nothing about a GPU's memory model.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';

const KERNELS = fileURLToPath(new URL('../../src/ops/exchange/', import.meta.url));
const EMULATION = fileURLToPath(new URL('emulation/', import.meta.url));
const FILES = ['exchange.cuh', 'all-reduce.cu', 'reduce-norm.cu', 'all-gather.cu', 'tokens.cu'];

let folder;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'aloft-emulation-'));
  mkdirSync(join(folder, 'exchange'));
  for (const file of FILES) {
    // Blocks of 8 threads, which are threads of the system here, and looks at the clock after every few polls.
    const text = readFileSync(join(KERNELS, file), 'utf8')
      .replaceAll(/(#define \w+_THREADS) \d+/g, '$1 8')
      .replace(/(#define POLLS_BETWEEN_LOOKS) \d+/, '$1 4');
    writeFileSync(join(folder, 'exchange', file), text);
  }
  const includes = [...FILES.map((file) => `exchange/${file}`), 'main.h'];
  writeFileSync(join(folder, 'main.cpp'), includes.map((file) => `#include "${file}"\n`).join(''));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test.each([2, 3, 4])('%i ranks exchange the right bits in rounds of changing sizes', (ranks) => {
  const program = join(folder, `ranks-${ranks}`);
  const flags = [
    '-std=c++20',
    '-O1',
    '-pthread',
    `-DRANKS=${ranks}`,
    '-DHIDDEN=48',
    `-I${EMULATION}`,
    `-I${folder}`,
  ];
  const compiled = spawnSync('g++', [...flags, '-o', program, join(folder, 'main.cpp')], {
    encoding: 'utf8',
  });
  expect(compiled.stderr.split('\n').filter((line) => line.includes('error'))).toEqual([]);
  const { stdout, status } = spawnSync(program, { encoding: 'utf8' });
  expect([stdout, status]).toEqual(['0 differences\n', 0]);
});
