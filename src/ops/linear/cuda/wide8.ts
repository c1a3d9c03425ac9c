/** Many rows of x on compute capability 9.0, rounded to 8 bits, by int8 weights: `wide8.cu`. Only where a layer allows it. */
import { ceilDiv } from '../../cuda/launch.js';
import { ROUND_INPUT_ARGS, WIDE8_ARGS } from './args.js';
import { linearUnit } from './generated-kernel.js';
import { type TriedShape, type WideKind, wideMethod } from './wide-method.js';

/** Up to here products of activations as they are take no longer than weights take to come (H200). */
const MAX_DENSE_ROWS = 64;
/** Bytes of a row of a box of tokens. */
const BOX_ROW_BYTES = 128;
/** Threads of a row of x that is rounded. */
const ROUND_THREADS = 256;

/** [tokenGroups, tilesPerWarp, warpgroups, boxes, clusterBlocks, from rows, to rows]: what won anywhere in trials on an H200. */
const SHAPES: readonly TriedShape[] = [
  [8, 1, 1, 4, 2, 65, 256],
  [8, 1, 2, 4, 1, 65, 256],
  [8, 1, 2, 4, 2, 65, 256],
  [12, 1, 2, 4, 2, 129, 512],
  [12, 1, 3, 2, 1, 129, 512],
  [16, 1, 2, 4, 1, 65, 1024],
  [16, 1, 2, 4, 2, 65, 1024],
  [16, 1, 3, 2, 1, 65, 1024],
  [16, 2, 2, 2, 1, 129, Infinity],
  [16, 2, 2, 2, 2, 129, Infinity],
  [24, 1, 2, 2, 1, 129, Infinity],
  [24, 1, 2, 2, 2, 129, Infinity],
  [32, 1, 2, 2, 1, 129, Infinity],
  [32, 1, 2, 2, 2, 129, Infinity],
];

/** Columns of x in 8 bits: whole boxes. */
export const codeColumns = (k: number): number => ceilDiv(k, BOX_ROW_BYTES) * BOX_ROW_BYTES;

export const WIDE8: WideKind<'wide8'> = {
  name: 'wide8',
  reads: new Set(['int8']),
  takes: ({ inputBits }) => inputBits === 8,
  mostOtherRows: MAX_DENSE_ROWS,
  inputBytes: 1,
  shapes: SHAPES,
  // Fitted to 11 numbers of rows by LLaMA-2-7B's four shapes on an H200: what it chooses takes 2.2% more time than the best, on
  // average, and the best of its first three 0.1%.
  cycles: {
    product: 0.73,
    fragments: { int8: 76 },
    stage: 28,
    tile: 2150,
    exchange: 5340,
    exchangedSums: 311,
    gatedSums: 97,
  },
  tokens: ({ k }, { inputCodes, xRows }) => ({
    address: inputCodes,
    rows: xRows,
    columns: codeColumns(k),
    dtype: 'i8',
  }),
  prepare({ m, k, format }, { x, inputCodes, inputScale }, sink) {
    sink.kernel({
      unit: linearUnit(format),
      kernel: 'round_input',
      grid: [m, 1, 1],
      blockThreads: ROUND_THREADS,
      sharedBytes: 0,
      args: ROUND_INPUT_ARGS.of({ x, out: inputCodes, scale: inputScale, k }),
    });
  },
  args: (values, { inputScale }) => WIDE8_ARGS.of({ ...values, inputScale }),
};

export const wide8 = wideMethod(WIDE8);
