/** Length distributions of generated workloads: `constant:128`, `uniform:16,256`, `normal:128,32`, `geometric:64,512`. */
import { AloftError } from '../../core/errors.js';
import type { RandomSource } from '../../core/random.js';

/** Draws one length in tokens, at least 1. */
export type LengthDistribution = (random: RandomSource) => number;

const EXAMPLES =
  'constant:128, uniform:16,256 (low,high), normal:128,32 (mean,deviation) or geometric:64,512 (mean,cap)';

/** @throws {AloftError} USAGE, naming `flag` */
export function parseDistribution(text: string, flag: string): LengthDistribution {
  const [kind, parameters = ''] = text.split(':');
  const [a, b] = parameters.split(',').map(Number);
  const isPair = Number.isFinite(a) && Number.isFinite(b) && a! > 0 && b! >= 0;
  if (Number.isSafeInteger(Number(text)) && Number(text) > 0) return () => Number(text);
  if (kind === 'constant' && Number.isSafeInteger(a) && a! > 0 && b === undefined) return () => a!;
  if (kind === 'uniform' && isPair && a! <= b!)
    return (random) => Math.floor(a! + random.next() * (b! - a! + 1));
  if (kind === 'normal' && isPair)
    return (random) => Math.max(1, Math.round(a! + b! * standardNormal(random)));
  if (kind === 'geometric' && isPair && a! >= 1 && b! >= 1)
    return (random) => Math.min(b!, geometric(random, a!));
  throw new AloftError('USAGE', `${flag} is '${text}'; write a number, ${EXAMPLES}.`);
}

/** Box and Muller, 1958. */
function standardNormal(random: RandomSource): number {
  return Math.sqrt(-2 * Math.log(1 - random.next())) * Math.cos(2 * Math.PI * random.next());
}

/** Trials up to the first success, mean `mean`. */
function geometric(random: RandomSource, mean: number): number {
  if (mean === 1) return 1;
  return 1 + Math.floor(Math.log(1 - random.next()) / Math.log(1 - 1 / mean));
}
