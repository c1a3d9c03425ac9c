/** CUDA kernel files. They ship with the package, in src/ops, and name each other by their paths in that folder. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** A source to compile, with every file that it includes. */
export interface KernelSource {
  readonly source: string;
  /** Text by the name with which it is included, such as `cuda/act.cuh`. */
  readonly headers: ReadonlyMap<string, string>;
}

const folder = new URL('../../../src/ops/', import.meta.url);
const INCLUDE = /^#include "(.+)"$/gm;

/**
 * Source of a unit.
 * @param files kernel files, by their paths in src/ops
 * @param lines lines that make the kernels of this unit, after the files
 */
export function kernelSource(files: readonly string[], lines: readonly string[] = []): KernelSource {
  const source = [...files.map((file) => `#include "${file}"`), ...lines, ''].join('\n');
  const headers = new Map<string, string>();
  readIncludes(source, headers);
  return { source, headers };
}

/** Adds the files that a text includes, and those that they include. */
function readIncludes(text: string, headers: Map<string, string>): void {
  for (const [, name] of text.matchAll(INCLUDE)) {
    if (headers.has(name!)) continue;
    const header = readFileSync(fileURLToPath(new URL(name!, folder)), 'utf8');
    headers.set(name!, header);
    readIncludes(header, headers);
  }
}
