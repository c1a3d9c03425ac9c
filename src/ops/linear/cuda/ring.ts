/** Few rows of x on devices with bulk copies, which stream the weights through a ring: configurations of `ring.cu`. */
import { type WeightElement, weightBytes, type WeightFormat } from '../../../plan/weight-format.js';
import { hasBulkRings } from '../../cuda/capability.js';
import { ceilDiv } from '../../cuda/launch.js';
import { RING_ARGS } from './args.js';
import { commonArguments, generatedKernel, kernelCode, numberedKeys } from './generated-kernel.js';
import type { LinearMethod } from './method.js';
import { type CudaLinearProblem, outColumns } from './problem.js';
import { type StoredWeights, storedWeights } from './stored-weights.js';

export interface RingConfig {
  readonly method: 'ring';
  /** Groups of 8 tokens. */
  readonly tokenGroups: 1 | 2 | 4 | 8;
  /** 16-row tiles of a warp. */
  readonly tilesPerWarp: number;
  readonly rowWarps: number;
  readonly kWarps: number;
  /** Boxes of 64 k in a stage. */
  readonly boxes: number;
  /** Shared memory that a block may take. */
  readonly sharedBytes: number;
  /** Blocks that share a multiprocessor. */
  readonly blocksPerMultiprocessor: number;
}

const KIB = 1024;
/** Below this many 16-row tiles per multiprocessor, blocks of one tile share the work better than blocks of two. */
const FEW_TILES_PER_MULTIPROCESSOR = 4;
const SOME_TILES_PER_MULTIPROCESSOR = 8;
/** A few tiles of at most so many bytes: they need no large ring, and the next layer's blocks begin beside this one's. */
const SHORT_TILE_BYTES = 72 * 1024;

type RingShape = readonly [
  tilesPerWarp: number,
  rowWarps: number,
  kWarps: number,
  boxes: number,
  sharedKib: number,
  blocksPerMultiprocessor: number,
];
type TokenGroups = RingConfig['tokenGroups'];

/** Shapes by how many tiles of weights there are, and how long these are. */
interface Shapes {
  readonly few: RingShape;
  /** Few tiles, which are short; `few` if undefined. */
  readonly fewShort?: RingShape;
  /** `many` if undefined. */
  readonly some?: RingShape;
  readonly many: RingShape;
}

type ShapesOfGroups = Partial<Record<TokenGroups, Shapes>>;

const BYTE_SHAPES: ShapesOfGroups = {
  1: {
    few: [1, 1, 8, 8, 108, 2],
    fewShort: [1, 1, 8, 8, 54, 2],
    some: [1, 1, 8, 8, 54, 3],
    many: [2, 1, 4, 4, 72, 3],
  },
  2: { few: [1, 1, 8, 8, 108, 2], many: [1, 2, 4, 4, 72, 3] },
  4: { few: [2, 1, 4, 4, 200, 1], many: [2, 2, 2, 2, 72, 3] },
  8: { few: [1, 2, 4, 4, 200, 1], many: [2, 2, 2, 2, 108, 2] },
};

/**
 * Winners on an H200 for LLaMA-2-7B's shapes, those of int8 and int4 for up to 16 tokens as a layer takes them one after the other
 * (bench/cuda/layer.cu). Those of int4 for more than 16 tokens are computed: enough bytes under way, and fewer of x than of
 * weights. Those of fp8 are int8's.
 */
const SHAPES: Readonly<Record<StoredWeights['kind'], ShapesOfGroups>> = {
  dense: {
    1: { few: [1, 1, 4, 4, 108, 2], many: [2, 1, 4, 4, 108, 2] },
    2: { few: [1, 1, 4, 4, 108, 2], many: [2, 1, 4, 4, 108, 2] },
    4: { few: [2, 1, 4, 4, 200, 1], many: [2, 2, 2, 2, 108, 2] },
  },
  int8: BYTE_SHAPES,
  fp8: BYTE_SHAPES,
  int4: {
    1: { few: [1, 1, 8, 16, 108, 2], some: [1, 1, 8, 16, 54, 3], many: [2, 2, 4, 8, 72, 3] },
    2: { few: [1, 1, 8, 16, 108, 2], some: [2, 1, 4, 8, 72, 3], many: [2, 2, 4, 8, 108, 2] },
    4: { few: [2, 1, 4, 8, 200, 1], many: [2, 2, 2, 4, 108, 2] },
    8: { few: [1, 2, 4, 8, 200, 1], many: [2, 2, 2, 4, 200, 1] },
  },
};

/** Which of the shapes fits a layer's weights. */
function shapeFor(
  { few, fewShort = few, many, some = many }: Shapes,
  { n, k, format, epilogue }: CudaLinearProblem,
  multiprocessorCount: number,
): RingShape {
  const tilesPerMultiprocessor = n / 16 / multiprocessorCount;
  if (epilogue === 'swiglu' || tilesPerMultiprocessor >= SOME_TILES_PER_MULTIPROCESSOR) return many;
  if (tilesPerMultiprocessor >= FEW_TILES_PER_MULTIPROCESSOR) return some;
  return weightBytes(format, 16, k) <= SHORT_TILE_BYTES ? fewShort : few;
}

/** Shapes that won anywhere in trials on an H200. */
const TRIALS: readonly RingShape[] = [
  [1, 1, 4, 4, 108, 2],
  [2, 1, 4, 4, 108, 2],
  [1, 1, 8, 8, 108, 2],
  [2, 1, 4, 4, 72, 3],
  [2, 1, 4, 4, 200, 1],
  [2, 2, 2, 2, 108, 2],
  [2, 2, 2, 2, 72, 3],
  [1, 2, 4, 4, 200, 1],
  [1, 1, 4, 8, 72, 3],
  [2, 1, 4, 8, 108, 2],
  [1, 1, 8, 16, 108, 2],
  [1, 1, 8, 8, 54, 2],
  [1, 1, 8, 8, 54, 3],
  [1, 2, 4, 4, 72, 3],
];
/**
 * Shapes to try with int4, whose tiles are two boxes wide. With half of the shared memory the next kernel's blocks fit beside; with
 * more and smaller blocks they come one by one.
 */
const INT4_TRIALS: readonly RingShape[] = [
  [1, 1, 8, 16, 54, 3],
  [2, 2, 4, 8, 72, 3],
  [2, 1, 8, 16, 108, 1],
  [2, 2, 4, 8, 108, 1],
  [3, 1, 4, 8, 108, 2],
  [1, 2, 4, 8, 108, 2],
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
const trialsOf = (format: WeightFormat): readonly RingShape[] =>
  storedWeights(format).kind === 'int4' ? INT4_TRIALS : TRIALS;
/** A ring of fewer stages cannot hide its copies. */
const MIN_STAGES = 2;
const MAX_STAGES = 16;
const BOX_COLUMNS = 64;
/** Rows of the boxes of dense weights. */
const WEIGHT_BOX_ROWS = 16;

const tokenGroupsFor = (m: number): TokenGroups | undefined =>
  ([1, 2, 4, 8] as const).find((groups) => m <= groups * 8);

function configOf(tokenGroups: TokenGroups, shape: RingShape): RingConfig {
  const [tilesPerWarp, rowWarps, kWarps, boxes, sharedKib, blocksPerMultiprocessor] = shape;
  const sharedBytes = sharedKib * KIB;
  return {
    method: 'ring',
    tokenGroups,
    tilesPerWarp,
    rowWarps,
    kWarps,
    boxes,
    sharedBytes,
    blocksPerMultiprocessor,
  };
}

/** Rows of x that the ring's boxes have: what x takes grows with them, and few sizes need few tensor maps. */
function ringRows({ tokenGroups }: RingConfig, m: number): number {
  return m === 1 ? 1 : tokenGroups === 1 && m <= FEW_BOX_ROWS ? FEW_BOX_ROWS : tokenGroups * 8;
}
const FEW_BOX_ROWS = 4;

/** Boxes of x that a copy brings: those of a stage, whose number limits the ring's rate, where rows of x are whole boxes. */
const xBoxCount = ({ boxes }: RingConfig, k: number): number => (k % BOX_COLUMNS === 0 ? boxes : 1);

/** Rows of the boxes of the tensor maps of x, ascending. A launch of a single row takes a map, too, and ignores it. */
const xBoxRows = ({ tokenGroups }: RingConfig): readonly number[] =>
  tokenGroups === 1 ? [FEW_BOX_ROWS, 8] : [tokenGroups * 8];

type Rows = Pick<CudaLinearProblem, 'm' | 'format'>;

/** Shared memory of a stage and of what does not depend on the number of stages. */
function ringBytes(
  config: RingConfig,
  { m, format }: Rows,
): { readonly stage: number; readonly fixed: number } {
  const { isTiled, tile } = storedWeights(format);
  const tiles = config.tilesPerWarp * config.rowWarps;
  const xRows = ringRows(config, m);
  const unit = isTiled && xRows === 1 ? 128 : 1024;
  const inUnits = (bytes: number): number => ceilDiv(bytes, unit) * unit;
  const weightBytes = ((config.boxes * BOX_COLUMNS) / tile.columns) * tiles * tile.bytes;
  return {
    stage: inUnits(weightBytes) + inUnits(xRows * config.boxes * 128),
    fixed: 256 + config.kWarps * tiles * config.tokenGroups * 8 * 16 * 4,
  };
}

/** Number of stages of the ring that fit into the block's shared memory: the fewer rows, the more. */
export function ringStages(config: RingConfig, rows: Rows): number {
  const { stage, fixed } = ringBytes(config, rows);
  return Math.min(MAX_STAGES, Math.floor((config.sharedBytes - fixed) / stage));
}

/** Template parameters. */
const numbersOf = ({ tokenGroups, tilesPerWarp, rowWarps, kWarps, boxes }: RingConfig): readonly number[] => [
  tokenGroups,
  tilesPerWarp,
  rowWarps,
  kWarps,
  boxes,
];

export const ring: LinearMethod<RingConfig> = {
  ...numberedKeys('ring', [
    'tokenGroups',
    'tilesPerWarp',
    'rowWarps',
    'kWarps',
    'boxes',
    'sharedBytes',
    'blocksPerMultiprocessor',
  ]),
  reads: new Set<WeightElement>(['f16', 'bf16', 'int8', 'fp8', 'int4']),
  builtIn(problem, { computeCapability, multiprocessorCount }) {
    const { m, format } = problem;
    const tokenGroups = tokenGroupsFor(m);
    if (!hasBulkRings(computeCapability) || tokenGroups === undefined) return undefined;
    const shapes = SHAPES[storedWeights(format).kind][tokenGroups];
    if (shapes === undefined) return undefined;
    return configOf(tokenGroups, shapeFor(shapes, problem, multiprocessorCount));
  },
  candidates({ m, format }, { computeCapability }) {
    const tokenGroups = tokenGroupsFor(m);
    if (!hasBulkRings(computeCapability) || tokenGroups === undefined) return [];
    return trialsOf(format)
      .map((shape) => configOf(tokenGroups, shape))
      .filter((config) => ringStages(config, { m: tokenGroups * 8, format }) >= MIN_STAGES);
  },
  fusesSwiglu: ({ tilesPerWarp, rowWarps }, inter) => inter % 16 === 0 && (tilesPerWarp * rowWarps) % 2 === 0,
  fits: ({ sharedBytes }, { sharedBytesPerBlock }) => sharedBytes <= sharedBytesPerBlock,
  kernel: (config, problem) => generatedKernel('ring', numbersOf(config), problem),
  maps(config, { n, k, format }, { x, xRows, weight, dtype }) {
    const boxCount = xBoxCount(config, k);
    const boxes = xBoxRows(config).map((boxRows) => ({
      address: x,
      rows: xRows,
      columns: k,
      boxRows,
      ...(boxCount > 1 && { boxCount }),
      dtype,
    }));
    if (storedWeights(format).isTiled) return boxes;
    return [...boxes, { address: weight, rows: n, columns: k, boxRows: WEIGHT_BOX_ROWS, dtype }];
  },
  launch(config, problem, operands, sink) {
    const { m, epilogue } = problem;
    const { x, weight, maps, multiprocessorCount } = operands;
    const { stage, fixed } = ringBytes(config, problem);
    const stageCount = ringStages(config, problem);
    const xRows = ringRows(config, m);
    const boxes = xBoxRows(config);
    const xMap = maps[xRows === 1 ? boxes.length - 1 : boxes.indexOf(xRows)]!;
    const tileRows = config.tilesPerWarp * config.rowWarps * (epilogue === 'swiglu' ? 8 : 16);
    const blocks = multiprocessorCount * config.blocksPerMultiprocessor;
    sink.kernel({
      ...kernelCode('ring', numbersOf(config), problem),
      grid: [Math.min(blocks, ceilDiv(outColumns(problem), tileRows)), 1, 1],
      blockThreads: (config.rowWarps * config.kWarps + 1) * 32,
      sharedBytes: fixed + stageCount * stage,
      args: RING_ARGS.of({
        x,
        weight,
        ...commonArguments(problem, operands),
        stageCount,
        xRows,
        xBoxCount: xBoxCount(config, problem.k),
        xMap,
        // Tiles are copied as they lie.
        weightMap: maps[boxes.length],
      }),
    });
  },
};
