/** Many rows of x on compute capability 9.0, rounded to 8 bits, by weights of 8 bits: `wide8.cu`, `widef8.cu`. Only where a layer allows it. */
import { ceilDiv } from '../../cuda/launch.js';
import { ROUND_INPUT_ARGS, WIDE8_ARGS } from './args.js';
import { linearUnit } from './generated-kernel.js';
import type { InputCodes } from './method.js';
import { type TriedShape, type WideKind, wideMethod } from './wide-method.js';

/** Up to here a kernel that rounds inputs takes more time than products of activations as they are do (H200). */
const MAX_DENSE_ROWS = 64;
/** The same where what makes inputs rounds them. */
export const MAX_EXACT_ROWS = 32;
/** Bytes of a row of a box of tokens. */
const BOX_ROW_BYTES = 128;
/** Threads of a row of x that is rounded. */
const ROUND_THREADS = 256;
const WARP_THREADS = 32;

/** [tokenGroups, tilesPerWarp, warpgroups, boxes, clusterBlocks, from rows, to rows]: what won anywhere in trials on an H200. */
const SHAPES: readonly TriedShape[] = [
  [8, 1, 1, 4, 1, 33, 64],
  [8, 1, 1, 4, 2, 33, 256],
  [8, 1, 2, 4, 1, 33, 256],
  [8, 1, 2, 4, 2, 33, 256],
  [8, 1, 3, 2, 1, 33, 64],
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

/** The same for fp8, whose sums of a stage take registers beside all others (wide-promoted.cuh): those that nvcc gives enough. */
const FP8_SHAPES: readonly TriedShape[] = [
  [8, 1, 1, 4, 2, 65, 256],
  [8, 1, 2, 4, 1, 65, 256],
  [8, 1, 2, 4, 2, 65, 256],
  [12, 1, 2, 4, 2, 129, 512],
  [16, 1, 2, 2, 1, 65, 1024],
  [16, 1, 2, 2, 2, 65, 1024],
  [16, 2, 2, 2, 1, 129, Infinity],
  [24, 1, 2, 2, 1, 129, Infinity],
  [24, 1, 2, 2, 2, 129, Infinity],
  [32, 1, 2, 2, 1, 129, Infinity],
  [32, 1, 2, 2, 2, 129, Infinity],
];

/** Columns of x in 8 bits: whole boxes. */
export const codeColumns = (k: number): number => ceilDiv(k, BOX_ROW_BYTES) * BOX_ROW_BYTES;

/** x in 8 bits as kernels read it. */
const codesAsTokens: WideKind<string>['tokens'] = ({ k }, { inputCodes: address, xRows }) => ({
  address,
  rows: xRows,
  columns: codeColumns(k),
  dtype: 'i8',
});

/** Kernels that make bytes of x. */
const ROUND_KERNELS: Readonly<Record<InputCodes, string>> = { int8: 'round_input', e4m3: 'round_input_e4m3' };

/** Parts that do not depend on the numbers. */
const roundedInputs = (inputCodes: InputCodes) =>
  ({
    inputCodes,
    takes: ({ inputBits }) => inputBits === 8,
    mostOtherRows: ({ inputIsRounded }) => (inputIsRounded === true ? MAX_EXACT_ROWS : MAX_DENSE_ROWS),
    inputBytes: 1,
    tokens: codesAsTokens,
    prepare({ k, format }, { x, inputCodes: out, inputScale: scale, hasCodes }) {
      if (hasCodes) return undefined;
      const launch = {
        unit: linearUnit(format),
        kernel: ROUND_KERNELS[inputCodes],
        blockThreads: ROUND_THREADS,
        sharedBytes: (ROUND_THREADS / WARP_THREADS) * 4,
        args: ROUND_INPUT_ARGS.of({ x, out, scale, k }),
      };
      return (m, sink) => sink.kernel({ ...launch, grid: [m, 1, 1] });
    },
    args: (values, { inputScale }) => WIDE8_ARGS.of({ ...values, inputScale }),
  }) satisfies Partial<WideKind<string>>;

// Fitted to 11 numbers of rows by LLaMA-2-7B's four shapes on an H200: what it chooses takes 2.2% more time than the best, on
// average, and the best of its first three 0.1%.
const CYCLES = {
  product: 0.73,
  stage: 28,
  tile: 2150,
  exchange: 5340,
  exchangedSums: 311,
  gatedSums: 97,
} as const;
const FRAGMENT_CYCLES = 76;

export const WIDE8: WideKind<'wide8'> = {
  ...roundedInputs('int8'),
  name: 'wide8',
  promotes: false,
  shapes: SHAPES,
  reads: new Set(['int8']),
  cycles: { ...CYCLES, fragments: { int8: FRAGMENT_CYCLES } },
};

/** E4M3 has the rate and the tiles of int8, whose times are taken for it: estimates are not fitted. */
export const WIDEF8: WideKind<'widef8'> = {
  ...roundedInputs('e4m3'),
  name: 'widef8',
  promotes: true,
  shapes: FP8_SHAPES,
  reads: new Set(['fp8']),
  cycles: { ...CYCLES, fragments: { fp8: FRAGMENT_CYCLES } },
};

export const wide8 = wideMethod(WIDE8);
export const widef8 = wideMethod(WIDEF8);
