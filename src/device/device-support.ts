import type { DeviceName } from '../core/device.js';
import type { PrecisionName } from '../core/dtype.js';
import type { OpeningOptions } from '../core/engine-options.js';
import type { Plan } from '../plan/plan.js';
import type { StoredLayout } from './weight-layout.js';

/** Devices of one kind that this machine has. */
export interface DeviceSurvey {
  /** Name of the first one; undefined without any. */
  readonly name: string | undefined;
  /** Bytes that an engine would find on the first one before it loads. */
  readonly memoryBytes: number;
  /** Sentence on why engines cannot be built for it and run on it; undefined if they can. */
  readonly obstacle: string | undefined;
}

/** Choice of one device of its kind, and the place of its libraries. */
export type DevicePlace = Pick<OpeningOptions, 'gpu' | 'cudaLibraryPath'>;

/** Memory in use on a device now, by this and every other process. */
export interface MemoryGauge {
  usedBytes(): number;
  dispose(): void;
}

/** One kind of device, as everything above it sees it. */
export interface DeviceSupport {
  readonly name: DeviceName;
  /** Layout of the weights in its engines. */
  readonly layout: StoredLayout;
  /** Precisions that engines for it can have. */
  readonly precisions: readonly PrecisionName[];
  /** @throws {AloftError} UNSUPPORTED naming what the device's kernels cannot do with the plan */
  checkPlan(plan: Plan, maxInputTokens: number): void;
  /** Looks at this machine without taking a device. */
  survey(place: DevicePlace): DeviceSurvey;
  /** Opens a gauge of the device's memory. Absent where it is the memory of the whole machine. */
  openMemoryGauge?(place: DevicePlace): MemoryGauge;
}
