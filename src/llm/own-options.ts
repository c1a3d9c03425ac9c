import type { DeviceName } from '../core/device.js';
import { foreignOptions, ownOptions } from '../core/device-options.js';
import type { EngineOptionName } from '../core/engine-options.js';
import { readManifest } from '../engine/manifest.js';
import type { LoadOptions } from './load-options.js';

/** Options of a load, parted by whether the engine's kind of device has a use for them. */
export interface OwnOptions {
  readonly device: DeviceName;
  /** Those that it has a use for. */
  readonly own: LoadOptions;
  /** Names of the others. */
  readonly foreign: readonly EngineOptionName[];
}

/**
 * For options that several engines are loaded with, which may be for several kinds of devices.
 * @throws {AloftError} of the engine reader
 */
export function ownOptionsOf(engineDirectory: string, options: LoadOptions): OwnOptions {
  const { device } = readManifest(engineDirectory).aloft;
  return { device, own: ownOptions(options, device), foreign: foreignOptions(options, device) };
}
