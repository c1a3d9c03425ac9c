/** Many rows of x on compute capability 9.0, whose warpgroups multiply: configurations of `wide.cu` and their estimated times. */
import {
  elementOf,
  type WeightElement,
  weightBytes,
  type WeightFormat,
} from '../../../plan/weight-format.js';
import { hasWarpgroupProducts } from '../../cuda/capability.js';
import { ceilDiv } from '../../cuda/launch.js';
import type { TileBox } from '../../cuda/mapped.js';
import { WIDE_ARGS } from './args.js';
import { commonArguments, generatedKernel, kernelCode, numberedKeys } from './generated-kernel.js';
import type { LinearMethod } from './method.js';
import type { CudaLinearProblem, Epilogue } from './problem.js';
import { rowClass } from './row-classes.js';
import { type StoredWeights, storedWeights } from './stored-weights.js';
import { tileShape, type TileSize } from './tiles.js';

export interface WideConfig {
  readonly method: 'wide';
  /** Groups of 8 tokens in a tile. */
  readonly tokenGroups: number;
  /** Times 64 weight rows: of a warpgroup. */
  readonly tilesPerWarp: number;
  readonly warpgroups: number;
  /** Boxes of 64 k in a stage. */
  readonly boxes: number;
  /** Blocks that divide the k of a tile when there are too few tiles for all blocks. */
  readonly clusterBlocks: number;
}

const READS: ReadonlySet<WeightElement> = new Set(['int8', 'int4']);
/** Up to here `ring.cu` is faster. */
const MAX_RING_ROWS = 16;
/**
 * So many of the configurations with the best estimates are timed. On an H200 the fastest of all was always among them for int8;
 * estimates of int4 are not fitted.
 */
const TRIAL_COUNTS = { int8: 3, int4: 6 } as const;

/** [tokenGroups, tilesPerWarp, warpgroups, boxes, clusterBlocks, from rows, to rows]: what won anywhere in trials on an H200. */
const SHAPES = [
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
] as const;

const KIB = 1024;
const BOX_COLUMNS = 64;

const kindOf = (format: WeightFormat): 'int8' | 'int4' =>
  storedWeights(format).kind === 'int4' ? 'int4' : 'int8';

const tileRows = ({ tilesPerWarp, warpgroups }: WideConfig): number => tilesPerWarp * warpgroups * 64;

const tileCount = (config: WideConfig, { m, n }: CudaLinearProblem): number =>
  ceilDiv(n, tileRows(config)) * ceilDiv(m, config.tokenGroups * 8);

/** Number of a device's blocks that make whole clusters. */
const blockCount = ({ clusterBlocks }: WideConfig, multiprocessorCount: number): number =>
  Math.floor(multiprocessorCount / clusterBlocks) * clusterBlocks;

/** Configurations for the class of a problem on compute capability 9.0, those first that are estimated to be the fastest. */
export function wideConfigs(posed: CudaLinearProblem, multiprocessorCount: number): readonly WideConfig[] {
  const problem = { ...posed, m: rowClass(posed.m) };
  const { m, n, format } = problem;
  const tileBoxes = storedWeights(format).tile.columns / BOX_COLUMNS;
  // Results are stored two by two.
  if (!READS.has(elementOf(format)) || m <= MAX_RING_ROWS || n % 2 !== 0) return [];
  return SHAPES.filter(([, , , , , from, to]) => from <= m && m <= to)
    .map(([tokenGroups, tilesPerWarp, warpgroups, fewestBoxes, clusterBlocks]) => {
      const boxes = Math.max(fewestBoxes, tileBoxes);
      const config = { method: 'wide', tokenGroups, tilesPerWarp, warpgroups, boxes, clusterBlocks } as const;
      return { config, cycles: estimatedCycles(config, problem, multiprocessorCount) };
    })
    .toSorted((a, b) => a.cycles - b.cycles)
    .map(({ config }) => config);
}

/**
 * Fitted to 11 numbers of rows by LLaMA-2-7B's four shapes on an H200: the estimate is 6% off, and what it chooses takes 0.5% more
 * time than the best, on average.
 */
const CYCLES = {
  /** For 64 weight rows by 64 k by a token: the tensor cores' rate is 2. */
  product: 2.05,
  /** For 64 weight rows by 64 k, whatever the tokens. For int4 it is counted in instructions, not fitted. */
  fragments: { int8: 40, int4: 65 },
  stage: 70,
  /** Beginning and storing a tile. */
  tile: 4700,
  /** Exchanging sums in a cluster: once, and for each 1,024 of them. */
  exchange: 1400,
  exchangedSums: 16,
} as const;
/** Bandwidth in bytes per clock: from L2 to one multiprocessor, and from memory to all of them. */
const BYTES_PER_CYCLE = { multiprocessor: 64, memory: 2400 } as const;

/** Clock cycles of a problem, without those that do not depend on the configuration. */
function estimatedCycles(
  config: WideConfig,
  problem: CudaLinearProblem,
  multiprocessorCount: number,
): number {
  const { tokenGroups, boxes, clusterBlocks } = config;
  const { format, n, k } = problem;
  const rows = tileRows(config);
  const fragments = CYCLES.fragments[kindOf(format)];
  const memoryBytes = weightBytes(format, n, k);
  const tokens = tokenGroups * 8;
  const tiles = tileCount(config, problem);
  const blocks = Math.min(blockCount(config, multiprocessorCount), tiles * clusterBlocks);
  // As `WideWork` in wide-work.cuh: whole tiles, then parts of tiles where that takes less time.
  const parts = ceilDiv(tiles % blocks, blocks / clusterBlocks);
  const isShared = parts < clusterBlocks;
  const turns = isShared ? Math.floor(tiles / blocks) + parts / clusterBlocks : ceilDiv(tiles, blocks);
  const computing = (rows / 64) * (CYCLES.product * tokens + fragments);
  const copying =
    (BOX_COLUMNS * (rows * (memoryBytes / (n * k)) + 2 * tokens)) / BYTES_PER_CYCLE.multiprocessor;
  const perBox = Math.max(computing, copying) + CYCLES.stage / boxes;
  const exchange = isShared ? parts * (CYCLES.exchange + (CYCLES.exchangedSums * rows * tokens) / 1024) : 0;
  const cycles = turns * (k / BOX_COLUMNS) * perBox + Math.ceil(turns) * CYCLES.tile + exchange;
  return Math.max(cycles, memoryBytes / BYTES_PER_CYCLE.memory);
}

/** Template parameters. */
const numbersOf = ({
  tokenGroups,
  tilesPerWarp,
  warpgroups,
  boxes,
  clusterBlocks,
}: WideConfig): readonly number[] => [tokenGroups, tilesPerWarp, warpgroups, boxes, clusterBlocks];

const MAX_STAGES = 16;
/** Shared memory of a block. The device has a little more: 227 KiB. */
const SHARED_BYTES = 226 * KIB;
const WARP_THREADS = 32;
/** Above this many sums a warpgroup's thread, the filling warp becomes a warpgroup that gives its registers away (wide.cu). */
const MAX_EVEN_GROUPS = 40;

/** Shared memory of a stage and of what does not depend on the number of stages. */
function wideBytes(
  config: WideConfig,
  { tile }: StoredWeights,
): { readonly stage: number; readonly fixed: number } {
  const { tokenGroups, tilesPerWarp, warpgroups, boxes, clusterBlocks } = config;
  const tiles = tilesPerWarp * warpgroups * 4;
  const exchange = (clusterBlocks - 1) * tiles * (tokenGroups / clusterBlocks) * 512;
  // Two copies through maps, then boxes of x, which are swizzled.
  const copied = (tiles / 2) * tilesAcross(config, tile) * tile.bytes;
  const weights = ceilDiv(ceilDiv(copied, 128) * 128 + copied, KIB) * KIB;
  return { stage: weights + boxes * tokenGroups * KIB, fixed: exchange + 256 + warpgroups * 64 };
}

/** Tiles along the k of a stage. */
const tilesAcross = ({ boxes }: WideConfig, tile: TileSize): number => (boxes * BOX_COLUMNS) / tile.columns;

/** Number of stages of the ring that fit into the block's shared memory. */
export function wideStages(config: WideConfig, format: WeightFormat): number {
  const { stage, fixed } = wideBytes(config, storedWeights(format));
  return Math.min(MAX_STAGES, Math.floor((SHARED_BYTES - fixed) / stage));
}

/** Box of the tiles' map: a stage's weights come in one copy, or in one of gate and one of up. */
const tileBox = (config: WideConfig, tile: TileSize, epilogue: Epilogue): TileBox => ({
  across: tilesAcross(config, tile),
  down: config.tilesPerWarp * config.warpgroups * (epilogue === 'swiglu' ? 2 : 4),
});

export const wide: LinearMethod<WideConfig> = {
  ...numberedKeys('wide', ['tokenGroups', 'tilesPerWarp', 'warpgroups', 'boxes', 'clusterBlocks']),
  reads: READS,
  builtIn: (problem, target) => wide.candidates(problem, target)[0],
  candidates: (problem, { computeCapability, multiprocessorCount }) =>
    hasWarpgroupProducts(computeCapability)
      ? wideConfigs(problem, multiprocessorCount).slice(0, TRIAL_COUNTS[kindOf(problem.format)])
      : [],
  fusesSwiglu: (_, inter) => inter % 16 === 0,
  fits: () => true,
  kernel: (config, problem) => generatedKernel('wide', numbersOf(config), problem),
  maps(config, { n, k, format, epilogue }, { x, xRows, weight, dtype }) {
    const { tile } = storedWeights(format);
    const [down, across, tileBytes] = tileShape(tile, n, k);
    return [
      { address: x, rows: xRows, columns: k, boxRows: config.tokenGroups * 8, dtype },
      { address: weight, down, across, tileBytes, box: tileBox(config, tile, epilogue) },
    ];
  },
  launch(config, problem, operands, sink) {
    const { tokenGroups, tilesPerWarp, warpgroups, clusterBlocks } = config;
    const isFillingWarpgroup = tokenGroups * tilesPerWarp * warpgroups > MAX_EVEN_GROUPS;
    const { stage, fixed } = wideBytes(config, storedWeights(problem.format));
    const stageCount = wideStages(config, problem.format);
    const [xMap, weightMap] = operands.maps;
    const blocks = Math.min(
      blockCount(config, operands.multiprocessorCount),
      tileCount(config, problem) * clusterBlocks,
    );
    sink.kernel({
      ...kernelCode('wide', numbersOf(config), problem),
      grid: [blocks, 1, 1],
      blockThreads: (warpgroups * 4 + (isFillingWarpgroup ? 4 : 1)) * WARP_THREADS,
      sharedBytes: fixed + stageCount * stage,
      args: WIDE_ARGS.of({ ...commonArguments(problem, operands), stageCount, xMap, weightMap }),
    });
  },
};
