/** Opens an engine on the kind of device that it was built for. */
import { AloftError } from '../../core/errors.js';
import { readManifest } from '../../engine/manifest.js';
import { loadBackend } from './backends.js';
import type { Executor } from './executor.js';
import type { OpenExecutorOptions } from './opening/open-options.js';
import { warmedUp } from './warm-up.js';

/** @throws {AloftError} of the engine reader and of the device's executor */
export async function openExecutor(options: OpenExecutorOptions): Promise<Executor> {
  const executor = await openOnDevice(options);
  return options.warmup === true ? warmedUp(executor) : executor;
}

/** Explains a device that is missing by the engine that asks for it. */
async function openOnDevice(options: OpenExecutorOptions): Promise<Executor> {
  const { engineDirectory } = options;
  const { device } = readManifest(engineDirectory).aloft;
  const backend = await loadBackend(device);
  try {
    return await backend.open(options);
  } catch (cause) {
    if (!(cause instanceof AloftError) || cause.code !== 'DEVICE_UNAVAILABLE') throw cause;
    throw new AloftError(
      'DEVICE_UNAVAILABLE',
      `The engine in ${engineDirectory} was built for '${device}', which cannot be used here; build one with 'aloft build --device cpu', or fix this: ${cause.message}`,
      { cause },
    );
  }
}
