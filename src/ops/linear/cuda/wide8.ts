/** Many rows of x on compute capability 9.0, rounded to 8 bits, by int8 weights: `wide8.cu`. Only where a layer allows it. */
import { ceilDiv } from '../../cuda/launch.js';
import { ROUND_INPUT_ARGS, WIDE8_ARGS } from './args.js';
import { linearUnit } from './generated-kernel.js';
import { type TriedShape, type WideKind, wideMethod } from './wide-method.js';

/** Up to here weights come no faster than activations are multiplied as they are. */
const MAX_DENSE_ROWS = 32;
/** Bytes of a row of a box of tokens. */
const BOX_ROW_BYTES = 128;
/** Threads of a row of x that is rounded. */
const ROUND_THREADS = 256;

/** [tokenGroups, tilesPerWarp, warpgroups, boxes, clusterBlocks, from rows, to rows]. */
const SHAPES: readonly TriedShape[] = [
  [8, 1, 1, 4, 2, 33, 512],
  [8, 1, 2, 4, 1, 33, 512],
  [8, 1, 2, 4, 2, 33, 512],
  [8, 2, 2, 2, 1, 33, 1024],
  [12, 1, 2, 4, 2, 65, 512],
  [12, 1, 3, 2, 1, 65, 512],
  [16, 1, 2, 4, 1, 65, 2048],
  [16, 1, 2, 4, 2, 65, 2048],
  [16, 2, 2, 2, 1, 65, Infinity],
  [16, 2, 2, 2, 2, 65, 2048],
  [16, 1, 3, 2, 1, 65, 2048],
  [24, 1, 2, 2, 1, 129, 2048],
  [24, 1, 2, 2, 2, 129, 2048],
  [32, 1, 2, 2, 1, 129, Infinity],
  [32, 1, 2, 2, 2, 129, 2048],
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
  cycles: { product: 1.05, fragments: 25, stage: 70, tile: 4700, exchange: 1400, exchangedSums: 16 },
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
