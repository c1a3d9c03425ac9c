import { AloftError } from '../../core/errors.js';
import { addressOf } from '../../ffi/memory.js';
import koffi from 'koffi';
import { MIN_COMPUTE_CAPABILITY } from './architecture.js';
import { DEVICE_ATTRIBUTE } from './driver-api.js';
import { openDriver, type CudaDriver } from './driver.js';

/** Facts of a GPU; sizes in bytes. */
export interface GpuProperties {
  readonly ordinal: number;
  readonly name: string;
  /** Name that the GPU has on every machine and in every process, such as `GPU-8f3c...`. */
  readonly uuid: string;
  /** Compute capability, e.g. 90 for 9.0. */
  readonly computeCapability: number;
  readonly multiprocessorCount: number;
  readonly totalBytes: number;
  readonly l2CacheBytes: number;
  readonly sharedBytesPerBlock: number;
  readonly sharedBytesPerMultiprocessor: number;
  /** CUDA version that the driver supports, e.g. 13000. */
  readonly driverCudaVersion: number;
}

/** Pinned host memory: the device copies from and to it without a bounce buffer. */
export interface PinnedArea {
  readonly address: number;
  readonly byteLength: number;
  readonly buffer: ArrayBuffer;
}

/** One GPU with its primary context current on this thread. Owns what it allocates; `dispose` frees all of it and never throws. */
export interface Gpu {
  readonly driver: CudaDriver;
  readonly properties: GpuProperties;
  /** Device memory, 256-byte aligned. @throws {AloftError} OUT_OF_MEMORY with wanted and free bytes */
  allocate(byteLength: number, purpose: string): number;
  free(address: number): void;
  allocatePinned(byteLength: number): PinnedArea;
  memoryInfo(): { readonly freeBytes: number; readonly totalBytes: number };
  /** Blocking copies. */
  upload(target: number, source: ArrayBufferView): void;
  download(source: number, target: ArrayBufferView): void;
  synchronize(): void;
  dispose(): void;
}

/** Number of GPUs that the driver shows. */
export function gpuCount(driver: CudaDriver): number {
  return driver.out32('cuDeviceGetCount');
}

export function readProperties(driver: CudaDriver, ordinal: number): GpuProperties {
  const device = driver.out32('cuDeviceGet', ordinal);
  const attribute = (id: number): number => driver.out32('cuDeviceGetAttribute', id, device);
  const name = new Uint8Array(new ArrayBuffer(256));
  driver.call('cuDeviceGetName', addressOf(name), name.length, device);
  return {
    ordinal,
    name: Buffer.from(name.subarray(0, name.indexOf(0))).toString('utf8'),
    uuid: readUuid(driver, device),
    computeCapability:
      attribute(DEVICE_ATTRIBUTE.computeMajor) * 10 + attribute(DEVICE_ATTRIBUTE.computeMinor),
    multiprocessorCount: attribute(DEVICE_ATTRIBUTE.multiprocessorCount),
    totalBytes: driver.out64('cuDeviceTotalMem_v2', device),
    l2CacheBytes: attribute(DEVICE_ATTRIBUTE.l2CacheBytes),
    sharedBytesPerBlock: attribute(DEVICE_ATTRIBUTE.sharedBytesPerBlockOptIn),
    sharedBytesPerMultiprocessor: attribute(DEVICE_ATTRIBUTE.sharedBytesPerMultiprocessor),
    driverCudaVersion: driver.out32('cuDriverGetVersion'),
  };
}

/** As nvidia-smi prints it. */
function readUuid(driver: CudaDriver, device: number): string {
  const bytes = new Uint8Array(new ArrayBuffer(16));
  driver.call('cuDeviceGetUuid_v2', addressOf(bytes), device);
  const digits = Buffer.from(bytes).toString('hex');
  return `GPU-${[0, 8, 12, 16, 20].map((at, i, all) => digits.slice(at, all[i + 1])).join('-')}`;
}

/** Opens GPU `ordinal`. @throws {AloftError} DEVICE_UNAVAILABLE when there is none or it is too old */
export function openGpu(ordinal: number, libraryPath?: string): Gpu {
  const driver = openDriver(libraryPath);
  const count = gpuCount(driver);
  if (ordinal >= count)
    throw new AloftError(
      'DEVICE_UNAVAILABLE',
      `There is no GPU ${ordinal}: this machine shows ${count}, counted from 0.`,
    );
  const properties = readProperties(driver, ordinal);
  if (properties.computeCapability < MIN_COMPUTE_CAPABILITY)
    throw new AloftError(
      'DEVICE_UNAVAILABLE',
      `GPU ${ordinal} (${properties.name}) has compute capability ${properties.computeCapability / 10}; 8.0 or later is needed.`,
    );
  driver.call('cuCtxSetCurrent', driver.out64('cuDevicePrimaryCtxRetain', ordinal));
  return gpuOf(driver, properties);
}

function gpuOf(driver: CudaDriver, properties: GpuProperties): Gpu {
  const deviceAreas = new Set<number>();
  const pinnedAreas = new Set<number>();
  const memoryInfo = (): { freeBytes: number; totalBytes: number } => {
    const pair = new BigUint64Array(new ArrayBuffer(16));
    driver.call('cuMemGetInfo_v2', addressOf(pair), addressOf(pair) + 8);
    return { freeBytes: Number(pair[0]!), totalBytes: Number(pair[1]!) };
  };
  /** Every call fails on a context that a kernel broke, and the failure to report is the one that came first. */
  const release = (...words: Parameters<CudaDriver['call']>): void => {
    try {
      driver.call(...words);
    } catch {
      // The context takes its memory with it.
    }
  };
  return {
    driver,
    properties,
    memoryInfo,
    allocate(byteLength, purpose) {
      const { freeBytes } = memoryInfo();
      if (byteLength > freeBytes)
        throw new AloftError(
          'OUT_OF_MEMORY',
          `GPU ${properties.ordinal} has ${freeBytes} bytes free and ${purpose} needs ${byteLength}.`,
        );
      const address = driver.out64('cuMemAlloc_v2', Math.max(byteLength, 256));
      deviceAreas.add(address);
      return address;
    },
    free(address) {
      if (deviceAreas.delete(address)) driver.call('cuMemFree_v2', address);
    },
    allocatePinned(byteLength) {
      const address = driver.out64('cuMemHostAlloc', byteLength, 0);
      pinnedAreas.add(address);
      return { address, byteLength, buffer: koffi.view(BigInt(address), byteLength) };
    },
    upload(target, source) {
      driver.call('cuMemcpyHtoD_v2', target, addressOf(source), source.byteLength);
    },
    download(source, target) {
      driver.call('cuMemcpyDtoH_v2', addressOf(target), source, target.byteLength);
    },
    synchronize: () => driver.call('cuCtxSynchronize'),
    dispose() {
      for (const address of deviceAreas) release('cuMemFree_v2', address);
      for (const address of pinnedAreas) release('cuMemFreeHost', address);
      deviceAreas.clear();
      pinnedAreas.clear();
      release('cuDevicePrimaryCtxRelease_v2', properties.ordinal);
    },
  };
}
