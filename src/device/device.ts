/** The table of devices: one entry for each kind. Their executors stand in `src/run/executor/backends.ts`. */
import type { DeviceName } from '../core/device.js';
import { CPU_DEVICE } from './cpu/cpu-device.js';
import { CUDA_DEVICE } from './cuda/cuda-device.js';
import type { DeviceSupport } from './device-support.js';

export const DEVICES: Readonly<Record<DeviceName, DeviceSupport>> = { cpu: CPU_DEVICE, cuda: CUDA_DEVICE };
