/** Runs kernels of linear layers on the CPU, compiled by a C++ compiler: what LinearCase needs of a GPU. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { addressOf, allocateHost, type HostArea } from '../../../../ffi/memory.js';
import { type NativeFunction, openLibrary } from '../../../../ffi/library.js';
import type { CudaDtype } from '../../../cuda/dtype.js';
import type { KernelLaunch, TensorMap } from '../../../cuda/launch.js';
import type { Mapped } from '../../../cuda/mapped.js';
import type { LaunchSink } from '../../../cuda/sink.js';
import { structMemory } from '../../../struct.js';
import { decodeActivations, encodeActivations } from '../../../testing/activations.js';
import type { LinearMachine } from './linear-machine.js';

/** A kernel file and the line that makes a kernel of it; the struct that the kernel takes. */
export interface HostKernel {
  readonly name: string;
  readonly file: string;
  readonly line?: string;
  readonly struct: string;
}

const SOURCES = fileURLToPath(new URL('../../../../../src/ops', import.meta.url));
/** Headers that on-host.h and on-host-units.h take the place of. */
const REPLACED = ['act', 'async', 'cluster', 'e4m3', 'int8', 'memory', 'mma', 'pairs', 'wgmma'];
/** Bytes before and after every area, which no kernel may write: NaN in both types of activations, so that no result may depend on them. */
const MARGIN_BYTES = 256;
const MARGIN = 0xff;
const MAP_ALIGNMENT = 64;
const compiler = process.env['CXX'] ?? 'g++';

export class HostKernels implements LinearMachine {
  readonly dtype: CudaDtype;
  readonly target = { computeCapability: 90, multiprocessorCount: 3 };
  readonly #run: NativeFunction;
  readonly #areas: { readonly area: HostArea; readonly byteLength: number }[] = [];

  /** @throws an error with what the compiler said */
  constructor(dtype: CudaDtype, kernels: readonly HostKernel[]) {
    this.dtype = dtype;
    const folder = mkdtempSync(join(tmpdir(), 'aloft-on-host-'));
    try {
      mkdirSync(join(folder, 'cuda'));
      for (const name of REPLACED) writeFileSync(join(folder, 'cuda', `${name}.cuh`), '');
      const [source, library] = [join(folder, 'kernels.cpp'), join(folder, 'kernels.so')];
      writeFileSync(source, sourceOf(kernels));
      const flags = ['-std=c++20', '-O1', '-w', '-shared', '-fPIC', '-fvisibility=hidden'];
      const defines = dtype === 'bf16' ? ['-DACT_BF16'] : [];
      const words = [...flags, ...defines, `-I${folder}`, `-I${SOURCES}`, source, '-o', library];
      const { status, stderr } = spawnSync(compiler, words);
      if (status !== 0) throw new Error(`${compiler} compiles no kernels: ${String(stderr).slice(0, 4000)}`);
      this.#run = openLibrary(library).bind(
        'int aloft_host_launch(uint64_t name, uint64_t args, int columns, int rows, int threads, int shared, uint64_t fault)',
      );
    } finally {
      rmSync(folder, { recursive: true });
    }
  }

  get sink(): LaunchSink {
    return {
      kernel: (launch) => this.#launch(launch),
      matmul: () => {
        throw new Error('the matrix library does not run on a host');
      },
    };
  }

  #launch({ kernel, grid, blockThreads, sharedBytes, args: { struct, values } }: KernelLaunch): void {
    const memory = structMemory(new ArrayBuffer(struct.byteLength + MAP_ALIGNMENT));
    const base = addressOf(memory.bytes);
    const start = (MAP_ALIGNMENT - (base % MAP_ALIGNMENT)) % MAP_ALIGNMENT;
    struct.write(memory, start, values);
    const name = Buffer.from(`${kernel}\0`);
    const fault = new Uint8Array(256);
    const texts = [addressOf(name), base + start] as const;
    if (this.#run(...texts, grid[0], grid[1], blockThreads, sharedBytes, addressOf(fault)) !== 0)
      throw new Error(
        `${kernel}: ${Buffer.from(fault.subarray(0, fault.indexOf(0))).toString()} (on the host)`,
      );
  }

  /** A map as `TensorMap` in on-host-units.h reads it. */
  readonly tensorMap = (mapped: Mapped): TensorMap => {
    const map = new DataView(new ArrayBuffer(128));
    map.setBigUint64(0, BigInt(mapped.address), true);
    const numbers =
      'boxRows' in mapped
        ? [
            mapped.rows,
            mapped.columns,
            mapped.boxRows,
            0,
            mapped.dtype === 'i8' ? 1 : 2,
            mapped.boxCount ?? 1,
          ]
        : [mapped.down, mapped.across, mapped.box.down, mapped.box.across, mapped.tileBytes];
    for (const [i, number] of numbers.entries()) map.setInt32(8 + 4 * i, number, true);
    return new Uint8Array(map.buffer);
  };

  reserve(byteLength: number): number {
    const area = allocateHost(byteLength + 2 * MARGIN_BYTES);
    area.bytes(0, area.byteLength).fill(MARGIN);
    area.bytes(MARGIN_BYTES, byteLength).fill(0);
    this.#areas.push({ area, byteLength });
    return area.address + MARGIN_BYTES;
  }

  upload(data: ArrayBufferView): number {
    const address = this.reserve(data.byteLength);
    this.#bytes(address, data.byteLength).set(
      new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength),
    );
    return address;
  }

  uploadActivations(values: ArrayLike<number>): number {
    return this.upload(encodeActivations(values, this.dtype));
  }

  write(address: number, values: ArrayLike<number>): void {
    const bits = encodeActivations(values, this.dtype);
    this.#bytes(address, bits.byteLength).set(new Uint8Array(bits.buffer as ArrayBuffer));
  }

  floats(address: number, count: number): Float32Array {
    return new Float32Array(this.#bytes(address, 4 * count).slice().buffer);
  }

  activations(address: number, count: number): Float32Array {
    return decodeActivations(new Uint16Array(this.#bytes(address, 2 * count).slice().buffer), this.dtype);
  }

  #bytes(address: number, byteLength: number): Uint8Array {
    const { area } = this.#areas.find(
      ({ area: { address: start, byteLength: size } }) => start <= address && address < start + size,
    )!;
    return area.bytes(address - area.address, byteLength);
  }

  /** Frees all memory. @throws an error when a kernel wrote into a margin */
  dispose(): void {
    const areas = this.#areas.splice(0);
    const isSpoilt = areas.some(({ area, byteLength }) =>
      [0, MARGIN_BYTES + byteLength].some((at) =>
        area.bytes(at, MARGIN_BYTES).some((byte) => byte !== MARGIN),
      ),
    );
    for (const { area } of areas) area.dispose();
    if (isSpoilt) throw new Error('a kernel wrote beside an area');
  }
}

/** The kernels, and a function that launches one by its name. */
function sourceOf(kernels: readonly HostKernel[]): string {
  const files = new Set(kernels.map(({ file }) => file));
  const lines = new Set(kernels.map(({ line }) => line ?? ''));
  const table = kernels.map(
    ({ name, struct }) =>
      `if (strcmp(name, "${name}") == 0) host::kernel = [=] { ${name}(*(const ${struct}*)args); };`,
  );
  return [
    '#include "cuda/testing/on-host-units.h"',
    ...[...files].map((file) => `#include "${file}"`),
    ...lines,
    'extern "C" __global__ int aloft_host_launch(const char* name, const void* args, int columns, int rows, int threads,',
    '                                            int shared, char* fault) {',
    '  host::kernel = nullptr;',
    ...table,
    '  return host::launch(columns, rows, threads, shared, fault);',
    '}',
    '',
  ].join('\n');
}
