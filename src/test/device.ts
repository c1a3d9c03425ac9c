/** Which device the tests that span folders run on: vitest's configuration provides it. */
import { inject } from 'vitest';

export type TestDevice = 'cpu' | 'cuda';

declare module 'vitest' {
  interface ProvidedContext {
    readonly device: TestDevice;
  }
}

export const DEVICE: TestDevice = inject('device');

/**
 * Of formats that name what each device allows, those that the device runs. On a CPU activations are float32; on a GPU they
 * are rounded to 16 bits after every op, so its tolerances are wider, and float32 models are not built for it.
 */
export function onDevice<T extends { readonly cuda: Partial<T> | null }>(
  formats: readonly T[],
): readonly T[] {
  if (DEVICE === 'cpu') return formats;
  return formats.flatMap((format) => (format.cuda === null ? [] : [{ ...format, ...format.cuda }]));
}
