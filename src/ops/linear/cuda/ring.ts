/** Few rows of x on devices with bulk copies, which stream the weights through a ring: configurations of `ring.cu`. */
import type { WeightElement, WeightFormat } from '../../../plan/weight-format.js';
import { hasBulkRings } from '../../cuda/capability.js';
import { ceilDiv } from '../../cuda/launch.js';
import { RING_ARGS } from './args.js';
import { commonArguments, generatedKernel, kernelCode, numberedKeys } from './generated-kernel.js';
import type { LinearMethod } from './method.js';
import { type CudaLinearProblem, outColumns } from './problem.js';
import { type RingShape, shapeFor, type TokenGroups, trialsOf } from './ring-shapes.js';
import { storedWeights } from './stored-weights.js';

export interface RingConfig {
  readonly method: 'ring';
  /** Groups of 8 tokens. */
  readonly tokenGroups: TokenGroups;
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
/** A ring of fewer stages cannot hide its copies. */
const MIN_STAGES = 2;
const MAX_STAGES = 16;
/** Shared memory for barriers and for norms. */
const FIXED_BYTES = 640;
/** Stages that a block has not requested yet when the next kernel may start: its copies take the place of those that end. */
const LEAD_STAGES = 4;
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

/** Shared memory of a ring: its stages, and their bytes with those that do not depend on their number. */
interface RingRoom {
  readonly stageCount: number;
  readonly byteLength: number;
}

/** The room of a block with so many rows of x in a stage: the fewer rows, the more stages fit. */
function ringRoom(config: RingConfig, xRows: number, format: WeightFormat): RingRoom {
  const { isTiled, tile } = storedWeights(format);
  const tiles = config.tilesPerWarp * config.rowWarps;
  const unit = isTiled && xRows === 1 ? 128 : 1024;
  const inUnits = (bytes: number): number => ceilDiv(bytes, unit) * unit;
  const weightBytes = ((config.boxes * BOX_COLUMNS) / tile.columns) * tiles * tile.bytes;
  const stage = inUnits(weightBytes) + inUnits(xRows * config.boxes * 128);
  const fixed = FIXED_BYTES + config.kWarps * tiles * config.tokenGroups * 8 * 16 * 4;
  const stageCount = Math.min(MAX_STAGES, Math.floor((config.sharedBytes - fixed) / stage));
  return { stageCount, byteLength: fixed + stageCount * stage };
}

/** Stages of the ring for a number of rows. */
export const ringStages = (
  config: RingConfig,
  { m, format }: Pick<CudaLinearProblem, 'm' | 'format'>,
): number => ringRoom(config, ringRows(config, m), format).stageCount;

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
    const tokenGroups = tokenGroupsFor(problem.m);
    if (!hasBulkRings(computeCapability) || tokenGroups === undefined) return undefined;
    const shape = shapeFor(problem, tokenGroups, multiprocessorCount);
    return shape && configOf(tokenGroups, shape);
  },
  candidates({ m, format }, { computeCapability }) {
    const tokenGroups = tokenGroupsFor(m);
    if (!hasBulkRings(computeCapability) || tokenGroups === undefined) return [];
    return trialsOf(format, tokenGroups)
      .map((shape) => configOf(tokenGroups, shape))
      .filter((config) => ringStages(config, { m: tokenGroups * 8, format }) >= MIN_STAGES);
  },
  fusesSwiglu: ({ tilesPerWarp, rowWarps }, inter) => inter % 16 === 0 && (tilesPerWarp * rowWarps) % 2 === 0,
  fits: ({ sharedBytes }, { sharedBytesPerBlock }) => sharedBytes <= sharedBytesPerBlock,
  kernel: (config, problem) => generatedKernel('ring', numbersOf(config), problem),
  normedKernel: (config, problem) =>
    generatedKernel('ring', numbersOf(config), { ...problem, epilogue: 'add' }),
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
  bind(config, problem, operands) {
    const { format, epilogue } = problem;
    const { x, weight, maps, multiprocessorCount, normBefore, normAfter } = operands;
    const boxes = xBoxRows(config);
    const tileRows = config.tilesPerWarp * config.rowWarps * (epilogue === 'swiglu' ? 8 : 16);
    const mostBlocks = multiprocessorCount * config.blocksPerMultiprocessor;
    const launch = {
      ...kernelCode('ring', numbersOf(config), normAfter ? { ...problem, epilogue: 'add' } : problem),
      grid: [Math.min(mostBlocks, ceilDiv(outColumns(problem), tileRows)), 1, 1],
      blockThreads: (config.rowWarps * config.kWarps + 1) * 32,
    } as const;
    const values = {
      x,
      weight,
      ...commonArguments(problem, operands),
      xBoxCount: xBoxCount(config, problem.k),
      lead: LEAD_STAGES,
      // Tiles are copied as they lie.
      weightMap: maps[boxes.length],
      normWeight: normBefore?.weight ?? 0,
      squares: normBefore?.squares ?? 0,
      epsilon: normBefore?.epsilon ?? 0,
      nextNormWeight: normAfter?.weight ?? 0,
      nextSquares: normAfter?.squares ?? 0,
      residual: normAfter?.residual ?? 0,
    };
    const rings = new Map(
      [1, ...boxes].map((xRows) => {
        const { stageCount, byteLength: sharedBytes } = ringRoom(config, xRows, format);
        const xMap = maps[xRows === 1 ? boxes.length - 1 : boxes.indexOf(xRows)]!;
        return [xRows, { sharedBytes, ofRing: { stageCount, xRows, xMap } }];
      }),
    );
    return (m, sink) => {
      const { sharedBytes, ofRing } = rings.get(ringRows(config, m))!;
      sink.kernel({ ...launch, sharedBytes, args: RING_ARGS.of({ ...values, ...ofRing, m }) });
    };
  },
};
