/** Which device the tests that span folders run on: vitest's configuration provides it. */
import { inject } from 'vitest';
import type { DeviceName } from '../core/device.js';
import { DEVICES } from '../device/device.js';

declare module 'vitest' {
  interface ProvidedContext {
    readonly device: DeviceName;
  }
}

export const DEVICE: DeviceName = inject('device');

/**
 * Formats that the device under test runs, among those that name their devices. On a CPU activations are float32; on a GPU they
 * are rounded to 16 bits after every op, so its tolerances are wider, and float32 models are not built for it.
 */
export function onDevice<T extends { readonly cuda: Partial<T> | null }>(
  formats: readonly T[],
): readonly T[] {
  if (DEVICES[DEVICE].precisions.includes('float32')) return formats;
  return formats.flatMap((format) => (format.cuda === null ? [] : [{ ...format, ...format.cuda }]));
}
