/** Kinds of devices that engines are built for, and the facts about them that every folder may use without loading their code. */
export interface DeviceTraits {
  /** A step is computed while it is submitted, so submitting the next one early hides nothing. */
  readonly computesWhileSubmitting: boolean;
  /** Kernels are compiled into the engine for one architecture; otherwise they come with Aloft. */
  readonly hasArchitectures: boolean;
  /** Ranks of one host take their memory from the same device; otherwise each has one of its own. */
  readonly isSharedByRanks: boolean;
  /** Type that holds the values of a bfloat16 KV cache. */
  readonly bfloat16Cache: 'float16' | 'bfloat16';
  /** Kind of memory, in Triton's words, that holds weights, workspace and KV blocks. */
  readonly memoryKind: 'cpu' | 'gpu';
  /** Kind of host memory that holds the host tier of KV blocks. */
  readonly hostMemoryKind: 'cpu' | 'pinned';
}

/**
 * The kinds of devices. Two tables with the same names say what such a device is (`src/device/device.ts`) and how its
 * executor is opened (`src/run/executor/backends.ts`); the compiler lists what a new device lacks.
 */
export const DEVICE_TRAITS = {
  cpu: {
    computesWhileSubmitting: true,
    hasArchitectures: false,
    isSharedByRanks: true,
    bfloat16Cache: 'float16',
    memoryKind: 'cpu',
    hostMemoryKind: 'cpu',
  },
  cuda: {
    computesWhileSubmitting: false,
    hasArchitectures: true,
    isSharedByRanks: false,
    bfloat16Cache: 'bfloat16',
    memoryKind: 'gpu',
    hostMemoryKind: 'pinned',
  },
} as const satisfies Readonly<Record<string, DeviceTraits>>;

export type DeviceName = keyof typeof DEVICE_TRAITS;

export const DEVICE_NAMES = Object.keys(DEVICE_TRAITS) as readonly DeviceName[];
