import { readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { kernelSource } from './kernel-files.js';

const OPS = fileURLToPath(new URL('../../../src/ops/', import.meta.url));
const FILES = readdirSync(OPS, { recursive: true, encoding: 'utf8' }).filter((path) => /\.cuh?$/.test(path));

test('a source comes with the files that it includes, and with those that they include', () => {
  const { source, headers } = kernelSource(['cuda/limits.cu', 'rope/rope-8bit.cu'], ['LINE(1)']);
  expect(source).toBe('#include "cuda/limits.cu"\n#include "rope/rope-8bit.cu"\nLINE(1)\n');
  expect([...headers.keys()].toSorted()).toEqual([
    'cuda/act.cuh',
    'cuda/int8.cuh',
    'cuda/launch.cuh',
    'cuda/limits.cu',
    'cuda/memory.cuh',
    'cuda/types.cuh',
    'paged-attention/kv-cache.cuh',
    'rope/args.cuh',
    'rope/rope-8bit.cu',
  ]);
  expect(headers.get('cuda/limits.cu')).toBe(readFileSync(`${OPS}cuda/limits.cu`, 'utf8'));
});

test.each(FILES)('%s includes files by their paths in src/ops, and a header is included once', (path) => {
  const text = kernelSource([path]).headers.get(path)!;
  for (const [, name] of text.matchAll(/#\s*include\s*(.*)/g)) expect(FILES).toContain(name!.slice(1, -1));
  if (path.endsWith('.cuh')) expect(text).toMatch(/^#pragma once$/m);
});

test('editor.h declares every CUDA name with two underscores that kernels use', () => {
  const declared = readFileSync(`${OPS}cuda/editor.h`, 'utf8');
  const names = FILES.flatMap((path) => readFileSync(OPS + path, 'utf8').match(/\b__[a-z]\w*/g) ?? []);
  for (const name of new Set(names)) expect(declared).toMatch(new RegExp(`\\b${name}\\b`));
});

test.each(FILES)(
  '%s needs no header of a C library, which NVRTC does not have and nvcc includes by itself',
  (path) => {
    const text = readFileSync(OPS + path, 'utf8');
    expect(
      text.match(/\b(INFINITY|NAN|HUGE_VALF?|M_PI|(FLT|DBL|INT|UINT|LONG)_(MAX|MIN|EPSILON)|u?int\d+_t)\b/g),
    ).toBeNull();
  },
);
