/** Shapes of the kernels of ring.cu: which one a layer gets where nothing was measured, and which are worth measuring. Pure. */
import { weightBytes, type WeightFormat } from '../../../plan/weight-format.js';
import type { CudaLinearProblem } from './problem.js';
import { type StoredWeights, storedWeights } from './stored-weights.js';

/** Below this many 16-row tiles per multiprocessor, blocks of one tile share the work better than blocks of two. */
const FEW_TILES_PER_MULTIPROCESSOR = 4;
const SOME_TILES_PER_MULTIPROCESSOR = 8;
/** A few tiles of at most so many bytes: they need no large ring, and the next layer's blocks begin beside this one's. */
const SHORT_TILE_BYTES = 72 * 1024;
/** Blocks of several tiles are taken unless smaller ones keep multiprocessors busier by more than this. */
const LEAST_BUSY = 0.9;

export type RingShape = readonly [
  tilesPerWarp: number,
  rowWarps: number,
  kWarps: number,
  boxes: number,
  sharedKib: number,
  blocksPerMultiprocessor: number,
];
/** Groups of 8 tokens. */
export type TokenGroups = 1 | 2 | 4 | 8;

/** Shapes by how many tiles of weights there are, and how long these are. */
interface Shapes {
  readonly few: RingShape;
  /** Few tiles, which are short; `few` if undefined. */
  readonly fewShort?: RingShape;
  /** Few tiles, where blocks of `few` would leave multiprocessors idle; `few` if undefined. */
  readonly narrow?: RingShape;
  /** `many` if undefined. */
  readonly some?: RingShape;
  readonly many: RingShape;
  /** Gate and up with SwiGLU; `many` if undefined, or where its blocks would leave multiprocessors idle. */
  readonly gated?: RingShape;
}

type ShapesOfGroups = Partial<Record<TokenGroups, Shapes>>;

const BYTE_SHAPES: ShapesOfGroups = {
  1: {
    few: [1, 1, 16, 16, 108, 2],
    some: [1, 1, 8, 8, 90, 2],
    many: [2, 1, 4, 4, 90, 2],
    gated: [3, 2, 4, 4, 108, 2],
  },
  2: { few: [1, 2, 8, 8, 224, 1], narrow: [1, 1, 8, 8, 108, 2], many: [1, 2, 8, 8, 224, 1] },
  4: { few: [2, 1, 4, 4, 200, 1], many: [2, 2, 2, 2, 72, 3] },
  8: { few: [1, 2, 4, 4, 200, 1], many: [2, 2, 2, 2, 108, 2] },
};

/**
 * Winners on an H200 for LLaMA-2-7B's shapes, those for up to 16 tokens as a layer takes them one after the other
 * (bench/cuda/layer.cu). Those of int4 for more than 16 tokens are computed: enough bytes under way, and fewer of x than of
 * weights. Those of fp8 are int8's.
 */
const SHAPES: Readonly<Record<StoredWeights['kind'], ShapesOfGroups>> = {
  dense: {
    1: {
      few: [2, 1, 8, 8, 224, 1],
      narrow: [1, 1, 4, 8, 108, 2],
      some: [2, 1, 8, 8, 224, 1],
      many: [2, 1, 4, 4, 108, 2],
      gated: [2, 3, 4, 4, 224, 1],
    },
    2: {
      few: [2, 1, 8, 8, 224, 1],
      narrow: [1, 1, 4, 4, 108, 2],
      some: [1, 2, 8, 8, 224, 1],
      many: [2, 1, 4, 4, 108, 2],
      gated: [3, 2, 4, 4, 200, 1],
    },
    4: { few: [2, 1, 4, 4, 200, 1], many: [2, 2, 2, 2, 108, 2] },
  },
  int8: BYTE_SHAPES,
  fp8: BYTE_SHAPES,
  int4: {
    1: {
      few: [1, 1, 8, 16, 90, 2],
      fewShort: [1, 1, 8, 16, 72, 3],
      some: [1, 2, 4, 8, 54, 4],
      many: [2, 1, 8, 16, 90, 2],
    },
    2: {
      few: [1, 2, 8, 16, 200, 1],
      narrow: [1, 1, 8, 16, 108, 2],
      some: [1, 2, 8, 16, 200, 1],
      many: [2, 1, 8, 16, 200, 1],
      gated: [3, 2, 4, 8, 200, 1],
    },
    4: { few: [2, 1, 4, 8, 200, 1], many: [2, 2, 2, 4, 108, 2] },
    8: { few: [1, 2, 4, 8, 200, 1], many: [2, 2, 2, 4, 200, 1] },
  },
};

/** Share of the multiprocessors that have a tile, from the first to the last, where a layer has n rows of weights. */
function busyShare([tilesPerWarp, rowWarps]: RingShape, n: number, multiprocessorCount: number): number {
  const tiles = Math.ceil(n / (16 * tilesPerWarp * rowWarps));
  return tiles / (multiprocessorCount * Math.ceil(tiles / multiprocessorCount));
}

/** The shape for a layer's weights and a number of tokens; undefined where rings are slower than other methods. */
export function shapeFor(
  { n, k, format, epilogue }: CudaLinearProblem,
  tokenGroups: TokenGroups,
  multiprocessorCount: number,
): RingShape | undefined {
  const shapes = SHAPES[storedWeights(format).kind][tokenGroups];
  if (shapes === undefined) return undefined;
  const { few, fewShort = few, narrow = few, many, some = many, gated = many } = shapes;
  const busy = (shape: RingShape): number => busyShare(shape, n, multiprocessorCount);
  const unlessIdle = (shape: RingShape, smaller: RingShape): RingShape =>
    busy(shape) < LEAST_BUSY * busy(smaller) ? smaller : shape;
  if (epilogue === 'swiglu') return unlessIdle(gated, many);
  const tilesPerMultiprocessor = n / 16 / multiprocessorCount;
  if (tilesPerMultiprocessor >= SOME_TILES_PER_MULTIPROCESSOR) return many;
  if (tilesPerMultiprocessor >= FEW_TILES_PER_MULTIPROCESSOR) return some;
  return unlessIdle(weightBytes(format, 16, k) <= SHORT_TILE_BYTES ? fewShort : few, narrow);
}

/** Shapes that won anywhere in trials on an H200. */
const TRIALS: readonly RingShape[] = [
  [1, 1, 4, 4, 108, 2],
  [2, 1, 4, 4, 108, 2],
  [1, 1, 8, 8, 108, 2],
  [2, 1, 4, 4, 72, 3],
  [2, 1, 4, 4, 90, 2],
  [2, 1, 4, 4, 200, 1],
  [2, 2, 2, 2, 108, 2],
  [2, 2, 2, 2, 72, 3],
  [1, 2, 4, 4, 200, 1],
  [1, 1, 4, 8, 72, 3],
  [2, 1, 4, 8, 108, 2],
  [1, 1, 8, 16, 108, 2],
  [1, 1, 8, 8, 90, 2],
  [1, 1, 8, 8, 72, 3],
  [1, 1, 8, 8, 54, 2],
  [1, 2, 4, 4, 72, 3],
  [1, 1, 4, 8, 54, 3],
  [1, 1, 4, 8, 90, 2],
  [1, 1, 4, 8, 108, 2],
  [1, 2, 4, 4, 54, 4],
  [2, 1, 8, 8, 200, 1],
];
/**
 * Shapes to try with int4, whose tiles are two boxes wide. With half of the shared memory the next kernel's blocks fit beside; with
 * more and smaller blocks they come one by one.
 */
const INT4_TRIALS: readonly RingShape[] = [
  [1, 1, 8, 16, 90, 2],
  [2, 1, 8, 16, 90, 2],
  [2, 1, 8, 16, 200, 1],
  [1, 1, 8, 16, 72, 3],
  [1, 1, 8, 16, 54, 3],
  [2, 2, 4, 8, 72, 3],
  [2, 1, 8, 16, 108, 1],
  [2, 2, 4, 8, 108, 1],
  [3, 1, 4, 8, 108, 2],
  [1, 2, 4, 8, 108, 2],
  [1, 2, 4, 8, 54, 4],
  [2, 1, 4, 8, 72, 3],
  [2, 1, 4, 8, 108, 2],
  [2, 1, 4, 8, 54, 2],
  [2, 1, 4, 8, 54, 4],
  [2, 1, 4, 8, 43, 5],
  [2, 1, 8, 16, 108, 2],
  [1, 1, 8, 16, 108, 2],
  [1, 1, 8, 16, 54, 2],
  [1, 1, 4, 8, 54, 4],
  [1, 2, 8, 16, 108, 1],
  [1, 2, 4, 8, 200, 1],
  [2, 2, 4, 8, 108, 2],
  [2, 2, 4, 8, 200, 1],
  [2, 2, 2, 4, 108, 2],
  [3, 2, 4, 8, 108, 1],
];
/** Shapes to try besides with up to 16 tokens: blocks with 16 warps that multiply, and blocks of 48 and 96 rows. */
const FEW_TOKENS_TRIALS: readonly RingShape[] = [
  [1, 1, 16, 16, 108, 2],
  [1, 2, 8, 8, 224, 1],
  [2, 1, 8, 8, 224, 1],
  [1, 3, 4, 4, 224, 1],
  [3, 2, 4, 4, 108, 2],
  [2, 3, 4, 4, 224, 1],
];
const FEW_TOKENS_INT4_TRIALS: readonly RingShape[] = [
  [1, 2, 8, 16, 200, 1],
  [1, 2, 4, 8, 72, 3],
  [3, 2, 4, 8, 200, 1],
];

/** Shapes to time for weights in a format and a number of tokens. */
export function trialsOf(format: WeightFormat, tokenGroups: TokenGroups): readonly RingShape[] {
  const isInt4 = storedWeights(format).kind === 'int4';
  const trials = isInt4 ? INT4_TRIALS : TRIALS;
  if (tokenGroups > 2) return trials;
  return [...trials, ...(isInt4 ? FEW_TOKENS_INT4_TRIALS : FEW_TOKENS_TRIALS)];
}
