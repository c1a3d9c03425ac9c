/** Exchanges between ranks as ops enqueue them: by our kernels over each other's memory, or by a library. */
import type { CudaDtype } from '../cuda/dtype.js';
import type { LaunchSink } from '../cuda/sink.js';
import { rmsNormLaunch } from '../rms-norm/cuda.js';
import {
  allGatherLaunch,
  type GatherShape,
  oneShotLaunch,
  placeGatheredLaunch,
  placeTokensLaunch,
  reduceNormLaunch,
  shareTokensLaunch,
  takeTokensLaunch,
  type TokenTargets,
  twoShotLaunch,
} from './cuda.js';
import { GATHER_ROWS, type RegionName, TWO_SHOT_VECTORS } from './region.js';

/** Ways to sum over ranks. */
export type ReduceWay = 'oneShot' | 'twoShot' | 'library';

/** Connection of a rank with the others. */
export interface RankConnection {
  readonly rank: number;
  readonly worldSize: number;
  readonly dtype: CudaDtype;
  readonly multiprocessorCount: number;
  /** Way of a sum of so many rows. It depends on nothing else, so that a token has the same bits in any step of a class. */
  readonly wayOf: (rows: number) => ReduceWay;
  /** Whether ranks store into each other's memory; otherwise a library does everything. */
  readonly hasPeerMemory: boolean;
  /** Address of a region's description for kernels. */
  readonly table: (name: RegionName) => number;
  /** Address of a region of this rank: room for what a library brings. */
  readonly room: (name: RegionName) => number;
}

interface SummedRows {
  readonly x: number;
  readonly columns: number;
}

/** x = its sum over ranks, in 16 bits. */
export function enqueueAllReduce(
  ranks: RankConnection,
  rows: number,
  { x, columns }: SummedRows,
  sink: LaunchSink,
): void {
  const vectors = (rows * columns) / 8;
  switch (ranks.wayOf(rows)) {
    case 'oneShot':
      return sink.kernel(oneShotLaunch({ region: ranks.table('oneShot'), x, vectors }));
    case 'twoShot':
      for (let done = 0; done < vectors; done += TWO_SHOT_VECTORS) {
        const piece = Math.min(TWO_SHOT_VECTORS, vectors - done);
        const reduced = { region: ranks.table('twoShot'), x: x + done * 16, vectors: piece };
        sink.kernel(twoShotLaunch(reduced, ranks));
      }
      return;
    case 'library':
      return sink.exchange!({ kind: 'allReduce', x, count: rows * columns, dtype: ranks.dtype });
  }
}

interface NormedRows extends SummedRows {
  readonly residual: number;
  readonly weight: number;
  readonly out: number;
  readonly epsilon: number;
}

/** residual += the sum of x over ranks, out = its RMS norm: one kernel for few rows. @param startNorm called before a norm by itself */
export function enqueueReduceNorm(
  ranks: RankConnection,
  rows: number,
  { columns, ...operands }: NormedRows,
  { sink, startNorm }: { readonly sink: LaunchSink; readonly startNorm: () => void },
): void {
  if (ranks.wayOf(rows) === 'oneShot') {
    sink.kernel(reduceNormLaunch(rows, { region: ranks.table('oneShot'), ...operands }));
    return;
  }
  const { x, residual, epsilon } = operands;
  enqueueAllReduce(ranks, rows, { x, columns }, sink);
  startNorm();
  sink.kernel(rmsNormLaunch(rows, epsilon, { ...operands, x: residual, delta: x }));
}

/** out = the rows of all ranks side by side, in f32. */
export function enqueueAllGather(
  ranks: RankConnection,
  shape: GatherShape,
  { x, out }: { readonly x: number; readonly out: number },
  sink: LaunchSink,
): void {
  const { columns, outColumns } = shape;
  for (let row = 0; row < shape.rows; row += GATHER_ROWS) {
    const piece = { ...shape, rows: Math.min(GATHER_ROWS, shape.rows - row) };
    const at = { x: x + row * columns * 4, out: out + row * outColumns * 4 };
    if (ranks.hasPeerMemory) {
      sink.kernel(allGatherLaunch(piece, { region: ranks.table('gather'), ...at }));
      continue;
    }
    const parts = ranks.room('gather');
    sink.exchange!({ kind: 'allGather', x: at.x, out: parts, count: piece.rows * columns });
    sink.kernel(placeGatheredLaunch(piece, { parts, out: at.out }));
  }
}

/** Brings the tokens that rank 0 sampled to the slots of the other ranks. @param tokens where rank 0 has them */
export function enqueueTokens(
  ranks: RankConnection,
  tokens: number,
  targets: TokenTargets,
  sink: LaunchSink,
): void {
  const { logits } = targets;
  const isFirst = ranks.rank === 0;
  if (ranks.hasPeerMemory) {
    const region = ranks.table('tokens');
    const launch = isFirst
      ? shareTokensLaunch({ region, tokens, logits })
      : takeTokensLaunch(region, targets);
    return sink.kernel(launch);
  }
  const x = isFirst ? tokens : ranks.room('tokens');
  sink.exchange!({ kind: 'broadcast', x, count: logits });
  if (!isFirst) sink.kernel(placeTokensLaunch(x, targets));
}
