import type { EngineManifest } from './manifest.js';
import { readManifest } from './manifest.js';
import { openEngineRank } from './rank-file-reader.js';

/**
 * Compares every byte of an engine with its checksums, whatever device it is for.
 * @throws {AloftError} ENGINE_NOT_FOUND, ENGINE_VERSION, ENGINE_CORRUPT with the first fault
 */
export function checkEngine(directory: string): EngineManifest {
  const manifest = readManifest(directory);
  const { aloft, builder_config } = manifest;
  for (let rank = 0; rank < builder_config.tensor_parallel; rank++)
    openEngineRank(directory, {
      rank,
      worldSize: builder_config.tensor_parallel,
      device: aloft.device,
      layoutVersion: aloft.layout_version,
      verification: 'full',
    }).dispose();
  return manifest;
}
