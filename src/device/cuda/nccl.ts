/** NVIDIA's library of exchanges between GPUs: the way between GPUs that do not reach each other's memory. */
import { AloftError } from '../../core/errors.js';
import { declareBytesStruct, type NativeFunction } from '../../ffi/library.js';
import { addressOf } from '../../ffi/memory.js';
import type { CudaDtype } from '../../ops/cuda/dtype.js';
import type { LibraryExchange } from '../../ops/cuda/sink.js';
import { openCudaLibrary } from './library-search.js';
import type { Stream } from './stream.js';

/** Bytes of the name by which ranks find each other. */
export const NCCL_ID_BYTES = 128;

/** nccl.h: enumeration values. */
const DATA_TYPE: Readonly<Record<CudaDtype | 'i32' | 'f32', number>> = { i32: 2, f16: 6, f32: 7, bf16: 9 };
const SUM = 0;
const SUCCESS = 0;
const IN_PROGRESS = 7;

const PROTOTYPES = {
  ncclGetVersion: '(uint64_t version)',
  ncclGetUniqueId: '(uint64_t id)',
  ncclCommInitRank: '(uint64_t communicator, int rankCount, ncclUniqueId id, int rank)',
  ncclCommGetAsyncError: '(uint64_t communicator, uint64_t error)',
  ncclCommDestroy: '(uint64_t communicator)',
  ncclCommAbort: '(uint64_t communicator)',
  ncclAllReduce:
    '(uint64_t from, uint64_t to, size_t count, int type, int operation, uint64_t communicator, uint64_t stream)',
  ncclAllGather:
    '(uint64_t from, uint64_t to, size_t count, int type, uint64_t communicator, uint64_t stream)',
  ncclBroadcast:
    '(uint64_t from, uint64_t to, size_t count, int type, int root, uint64_t communicator, uint64_t stream)',
} as const;

type CallName = keyof typeof PROTOTYPES;

/** Connection of a rank with the others. */
export interface Communicator {
  /** Enqueues an exchange. All ranks enqueue the same ones in the same order. */
  exchange(call: LibraryExchange, stream: Stream): void;
  /** Whether the connection has broken since. */
  hasFailed(): boolean;
  /** Ends what waits for other ranks. */
  abort(): void;
  dispose(): void;
}

export interface Nccl {
  /** Such as `2.28.3`. */
  readonly version: string;
  /** Makes the name that one rank gives to all. */
  createId(): Uint8Array;
  /** Returns when all ranks have come. */
  join(place: { readonly id: Uint8Array; readonly rank: number; readonly rankCount: number }): Communicator;
}

/** @throws {AloftError} DEVICE_UNAVAILABLE when the library is not installed */
export function openNccl(libraryPath?: string): Nccl {
  const library = openCudaLibrary('nccl', libraryPath);
  declareBytesStruct('ncclUniqueId', NCCL_ID_BYTES);
  const functions = Object.fromEntries(
    Object.entries(PROTOTYPES).map(([name, parameters]) => [name, library.bind(`int ${name}${parameters}`)]),
  ) as Record<CallName, NativeFunction>;
  const describe = library.bind('const char *ncclGetErrorString(int status)') as unknown as (
    status: number,
  ) => string;
  const call = (name: CallName, ...args: unknown[]): void => {
    const status = Number(functions[name](...args));
    if (status !== SUCCESS && status !== IN_PROGRESS)
      throw new AloftError('DEVICE_FAILED', `${name} failed: ${describe(status)}.`);
  };
  const scratch = new DataView(new ArrayBuffer(NCCL_ID_BYTES));
  const scratchAddress = addressOf(scratch);
  call('ncclGetVersion', scratchAddress);
  const version = versionName(scratch.getInt32(0, true));
  return {
    version,
    createId() {
      call('ncclGetUniqueId', scratchAddress);
      return new Uint8Array(scratch.buffer).slice();
    },
    join({ id, rank, rankCount }) {
      scratch.setBigUint64(0, 0n, true);
      call('ncclCommInitRank', scratchAddress, rankCount, { bytes: id }, rank);
      return communicatorOf(Number(scratch.getBigUint64(0, true)), call);
    },
  };
}

function communicatorOf(handle: number, call: (name: CallName, ...args: unknown[]) => void): Communicator {
  const status = new Int32Array(new ArrayBuffer(4));
  let isAborted = false;
  return {
    exchange(one, { handle: stream }) {
      switch (one.kind) {
        case 'allReduce':
          return call('ncclAllReduce', one.x, one.x, one.count, DATA_TYPE[one.dtype], SUM, handle, stream);
        case 'allGather':
          return call('ncclAllGather', one.x, one.out, one.count, DATA_TYPE.f32, handle, stream);
        case 'broadcast':
          return call('ncclBroadcast', one.x, one.x, one.count, DATA_TYPE.i32, 0, handle, stream);
      }
    },
    hasFailed() {
      if (isAborted) return true;
      call('ncclCommGetAsyncError', handle, addressOf(status));
      return status[0] !== SUCCESS && status[0] !== IN_PROGRESS;
    },
    abort() {
      if (!isAborted) call('ncclCommAbort', handle);
      isAborted = true;
    },
    dispose() {
      if (!isAborted) call('ncclCommDestroy', handle);
    },
  };
}

/** 22803 -> `2.28.3`; until 2.8 there were only two digits for the last parts. */
function versionName(version: number): string {
  const major = version < 10_000 ? 1000 : 10_000;
  return `${Math.floor(version / major)}.${Math.floor((version % major) / 100)}.${version % 100}`;
}
