/** The table of executors: one backend for each kind of device. The devices themselves stand in `src/device/device.ts`. */
import type { DeviceName } from '../../core/device.js';
import type { ExecutorBackend } from './opening/backend.js';

/** A backend is imported when it is asked for, so that an engine for one device loads nothing of the others. */
const BACKENDS: Readonly<Record<DeviceName, () => Promise<ExecutorBackend>>> = {
  cpu: async () => (await import('./cpu/cpu-backend.js')).CPU_BACKEND,
  cuda: async () => (await import('./cuda/cuda-backend.js')).CUDA_BACKEND,
};

export function loadBackend(device: DeviceName): Promise<ExecutorBackend> {
  return BACKENDS[device]();
}
