/** Prepares one of the ranks of an engine, on the kind of device that it was built for. Rank processes load it (see RankModule). */
import { AloftError } from '../../core/errors.js';
import { readManifest } from '../../engine/manifest.js';
import { loadBackend } from './backends.js';
import type { OpenExecutorOptions } from './opening/open-options.js';
import type { PreparedRank, RankNumber } from './opening/prepared-rank.js';

/** @throws {AloftError} of the engine reader, UNSUPPORTED for a device whose ranks cannot exchange anything */
export async function prepareRank(
  options: OpenExecutorOptions,
  { rank, worldSize }: RankNumber,
): Promise<PreparedRank> {
  const { device } = readManifest(options.engineDirectory).aloft;
  const backend = await loadBackend(device);
  if (backend.prepare !== undefined) return backend.prepare({ ...options, rank, worldSize });
  throw new AloftError(
    'UNSUPPORTED',
    `The engine in ${options.engineDirectory} is for ${worldSize} ranks on '${device}', which has no collectives yet; build one with --tp_size 1, or with --device cpu.`,
  );
}
