/** Memory of a GPU that several processes map. */
import { addressOf } from '../../ffi/memory.js';
import type { CudaDriver } from './driver.js';

/** Bytes by which another process of the host finds memory: CUDA's handle, then the offset in what the handle names. */
export const MEMORY_HANDLE_BYTES = 72;
const CUDA_HANDLE_BYTES = 64;
const LAZY_PEER_ACCESS = 1;

/** Memory of another process, for this process's GPU. */
export interface PeerMemory {
  readonly address: number;
  dispose(): void;
}

/** @param address in an allocation of `cuMemAlloc`: CUDA gives no handle to any other @throws {AloftError} DEVICE_FAILED */
export function memoryHandle(driver: CudaDriver, address: number): Uint8Array {
  const handle = new Uint8Array(new ArrayBuffer(MEMORY_HANDLE_BYTES));
  const range = new BigUint64Array(new ArrayBuffer(16));
  driver.call('cuIpcGetMemHandle', addressOf(handle), address);
  driver.call('cuMemGetAddressRange_v2', addressOf(range), addressOf(range) + 8, address);
  new DataView(handle.buffer).setBigUint64(CUDA_HANDLE_BYTES, BigInt(address) - range[0]!, true);
  return handle;
}

/** @param handle that another process made with {@link memoryHandle} @throws {AloftError} DEVICE_FAILED where GPUs do not reach each other */
export function openPeerMemory(driver: CudaDriver, handle: Uint8Array): PeerMemory {
  const bytes = handle.slice(0, CUDA_HANDLE_BYTES);
  const base = driver.out64('cuIpcOpenMemHandle_v2', { bytes }, LAZY_PEER_ACCESS);
  const { buffer, byteOffset, byteLength } = handle;
  const offset = new DataView(buffer, byteOffset, byteLength).getBigUint64(CUDA_HANDLE_BYTES, true);
  return {
    address: base + Number(offset),
    dispose: () => driver.call('cuIpcCloseMemHandle', base),
  };
}
