import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const INCLUDE = '#include "prelude.cuh"';
/** Kernel sources ship with the package, beside the TypeScript sources. */
const opsFolder = new URL('../../../src/ops/', import.meta.url);

/** A kernel file with the prelude in place of its include, so that compilers need no include path. */
export function readKernelSource(path: string): string {
  const read = (file: string): string => readFileSync(fileURLToPath(new URL(file, opsFolder)), 'utf8');
  return read(path).replace(INCLUDE, read('cuda/prelude.cuh').replace('#pragma once', ''));
}
