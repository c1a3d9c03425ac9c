import { AloftError } from '../../core/errors.js';
import type { NativeFunction } from '../../ffi/library.js';
import { addressOf } from '../../ffi/memory.js';
import { openCudaLibrary } from './library-search.js';

/** NVRTC: CUDA C++ source to machine code, in this process. Kernels use no CUDA headers, so only the library is needed. */
export interface Nvrtc {
  readonly version: string;
  /** Compute capabilities that it compiles for, such as 90. */
  readonly computeCapabilities: readonly number[];
  /**
   * @param arch e.g. `sm_90a`
   * @param defines preprocessor names and values
   * @returns a cubin
   * @throws {AloftError} INTERNAL with the compiler's log: our sources must compile
   */
  compile(request: CompileRequest): CompiledUnit;
}

export interface CompileRequest {
  readonly name: string;
  readonly source: string;
  /** Texts of the files that the source includes, by the names with which they are included. Errors name them. */
  readonly headers: ReadonlyMap<string, string>;
  readonly arch: string;
  readonly defines: Readonly<Record<string, string | number>>;
  /** Approximate exp, division and square root; off where results must match a reference bit by bit. */
  readonly isFastMath: boolean;
  /** Compiles in less than half of the time to slow code, for whoever asks only whether it compiles. */
  readonly isHasty?: boolean;
}

export interface CompiledUnit {
  readonly cubin: Uint8Array;
  /** ptxas's report of registers, shared memory and spills. */
  readonly log: string;
}

const PROTOTYPES = {
  nvrtcVersion: '(uint64_t major, uint64_t minor)',
  nvrtcGetNumSupportedArchs: '(uint64_t count)',
  nvrtcGetSupportedArchs: '(uint64_t capabilities)',
  nvrtcCreateProgram:
    '(uint64_t program, str source, str name, int count, const char **headers, const char **names)',
  nvrtcCompileProgram: '(uint64_t program, int count, const char **options)',
  nvrtcGetProgramLogSize: '(uint64_t program, uint64_t bytes)',
  nvrtcGetProgramLog: '(uint64_t program, uint64_t log)',
  nvrtcGetCUBINSize: '(uint64_t program, uint64_t bytes)',
  nvrtcGetCUBIN: '(uint64_t program, uint64_t cubin)',
  nvrtcDestroyProgram: '(uint64_t program)',
} as const;

/** @throws {AloftError} DEVICE_UNAVAILABLE when NVRTC is not installed */
export function openNvrtc(libraryPath?: string): Nvrtc {
  const library = openCudaLibrary('nvrtc', libraryPath);
  const functions = Object.fromEntries(
    Object.entries(PROTOTYPES).map(([name, parameters]) => [name, library.bind(`int ${name}${parameters}`)]),
  ) as Record<keyof typeof PROTOTYPES, NativeFunction>;
  const call = (name: keyof typeof PROTOTYPES, ...args: unknown[]): void => {
    const status = Number(functions[name](...args));
    if (status !== 0) throw new AloftError('DEVICE_FAILED', `${name} failed with status ${status}.`);
  };
  const scratch = new DataView(new ArrayBuffer(64));
  const scratchAddress = addressOf(scratch);
  const size = (name: 'nvrtcGetProgramLogSize' | 'nvrtcGetCUBINSize', program: number): number => {
    call(name, program, scratchAddress);
    return Number(scratch.getBigUint64(0, true));
  };
  const read = (sizeOf: Parameters<typeof size>[0], get: keyof typeof PROTOTYPES, program: number) => {
    const bytes = new Uint8Array(new ArrayBuffer(Math.max(1, size(sizeOf, program))));
    call(get, program, addressOf(bytes));
    return bytes;
  };

  call('nvrtcVersion', scratchAddress, scratchAddress + 4);
  const version = `${scratch.getInt32(0, true)}.${scratch.getInt32(4, true)}`;
  call('nvrtcGetNumSupportedArchs', scratchAddress);
  const capabilities = new Int32Array(new ArrayBuffer(4 * scratch.getInt32(0, true)));
  call('nvrtcGetSupportedArchs', addressOf(capabilities));
  return {
    version,
    computeCapabilities: [...capabilities],
    compile(request) {
      const { name, source, headers, arch } = request;
      const [texts, names] = [[...headers.values()], [...headers.keys()]];
      call('nvrtcCreateProgram', scratchAddress, source, `${name}.cu`, names.length, texts, names);
      const program = Number(scratch.getBigUint64(0, true));
      try {
        const options = compilerOptions(request);
        const status = Number(functions.nvrtcCompileProgram(program, options.length, options));
        const logBytes = read('nvrtcGetProgramLogSize', 'nvrtcGetProgramLog', program);
        const log = Buffer.from(logBytes).toString('utf8').replace(/\0+$/, '');
        if (status !== 0)
          throw new AloftError('INTERNAL', `NVRTC cannot compile ${name}.cu for ${arch}: ${log}`);
        return { cubin: read('nvrtcGetCUBINSize', 'nvrtcGetCUBIN', program), log };
      } finally {
        scratch.setBigUint64(0, BigInt(program), true);
        call('nvrtcDestroyProgram', scratchAddress);
      }
    },
  };
}

export function compilerOptions({ arch, defines, isFastMath, isHasty }: CompileRequest): readonly string[] {
  return [
    `-arch=${arch}`,
    '-std=c++17',
    '-default-device',
    ...(isFastMath ? ['-use_fast_math'] : []),
    ...(isHasty ? ['-Ofc=max'] : []),
    '-lineinfo',
    '--ptxas-options=-v',
    ...Object.entries(defines).map(([name, value]) => `-D${name}=${value}`),
  ];
}
