/** Many rows of x on compute capability 9.0, whose warpgroups multiply, in the activations' type: `wide.cu`. */
import { WIDE_ARGS } from './args.js';
import { type TriedShape, type WideKind, wideMethod } from './wide-method.js';

/** Up to here `ring.cu` is faster. */
const MAX_RING_ROWS = 16;

/** [tokenGroups, tilesPerWarp, warpgroups, boxes, clusterBlocks, from rows, to rows]: what won anywhere in trials on an H200. */
const SHAPES: readonly TriedShape[] = [
  [4, 1, 1, 4, 2, 17, 32],
  [4, 1, 2, 4, 1, 17, 32],
  [4, 1, 2, 4, 2, 17, 32],
  [8, 1, 1, 4, 1, 33, 512],
  [8, 1, 1, 4, 2, 33, 512],
  [8, 1, 2, 4, 1, 33, 512],
  [8, 1, 2, 4, 2, 33, 512],
  [8, 1, 3, 2, 1, 33, 512],
  [8, 1, 3, 2, 2, 33, 512],
  [8, 2, 2, 2, 1, 33, 512],
  [12, 1, 2, 2, 2, 65, 512],
  [12, 1, 3, 2, 1, 65, 512],
  [12, 1, 3, 2, 2, 65, 512],
  [16, 1, 1, 2, 2, 65, 256],
  [16, 1, 2, 2, 1, 65, Infinity],
  [16, 1, 2, 2, 2, 65, 2048],
  [16, 1, 3, 2, 1, 65, 1024],
  [16, 1, 3, 2, 2, 65, 1024],
  [16, 2, 2, 1, 1, 129, Infinity],
  [24, 1, 2, 2, 1, 129, 1024],
];

export const WIDE: WideKind<'wide'> = {
  name: 'wide',
  reads: new Set(['int8', 'fp8', 'int4']),
  takes: () => true,
  mostOtherRows: () => MAX_RING_ROWS,
  inputBytes: 2,
  promotes: false,
  shapes: SHAPES,
  // Fitted to 11 numbers of rows by LLaMA-2-7B's four shapes on an H200: the estimate is 6% off, and what it chooses takes 0.5%
  // more time than the best, on average. The tensor cores' rate is 2 cycles a product. Fragments of int4
  // are counted in instructions; those of fp8 are taken to cost as much as int8's.
  cycles: {
    product: 2.05,
    fragments: { int8: 40, fp8: 40, int4: 65 },
    stage: 70,
    tile: 4700,
    exchange: 1400,
    exchangedSums: 16,
    gatedSums: 0,
  },
  tokens: ({ k }, { x, xRows, dtype }) => ({ address: x, rows: xRows, columns: k, dtype }),
  args: (values) => WIDE_ARGS.of(values),
};

export const wide = wideMethod(WIDE);
