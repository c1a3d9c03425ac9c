import { AloftError } from '../../core/errors.js';
import { addressOf } from '../../ffi/memory.js';
import type { KernelLaunch } from '../../ops/cuda/launch.js';
import { structMemory } from '../../ops/struct.js';
import { FUNCTION_ATTRIBUTE, LAUNCH_ATTRIBUTE, LAUNCH_LAYOUT } from './driver-api.js';
import type { CudaDriver } from './driver.js';
import type { Stream } from './stream.js';

/** Resources that the compiler gave a kernel. `localBytes` above zero means spilled registers. */
interface KernelResources {
  readonly registerCount: number;
  readonly sharedBytes: number;
  readonly localBytes: number;
}

interface LoadedKernel {
  readonly handle: number;
  /** Bytes of dynamic shared memory that it may get. */
  maxShared: number;
}

interface LoadedUnit {
  readonly module: number;
  /** Those that were asked for. */
  readonly kernels: Map<string, LoadedKernel>;
}

/** Room for a kernel's parameter: the most that a kernel of ours takes, and some more. */
const MAX_ARGS_BYTES = 1024;
/** That of a tensor map. */
const ARGS_ALIGNMENT = 64;
/** Shared memory of a block, static and dynamic together, that a kernel gets without asking for more. */
const DEFAULT_SHARED_BYTES = 48 << 10;
const { configBytes, attributeBytes, attributeValueOffset } = LAUNCH_LAYOUT;

/** Loaded machine code, and the one place where kernels are launched. */
export interface Kernels {
  /** Loads a unit's cubin or PTX. */
  load(unit: string, image: Uint8Array): void;
  /**
   * Enqueues a kernel.
   * @param overlap programmatic dependent launch: the kernel may start before its predecessor ends, and waits inside
   *   (`griddepcontrol.wait`) before it touches what the predecessor wrote. Ignored before compute capability 9.0.
   */
  launch(stream: Stream, launch: KernelLaunch, overlap: boolean): void;
  resources(unit: string, kernel: string): KernelResources;
  dispose(): void;
}

export function createKernels(driver: CudaDriver, computeCapability: number): Kernels {
  const units = new Map<string, LoadedUnit>();
  const packer = createPacker();
  const launchRaw = driver.raw('cuLaunchKernelEx');

  const functionOf = (unit: string, kernel: string): LoadedKernel => {
    const loaded = units.get(unit);
    if (loaded === undefined)
      throw new AloftError('INTERNAL', `No kernel unit '${unit}' is loaded (for ${kernel}).`);
    let found = loaded.kernels.get(kernel);
    if (found === undefined) {
      const handle = driver.out64('cuModuleGetFunction', loaded.module, kernel);
      const staticShared = driver.out32('cuFuncGetAttribute', FUNCTION_ATTRIBUTE.sharedBytes, handle);
      found = { handle, maxShared: DEFAULT_SHARED_BYTES - staticShared };
      loaded.kernels.set(kernel, found);
    }
    return found;
  };

  return {
    load(unit, image) {
      units.set(unit, { module: driver.out64('cuModuleLoadData', addressOf(image)), kernels: new Map() });
    },
    launch(stream, launch, overlap) {
      const found = functionOf(launch.unit, launch.kernel);
      if (launch.sharedBytes > found.maxShared) {
        driver.call(
          'cuFuncSetAttribute',
          found.handle,
          FUNCTION_ATTRIBUTE.maxDynamicSharedBytes,
          launch.sharedBytes,
        );
        found.maxShared = launch.sharedBytes;
      }
      packer.pack(launch, stream.handle, overlap && computeCapability >= 90);
      const status = launchRaw(packer.configAddress, found.handle, packer.parametersAddress, 0);
      if (status !== 0) driver.check('cuLaunchKernelEx', status);
    },
    resources(unit, kernel) {
      const { handle } = functionOf(unit, kernel);
      const attribute = (id: number): number => driver.out32('cuFuncGetAttribute', id, handle);
      return {
        registerCount: attribute(FUNCTION_ATTRIBUTE.registerCount),
        sharedBytes: attribute(FUNCTION_ATTRIBUTE.sharedBytes),
        localBytes: attribute(FUNCTION_ATTRIBUTE.localBytes),
      };
    },
    dispose() {
      for (const { module } of units.values()) driver.call('cuModuleUnload', module);
      units.clear();
    },
  };
}

interface Packer {
  readonly configAddress: number;
  readonly parametersAddress: number;
  pack(launch: KernelLaunch, stream: number, overlap: boolean): void;
}

/**
 * One buffer, reused for every launch: `CUlaunchConfig`, its one attribute, the table of pointers to parameters, which has one
 * and never changes, and the parameter, a struct.
 */
export function createPacker(): Packer {
  const attributesAt = configBytes;
  const tableAt = attributesAt + attributeBytes;
  const tableEnd = tableAt + 8;
  const memory = structMemory(new ArrayBuffer(tableEnd + ARGS_ALIGNMENT + MAX_ARGS_BYTES));
  const { view } = memory;
  const base = addressOf(view);
  const argsAt = Math.ceil((base + tableEnd) / ARGS_ALIGNMENT) * ARGS_ALIGNMENT - base;
  view.setBigUint64(tableAt, BigInt(base + argsAt), true);
  view.setBigUint64(LAUNCH_LAYOUT.attributesOffset, BigInt(base + attributesAt), true);
  view.setUint32(attributesAt, LAUNCH_ATTRIBUTE.programmaticStreamSerialization, true);
  view.setInt32(attributesAt + attributeValueOffset, 1, true);
  return {
    configAddress: base,
    parametersAddress: base + tableAt,
    pack({ grid, blockThreads, sharedBytes, args }, stream, overlap) {
      for (let i = 0; i < 3; i++) view.setUint32(LAUNCH_LAYOUT.gridOffset + 4 * i, grid[i]!, true);
      view.setUint32(LAUNCH_LAYOUT.blockOffset, blockThreads, true);
      view.setUint32(LAUNCH_LAYOUT.blockOffset + 4, 1, true);
      view.setUint32(LAUNCH_LAYOUT.blockOffset + 8, 1, true);
      view.setUint32(LAUNCH_LAYOUT.sharedBytesOffset, sharedBytes, true);
      view.setUint32(LAUNCH_LAYOUT.streamOffset, stream >>> 0, true);
      view.setUint32(LAUNCH_LAYOUT.streamOffset + 4, Math.floor(stream / 2 ** 32), true);
      view.setUint32(LAUNCH_LAYOUT.attributeCountOffset, overlap ? 1 : 0, true);
      const { struct, values } = args;
      if (struct.byteLength > MAX_ARGS_BYTES)
        throw new AloftError(
          'INTERNAL',
          `${struct.name} takes ${struct.byteLength} bytes, and a launch has ${MAX_ARGS_BYTES}; raise MAX_ARGS_BYTES in kernels.ts.`,
        );
      struct.write(memory, argsAt, values);
    },
  };
}
