import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import koffi from 'koffi';
import { afterAll, describe, expect, it } from 'vitest';
import { quantiseRow } from '../../ops/linear/reference.js';
import { INT8_OFFSET, tileOffset } from '../../ops/linear/cuda/tiles.js';
import type { Mapped } from '../../ops/cuda/mapped.js';
import { Struct } from '../../ops/struct.js';
import { createCpuPool } from '../cpu/kernel-library.js';
import { createCudaWeightLayout } from './cuda-weight-layout.js';
import { LAUNCH_LAYOUT } from './driver-api.js';
import { createPacker } from './kernels.js';
import { libraryCandidates } from './library-search.js';
import type { CudaDriver } from './driver.js';
import { createTensorMapEncoder, TENSOR_MAP_BYTES } from './tensor-map.js';
import { INT8_PER_CHANNEL } from '../../plan/weight-format.js';

const CUDA_HEADER = ['/usr/local/cuda/include/cuda.h', '/usr/local/cuda-13.0/include/cuda.h'].find(
  existsSync,
);

const folder = mkdtempSync(join(tmpdir(), 'aloft-cuda-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('launch structures', () => {
  it.skipIf(CUDA_HEADER === undefined)(
    'have the layout of cuda.h [needs it: install the CUDA toolkit 13.0]',
    () => {
      const source = `#include "${CUDA_HEADER}"
#include <cstddef>
#include <cstdio>
int main() {
  printf("%zu %zu %zu %zu %zu %zu %zu %zu %zu", sizeof(CUlaunchConfig), offsetof(CUlaunchConfig, gridDimX), offsetof(CUlaunchConfig, blockDimX),
    offsetof(CUlaunchConfig, sharedMemBytes), offsetof(CUlaunchConfig, hStream), offsetof(CUlaunchConfig, attrs), offsetof(CUlaunchConfig, numAttrs),
    sizeof(CUlaunchAttribute), offsetof(CUlaunchAttribute, value));
}`;
      writeFileSync(join(folder, 'layout.cpp'), source);
      const program = join(folder, 'layout');
      expect(spawnSync('g++', ['-o', program, join(folder, 'layout.cpp')]).status).toBe(0);
      const printed = spawnSync(program, { encoding: 'utf8' }).stdout.split(' ').map(Number);
      expect(printed).toEqual(Object.values(LAUNCH_LAYOUT));
    },
  );

  it('are packed with one parameter, a struct that begins where a tensor map may', () => {
    const packer = createPacker();
    const map = Uint8Array.from({ length: TENSOR_MAP_BYTES }, (_, i) => i);
    const struct = new Struct('Args', 'nowhere.cu', { count: 'i32', map: 'tensorMap', at: 'address' });
    const args = struct.of({ at: 0x7f1234567890, map, count: -5 });
    const size = { grid: [7, 8, 9], blockThreads: 96, sharedBytes: 1024 } as const;
    packer.pack({ unit: 'u', kernel: 'k', ...size, args }, 0x55aa, true);
    const config = new DataView(koffi.view(BigInt(packer.configAddress), LAUNCH_LAYOUT.configBytes));
    expect([0, 4, 8, 12, 16, 20, 24].map((at) => config.getUint32(at, true))).toEqual([
      7, 8, 9, 96, 1, 1, 1024,
    ]);
    expect(config.getBigUint64(LAUNCH_LAYOUT.streamOffset, true)).toBe(0x55aan);
    expect(config.getUint32(LAUNCH_LAYOUT.attributeCountOffset, true)).toBe(1);
    const [at] = new BigUint64Array(koffi.view(BigInt(packer.parametersAddress), 8));
    expect(at! % 64n).toBe(0n);
    const bytes = new Uint8Array(koffi.view(at!, struct.byteLength));
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    expect(view.getInt32(0, true)).toBe(-5);
    expect(bytes.slice(64, 192)).toEqual(map);
    expect(view.getBigUint64(192, true)).toBe(0x7f1234567890n);
  });

  it('are refused when a struct is too large', () => {
    const names = Array.from({ length: 9 }, (_, i) => [`map${i}`, 'tensorMap'] as const);
    const struct = new Struct('Large', 'nowhere.cu', Object.fromEntries(names));
    const size = { grid: [1, 1, 1], blockThreads: 32, sharedBytes: 0 } as const;
    const launch = { unit: 'u', kernel: 'k', ...size, args: struct.of({}) };
    expect(() => createPacker().pack(launch, 0, false)).toThrow('Large takes 1152 bytes');
  });
});

describe('tensor maps', () => {
  /** Arguments of the driver's call, arrays read from where it would read them. */
  const encoded = (mapped: Mapped) => {
    const seen: Record<string, unknown>[] = [];
    const call = (_name: string, ...args: number[]) => {
      const [target, type, rank, address, sizes, strides, box, steps, interleave, swizzle] = args;
      const words = (at: number, count: number) => [...new Uint32Array(koffi.view(BigInt(at), 4 * count))];
      const longs = (at: number, count: number) =>
        [...new BigUint64Array(koffi.view(BigInt(at), 8 * count))].map(Number);
      seen.push({
        type,
        address,
        interleave,
        swizzle,
        isAligned: target! % 64 === 0,
        sizes: longs(sizes!, rank!),
        strides: longs(strides!, rank! - 1),
        box: words(box!, rank!),
        steps: words(steps!, rank!),
      });
    };
    const tensorMap = createTensorMapEncoder({ call } as unknown as CudaDriver);
    expect(tensorMap(mapped)).toHaveLength(TENSOR_MAP_BYTES);
    expect(tensorMap({ ...mapped })).toBe(tensorMap(mapped));
    expect(seen).toHaveLength(1);
    return seen[0];
  };

  it('say rows of 16-bit values in swizzled boxes of 64 columns', () => {
    const matrix = { address: 4096, rows: 300, columns: 200, boxRows: 192, dtype: 'bf16' } as const;
    expect(encoded(matrix)).toEqual({
      type: 9,
      address: 4096,
      interleave: 0,
      swizzle: 3,
      isAligned: true,
      sizes: [200, 300],
      strides: [400],
      box: [64, 192],
      steps: [1, 1],
    });
  });

  it('say several boxes beside each other as a third dimension', () => {
    const matrix = { address: 4096, rows: 16, columns: 256, boxRows: 8, boxCount: 4, dtype: 'f16' } as const;
    expect(encoded(matrix)).toMatchObject({
      type: 6,
      swizzle: 3,
      sizes: [64, 16, 4],
      strides: [512, 128],
      box: [64, 8, 4],
      steps: [1, 1, 1],
    });
  });

  it('say int8 tiles of 1,024 bytes as words, in boxes of some along k and some along rows', () => {
    const box = { down: 12, across: 2 };
    expect(encoded({ address: 8192, down: 7, across: 172, tileBytes: 1024, box })).toEqual({
      type: 2,
      address: 8192,
      interleave: 0,
      swizzle: 0,
      isAligned: true,
      sizes: [256, 172, 7],
      strides: [1024, 172 * 1024],
      box: [256, 2, 12],
      steps: [1, 1, 1],
    });
  });

  it('say larger tiles as double words, because a box has at most 256 of them', () => {
    const box = { down: 4, across: 2 };
    expect(encoded({ address: 8192, down: 7, across: 32, tileBytes: 1056, box })).toMatchObject({
      type: 4,
      sizes: [132, 32, 7],
      strides: [1056, 32 * 1056],
      box: [132, 2, 4],
    });
  });
});

describe('libraryCandidates', () => {
  it('prefers given folders and ends with what the loader knows', () => {
    writeFileSync(join(folder, 'libnvrtc.so.13'), '');
    const candidates = libraryCandidates('nvrtc', `/none:${folder}`);
    expect(candidates[0]).toBe(join(folder, 'libnvrtc.so.13'));
    expect(candidates).toContain('libnvrtc.so.13');
  });
});

describe('CUDA weight layout', () => {
  it('quantises as the reference does and lays tiles out for the kernels', () => {
    const pool = createCpuPool({ threadCount: 2 });
    const layout = createCudaWeightLayout(pool);
    const [rows, columns] = [37, 130];
    const data = Float32Array.from({ length: rows * columns }, (_, i) => Math.sin(i * 1.7));
    const source = { parts: [] };
    const weight = {
      shape: [rows, columns],
      format: INT8_PER_CHANNEL,
      source,
    } as const;
    const specs = layout.specs('w', weight, 'linear');
    expect(specs.map(({ name, shape }) => [name, shape])).toEqual([
      ['w', [3, 3, 1024]],
      ['w.scale', [rows]],
    ]);
    const targets = [new Uint8Array(new ArrayBuffer(9 * 1024)), new Uint8Array(new ArrayBuffer(rows * 4))];
    layout.pack(
      { kind: 'dense', tensor: { dtype: 'f32', shape: weight.shape, bytes: new Uint8Array(data.buffer) } },
      weight,
      'linear',
      targets,
    );
    const scales = new Float32Array(targets[1]!.buffer);
    let misplaced = 0;
    for (let row = 0; row < rows; row++) {
      const expected = quantiseRow(data.subarray(row * columns, (row + 1) * columns));
      expect(scales[row]).toBe(expected.scale);
      for (let column = 0; column < columns; column++)
        if (targets[0]![tileOffset(row, column, columns)]! - INT8_OFFSET !== expected.quantised[column])
          misplaced++;
    }
    expect(misplaced).toBe(0);
    expect(targets[0]![tileOffset(rows, 0, columns)]).toBe(INT8_OFFSET);
    pool.dispose();
  });
});
