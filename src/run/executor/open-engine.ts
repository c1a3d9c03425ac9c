/** Opens an engine on the kind of device that it was built for. */
import { AloftError } from '../../core/errors.js';
import { readManifest } from '../../engine/manifest.js';
import { openExecutor as openCuda, type OpenCudaOptions } from './cuda/open-cuda.js';
import type { Executor } from './executor.js';
import { warmUp } from './warm-up.js';
import { openExecutor as openCpu, type OpenEngineOptions as OpenCpuOptions } from './cpu/open-cpu.js';

/** Options that a device does not know are ignored by it. */
export type OpenEngineOptions = OpenCpuOptions &
  OpenCudaOptions & {
    /** Run a sequence that nobody asked for, and capture every graph, before the executor is handed out. Default false. */
    readonly warmup?: boolean;
  };

/** @throws {AloftError} of the engine reader and of the device's executor */
export async function openExecutor(options: OpenEngineOptions): Promise<Executor> {
  const { device } = readManifest(options.engineDirectory).aloft;
  const executor = await (device === 'cuda' ? openOnGpu(options) : openCpu(options));
  if (options.warmup !== true) return executor;
  try {
    await warmUp(executor);
    return executor;
  } catch (fault) {
    await executor.dispose();
    throw fault;
  }
}

/** Says why a GPU is wanted when there is none. */
async function openOnGpu(options: OpenEngineOptions): Promise<Executor> {
  try {
    return await openCuda(options);
  } catch (cause) {
    if (!(cause instanceof AloftError) || cause.code !== 'DEVICE_UNAVAILABLE') throw cause;
    throw new AloftError(
      'DEVICE_UNAVAILABLE',
      `The engine in ${options.engineDirectory} was built for 'cuda', which cannot be used here; build one with 'aloft build --device cpu', or mend this: ${cause.message}`,
      { cause },
    );
  }
}
