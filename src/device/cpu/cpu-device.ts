/** The CPU in the table of devices. */
import { cpus } from 'node:os';
import type { DeviceSupport } from '../device-support.js';
import { CPU_LAYOUT } from './cpu-weight-layout.js';

/** Name of this machine's processor, or its architecture where the system does not say. */
export function cpuName(): string {
  return cpus()[0]?.model.trim() ?? process.arch;
}

export const CPU_DEVICE: DeviceSupport = {
  name: 'cpu',
  layout: CPU_LAYOUT,
  precisions: ['float32', 'float16', 'bfloat16'],
  checkPlan() {
    // CPU kernels take sizes of every kind.
  },
  survey: () => ({ name: cpuName(), memoryBytes: process.availableMemory(), obstacle: undefined }),
};
