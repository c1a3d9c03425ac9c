/** A GPU that computes nothing: it writes down what its driver is asked to do, and when each of its streams would do it. */
import { mkdtempSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import koffi from 'koffi';
import { LAUNCH_LAYOUT } from '../../../../device/cuda/driver-api.js';
import type { CudaDriver } from '../../../../device/cuda/driver.js';
import type { Gpu, PinnedArea } from '../../../../device/cuda/gpu.js';
import { compileStandIn } from '../../../../device/cuda/testing/stand-ins.js';
import { addressOf } from '../../../../ffi/memory.js';
import { COPY_PIECE_BYTES } from '../../../../ops/cuda/copy-words.js';

/** Work of a stream. */
interface FakeWork {
  /** As in the list of calls. */
  readonly call: string;
  readonly startMs: number;
  readonly endMs: number;
}

export interface FakeGpu {
  readonly gpu: Gpu;
  /** Names of driver calls in order, with the sizes of copies. Those that a kernel makes have its name. */
  readonly calls: string[];
  /** Names of the kernels that were launched or captured, in order. */
  readonly kernels: string[];
  /** What takes time, in the order of calls. */
  readonly work: FakeWork[];
  readonly pinned: PinnedArea[];
  /** The device has nothing to do for so long. */
  idle(ms: number): void;
  /** From now on no event comes, until `release`. */
  hold(): void;
  /** Lets the events come, and then signals that were asked for. */
  release(): void;
}

/** Time that a stream works on a call, ms. */
export const FAKE_WORK_MS: Readonly<Record<string, number>> = {
  cuLaunchKernelEx: 1,
  cuGraphLaunch: 8,
  cuMemcpyHtoDAsync_v2: 0.25,
  cuMemcpyDtoHAsync_v2: 0.5,
  copy_words: 0.125,
};

const FIRST_ADDRESS = 2 ** 40;
const COPIES = new Set(['cuMemcpyHtoDAsync_v2', 'cuMemcpyDtoHAsync_v2', 'cuMemcpyDtoDAsync_v2']);

/** The stream of a call that takes time. */
function streamOf(name: string, args: readonly unknown[]): number {
  if (name === 'cuGraphLaunch') return args[1] as number;
  if (COPIES.has(name)) return args[3] as number;
  return viewOf(args[0], LAUNCH_LAYOUT.configBytes).getUint32(LAUNCH_LAYOUT.streamOffset, true);
}

const viewOf = (address: unknown, byteLength: number): DataView =>
  new DataView(koffi.view(BigInt(address as number), byteLength));

/** Bytes that a launch of `copy_words` copies: its parameter has two addresses and a number of pieces. */
function copiedBytes(parameters: unknown): number {
  const argument = viewOf(parameters, 8).getBigUint64(0, true);
  return COPY_PIECE_BYTES * viewOf(argument, 20).getInt32(16, true);
}

export function createFakeGpu(computeCapability: number): FakeGpu {
  const calls: string[] = [];
  const kernels: string[] = [];
  const kernelNames = new Map<unknown, string>();
  const pinned: PinnedArea[] = [];
  const work: FakeWork[] = [];
  const eventMs = new Map<unknown, number>();
  const streamMs = new Map<unknown, number>();
  const signals: number[] = [];
  let [handle, address, freeBytes, hostMs] = [1, FIRST_ADDRESS, 50e9, 0];
  let [isCapturing, isHeld] = [false, false];
  const raiseSignals = (): void => {
    for (const descriptor of signals.splice(0)) writeSync(descriptor, 'x');
  };
  /** When a stream is done with what it was given, or could begin what it is given now. */
  const readyMs = (stream: unknown): number => Math.max(hostMs, streamMs.get(stream) ?? 0);
  const put = (name: string, args: readonly unknown[]): void => {
    const kernel = name === 'cuLaunchKernelEx' ? kernelNames.get(args[1])! : undefined;
    const isCopy = kernel === 'copy_words';
    const does = isCopy ? kernel : name;
    const call = isCopy
      ? `${does} ${copiedBytes(args[2])}`
      : COPIES.has(name)
        ? `${name} ${String(args[2])}`
        : name;
    calls.push(call);
    if (kernel !== undefined) kernels.push(kernel);
    if (name === 'cuStreamBeginCapture_v2') isCapturing = true;
    else if (name === 'cuStreamEndCapture') isCapturing = false;
    else if (name === 'cuEventRecord') eventMs.set(args[0], readyMs(args[1]));
    else if (name === 'cuStreamWaitEvent')
      streamMs.set(args[0], Math.max(readyMs(args[0]), eventMs.get(args[1])!));
    else if (name === 'cuStreamAddCallback') {
      signals.push(args[2] as number);
      if (!isHeld) raiseSignals();
    } else if (!isCapturing && does in FAKE_WORK_MS) {
      const stream = streamOf(name, args);
      const startMs = readyMs(stream);
      const endMs = startMs + FAKE_WORK_MS[does]!;
      streamMs.set(stream, endMs);
      work.push({ call, startMs, endMs });
    }
  };
  const answer =
    <T>(value: (...args: readonly unknown[]) => T) =>
    (name: string, ...args: readonly unknown[]): T => {
      put(name, args);
      return value(...args);
    };
  const driver = {
    call: answer(() => {}),
    raw:
      (name: string) =>
      (...args: unknown[]) => {
        put(name, args);
        return 0;
      },
    check: () => {},
    query: answer(() => !isHeld),
    out64(name: string, ...args: readonly unknown[]) {
      put(name, args);
      if (name === 'cuModuleGetFunction') kernelNames.set(handle, args[1] as string);
      return handle++;
    },
    out64WithFirst: answer(() => handle++),
    out32: answer(() => 0),
    outFloat: answer((start, end) => eventMs.get(end)! - eventMs.get(start)!),
  } as unknown as CudaDriver;
  const gpu = {
    driver,
    properties: {
      ordinal: 0,
      name: 'fake',
      uuid: 'GPU-fake',
      computeCapability,
      multiprocessorCount: 132,
      totalBytes: 50e9,
      l2CacheBytes: 50e6,
      sharedBytesPerBlock: 232448,
      sharedBytesPerMultiprocessor: 233472,
      driverCudaVersion: 13000,
    },
    allocate(byteLength: number) {
      freeBytes -= byteLength;
      address += Math.ceil(byteLength / 256) * 256;
      return address - Math.ceil(byteLength / 256) * 256;
    },
    allocatePinned(byteLength: number) {
      const buffer = new ArrayBuffer(byteLength);
      const area = { address: addressOf(new Uint8Array(buffer)), byteLength, buffer };
      pinned.push(area);
      return area;
    },
    memoryInfo: () => ({ freeBytes, totalBytes: 50e9 }),
    free: () => {},
    upload: () => {},
    download: () => {},
    synchronize: () => {},
    dispose: () => calls.push('dispose'),
  } as unknown as Gpu;
  return {
    gpu,
    calls,
    kernels,
    work,
    pinned,
    idle: (ms) => void (hostMs = Math.max(hostMs, ...streamMs.values()) + ms),
    hold: () => void (isHeld = true),
    release() {
      isHeld = false;
      raiseSignals();
    },
  };
}

/** cuBLASLt's functions, each of which succeeds and does nothing. */
const LIBRARY = `#include <cstddef>
#include <cstdint>
extern "C" {
static uint64_t handle = 1000;
size_t cublasLtGetVersion() { return 130100; }
int cublasLtCreate(uint64_t *out) { *out = handle++; return 0; }
int cublasLtDestroy(uint64_t) { return 0; }
int cublasLtMatmulDescCreate(uint64_t *out, int, int) { *out = handle++; return 0; }
int cublasLtMatmulDescSetAttribute(uint64_t, int, uint64_t, size_t) { return 0; }
int cublasLtMatrixLayoutCreate(uint64_t *out, int, uint64_t, uint64_t, int64_t) { *out = handle++; return 0; }
int cublasLtMatmulPreferenceCreate(uint64_t *out) { *out = handle++; return 0; }
int cublasLtMatmulPreferenceSetAttribute(uint64_t, int, uint64_t, size_t) { return 0; }
int cublasLtMatmulAlgoGetHeuristic(uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, int, uint64_t, int *count) {
  *count = 1;
  return 0;
}
int cublasLtMatmul(uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t,
                   uint64_t, uint64_t, uint64_t, size_t, uint64_t) { return 0; }
}`;

/** NCCL's functions, each of which succeeds and does nothing. */
const NCCL = `#include <cstddef>
#include <cstdint>
#include <cstring>
struct ncclUniqueId { char bytes[128]; };
extern "C" {
const char *ncclGetErrorString(int) { return "a stand-in's error"; }
int ncclGetVersion(int *version) { *version = 22803; return 0; }
int ncclGetUniqueId(ncclUniqueId *id) { std::memset(id, 7, sizeof *id); return 0; }
// An id that is not passed whole is refused.
int ncclCommInitRank(uint64_t *out, int, ncclUniqueId id, int) { *out = 99; return id.bytes[0] == 7 && id.bytes[127] == 7 ? 0 : 4; }
int ncclCommGetAsyncError(uint64_t, int *error) { *error = 0; return 0; }
int ncclCommDestroy(uint64_t) { return 0; }
int ncclCommAbort(uint64_t) { return 0; }
int ncclAllReduce(uint64_t, uint64_t, size_t, int, int, uint64_t communicator, uint64_t) { return communicator == 99 ? 0 : 4; }
int ncclAllGather(uint64_t, uint64_t, size_t, int, uint64_t communicator, uint64_t) { return communicator == 99 ? 0 : 4; }
int ncclBroadcast(uint64_t, uint64_t, size_t, int, int, uint64_t communicator, uint64_t) { return communicator == 99 ? 0 : 4; }
}`;

/** A folder with libraries that take the place of cuBLASLt and NCCL. */
export function createFakeLibraries(): { readonly folder: string; dispose(): void } {
  const folder = mkdtempSync(join(tmpdir(), 'aloft-libraries-'));
  compileStandIn(folder, 'libcublasLt.so.13', LIBRARY);
  compileStandIn(folder, 'libnccl.so.2', NCCL);
  return { folder, dispose: () => rmSync(folder, { recursive: true, force: true }) };
}
