/** Opens an engine on the kind of device that it was built for. */
import { readManifest } from '../../engine/manifest.js';
import { openExecutor as openCuda, type OpenCudaOptions } from './cuda/open-cuda.js';
import type { Executor } from './executor.js';
import { openExecutor as openCpu, type OpenEngineOptions as OpenCpuOptions } from './open-cpu.js';

/** Options that a device does not know are ignored by it. */
export type OpenEngineOptions = OpenCpuOptions & OpenCudaOptions;

/** @throws AloftError of the engine reader and of the device's executor */
export async function openExecutor(options: OpenEngineOptions): Promise<Executor> {
  const { device } = readManifest(options.engineDirectory).aloft;
  return device === 'cuda' ? openCuda(options) : openCpu(options);
}
