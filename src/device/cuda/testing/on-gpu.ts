/** Suites that need a GPU: they run under vitest.cuda.config.mjs, and elsewhere say how. */
import { describe, inject } from 'vitest';
import { openDriver } from '../driver.js';
import { gpuCount } from '../gpu.js';

/** Whether this run is one on a GPU. Where it is, a machine without one fails instead of skipping. */
const IS_ON_GPU = inject('device') === 'cuda';
const NEED = '[needs a GPU: npx vitest run --config vitest.cuda.config.mjs]';

/** @param body defines tests and opens nothing by itself: it runs where they are skipped, too */
export function describeOnGpu(name: string, body: () => void): void {
  if (IS_ON_GPU) describe(name, body);
  else describe.skip(`${name} ${NEED}`, body);
}

/** GPUs of this machine for tests: none where the run is not one on a GPU. */
export function gpusForTests(): number {
  return IS_ON_GPU ? gpuCount(openDriver()) : 0;
}
