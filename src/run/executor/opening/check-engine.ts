import { readManifest, type EngineManifest } from '../../../engine/manifest.js';
import { openRank } from './open-rank.js';

/**
 * Checks an engine as executors do when they open it, and compares every byte with its checksums, whatever device it is for.
 * @throws {AloftError} ENGINE_NOT_FOUND, ENGINE_VERSION, ENGINE_CORRUPT with the first fault
 */
export function checkEngine(engineDirectory: string): EngineManifest {
  const manifest = readManifest(engineDirectory);
  const worldSize = manifest.builder_config.tensor_parallel;
  for (let rank = 0; rank < worldSize; rank++)
    openRank({ engineDirectory, rank, worldSize, verification: 'full' }).dispose();
  return manifest;
}
