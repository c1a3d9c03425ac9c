import { AloftError } from '../../core/errors.js';
import type { RankModule } from '../executor/opening/prepared-rank.js';

/** @param moduleUrl compiled module (`file:` URL) @throws {AloftError} INTERNAL when it exports no prepareRank */
export async function loadRankModule(moduleUrl: string): Promise<RankModule> {
  const loaded: unknown = await import(moduleUrl);
  if (isRankModule(loaded)) return loaded;
  throw new AloftError(
    'INTERNAL',
    `${moduleUrl} does not export prepareRank(options, number); see RankModule.`,
  );
}

function isRankModule(value: unknown): value is RankModule {
  return (
    typeof value === 'object' &&
    value !== null &&
    'prepareRank' in value &&
    typeof value.prepareRank === 'function'
  );
}
