/** Prepares one of the ranks of an engine, on the kind of device that it was built for. Rank processes load it (see RankModule). */
import { readManifest } from '../../engine/manifest.js';
import { loadBackend } from './backends.js';
import type { OpenExecutorOptions } from './opening/open-options.js';
import type { PreparedRank, RankNumber } from './opening/prepared-rank.js';

/** @throws {AloftError} of the engine reader and of the device's executor */
export async function prepareRank(
  options: OpenExecutorOptions,
  { rank, worldSize }: RankNumber,
): Promise<PreparedRank> {
  const { device } = readManifest(options.engineDirectory).aloft;
  const backend = await loadBackend(device);
  return backend.prepare({ ...options, rank, worldSize });
}
