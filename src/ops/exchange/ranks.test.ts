import { expect, test } from 'vitest';
import { createRecordingSink } from '../cuda/testing/recording-sink.js';
import { enqueueAllReduce, type RankConnection } from './ranks.js';

const RANKS: RankConnection = {
  rank: 0,
  worldSize: 3,
  dtype: 'f16',
  multiprocessorCount: 132,
  hasPeerMemory: true,
  wayOf: (rows) => (rows <= 128 ? 'oneShot' : 'twoShot'),
  table: () => 0x700,
  room: () => 0x800,
};

test('a large sum takes launches of 8 MiB and a rest, one after the other', () => {
  const sink = createRecordingSink();
  enqueueAllReduce(RANKS, 2500, { x: 2 ** 40, columns: 4096 }, sink);
  const pieces = sink.launches.map(({ args, grid }) => ({ ...args.values, blocks: grid[0] }));
  expect(pieces).toMatchObject([
    { x: 2 ** 40, vectors: 2 ** 19, chunk: 174_763, blocks: 132 },
    { x: 2 ** 40 + 2 ** 23, vectors: 2 ** 19, chunk: 174_763, blocks: 132 },
    { x: 2 ** 40 + 2 ** 24, vectors: 2500 * 512 - 2 ** 20, chunk: 77_142, blocks: 132 },
  ]);
});

test('a sum in one shot has a thread for every vector', () => {
  const sink = createRecordingSink();
  enqueueAllReduce(RANKS, 1, { x: 16, columns: 2056 }, sink);
  expect(sink.launches[0]).toMatchObject({ grid: [2, 1, 1], args: { values: { vectors: 257 } } });
});
