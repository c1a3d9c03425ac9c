/** Prepares one of the ranks of an engine, on the kind of device that it was built for. Rank processes load it (see RankModule). */
import { readManifest } from '../../engine/manifest.js';
import { loadBackend } from './backends.js';
import type { OpenExecutorOptions } from './opening/open-options.js';
import type { PreparedRank, RankNumber } from './opening/prepared-rank.js';

/** @throws {AloftError} of the engine reader and of the device's executor */
export async function prepareRank(options: OpenExecutorOptions, number: RankNumber): Promise<PreparedRank> {
  const { device, ranks } = readManifest(options.engineDirectory).aloft;
  const backend = await loadBackend(device);
  const prepared = backend.prepare({ ...options, ...number });
  return { ...prepared, identity: ranks.map((file) => file.header_crc32).join(' ') };
}
