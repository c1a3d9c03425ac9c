/** Configurations of `wide.cu`: which there are, which is estimated to be the fastest for a problem, and how it is launched. Pure. */
import { ceilDiv, type KernelLaunch } from '../cuda/launch.js';
import type { LinearProblem } from './cuda.js';
import { rowClass } from './row-classes.js';

/** A configuration of `wide.cu`. */
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
  /** Shared memory that a block may take. */
  readonly sharedBytes: number;
}

const KIB = 1024;
/** Up to here it takes less time than a dense copy of the weights and cuBLASLt (H200, LLaMA-2-7B: 1,196 to 1,266 us a layer). */
const MAX_WIDE_ROWS = 2048;
/** Up to here `ring.cu` is faster. */
const MAX_RING_ROWS = 16;
/** Tiles of this many tokens are for no more rows. */
const FEW_TOKEN_GROUPS = 4;

/** [tokenGroups, tilesPerWarp, warpgroups, boxes, clusterBlocks, shared KiB]: what won anywhere in trials on an H200. */
const SHAPES = [
  [4, 1, 1, 4, 1, 108],
  [4, 1, 1, 8, 2, 226],
  [4, 1, 2, 4, 2, 226],
  [8, 1, 1, 4, 2, 226],
  [8, 1, 2, 4, 1, 226],
  [8, 1, 2, 4, 2, 226],
  [12, 1, 2, 2, 2, 226],
  [12, 1, 3, 2, 1, 226],
  [12, 1, 3, 2, 2, 226],
  [16, 1, 2, 2, 1, 226],
  [16, 1, 2, 2, 2, 226],
  [16, 1, 3, 2, 1, 226],
  [16, 1, 3, 2, 2, 226],
  [16, 2, 2, 2, 1, 226],
  [24, 1, 2, 2, 1, 226],
] as const;

const tileRows = ({ tilesPerWarp, warpgroups }: WideConfig): number => tilesPerWarp * warpgroups * 64;

const tileCount = (config: WideConfig, { m, n }: LinearProblem): number =>
  ceilDiv(n, tileRows(config)) * ceilDiv(m, config.tokenGroups * 8);

/** Blocks of a device that hold whole clusters. */
const blockCount = ({ clusterBlocks }: WideConfig, multiprocessorCount: number): number =>
  Math.floor(multiprocessorCount / clusterBlocks) * clusterBlocks;

/** Configurations for the class of a problem on compute capability 9.0, those first that are estimated to be the fastest. */
export function wideConfigs(posed: LinearProblem, multiprocessorCount: number): readonly WideConfig[] {
  const problem = { ...posed, m: rowClass(posed.m) };
  const { m, n, isInt8 } = problem;
  // Results are stored two by two.
  if (!isInt8 || m <= MAX_RING_ROWS || m > MAX_WIDE_ROWS || n % 2 !== 0) return [];
  const isFew = m <= FEW_TOKEN_GROUPS * 8;
  return SHAPES.filter(([tokenGroups]) =>
    isFew ? tokenGroups === FEW_TOKEN_GROUPS : tokenGroups > FEW_TOKEN_GROUPS && tokenGroups * 8 < m * 1.5,
  )
    .map(([tokenGroups, tilesPerWarp, warpgroups, boxes, clusterBlocks, sharedKib]) => {
      const config: WideConfig = {
        method: 'wide',
        ...{ tokenGroups, tilesPerWarp, warpgroups, boxes, clusterBlocks },
        sharedBytes: sharedKib * KIB,
      };
      return { config, cycles: estimatedCycles(config, problem, multiprocessorCount) };
    })
    .toSorted((a, b) => a.cycles - b.cycles)
    .map(({ config }) => config);
}

/** Fitted to 12 numbers of rows by LLaMA-2-7B's four shapes on an H200: its choice takes 1% more time than the best, on average. */
const CYCLES = {
  /** Of 64 weight rows by 64 k by a token: the tensor cores' rate. */
  product: 2,
  /** Of 64 weight rows by 64 k, whatever the tokens. */
  fragments: 50,
  stage: 350,
  /** Storing a result, of 1,024. */
  store: 2.8,
  /** Exchanging sums in a cluster: once, and of 1,024. */
  exchange: 3100,
  exchangeStore: 4.3,
} as const;
/** Weights from memory. */
const BYTES_PER_CYCLE = 2400;

/** Clock cycles of a problem, less what does not depend on the configuration. */
function estimatedCycles(config: WideConfig, problem: LinearProblem, multiprocessorCount: number): number {
  const { tokenGroups, boxes, clusterBlocks } = config;
  const rows = tileRows(config);
  const tokens = tokenGroups * 8;
  const tiles = tileCount(config, problem);
  const blocks = Math.min(blockCount(config, multiprocessorCount), tiles * clusterBlocks);
  // As `Work` in wide.cu: whole tiles, then parts of tiles where that takes less time.
  const parts = ceilDiv(tiles % blocks, blocks / clusterBlocks);
  const isShared = parts < clusterBlocks;
  const turns = isShared ? Math.floor(tiles / blocks) + parts / clusterBlocks : ceilDiv(tiles, blocks);
  const perBox = (rows / 64) * (CYCLES.product * tokens + CYCLES.fragments) + CYCLES.stage / boxes;
  const results = (rows * tokens) / 1024;
  const exchange = isShared ? parts * (CYCLES.exchange + CYCLES.exchangeStore * results) : 0;
  const computing = turns * (problem.k / 64) * perBox + Math.ceil(turns) * CYCLES.store * results + exchange;
  return Math.max(computing, (problem.n * problem.k) / BYTES_PER_CYCLE);
}

/** Template parameters, in the order of the source. */
export const wideNumbers = (config: WideConfig): readonly number[] => [
  ...[config.tokenGroups, config.tilesPerWarp, config.warpgroups, config.boxes, config.clusterBlocks],
];

const MAX_STAGES = 16;
const WARP_THREADS = 32;
/** Above this many sums a warpgroup's thread, the filling warp becomes a warpgroup that gives its registers away (wide.cu). */
const MAX_EVEN_GROUPS = 40;

/** Shared memory of a stage and of what does not depend on the number of stages. */
function wideBytes(config: WideConfig): { readonly stage: number; readonly fixed: number } {
  const { tokenGroups, tilesPerWarp, warpgroups, boxes, clusterBlocks } = config;
  const tiles = tilesPerWarp * warpgroups * 4;
  const exchange = (clusterBlocks - 1) * tiles * (tokenGroups / clusterBlocks) * 512;
  return { stage: boxes * (tiles + tokenGroups) * KIB, fixed: exchange + 256 + warpgroups * 64 };
}

/** Stages of the ring that fit into the block's shared memory. */
export function wideStages(config: WideConfig): number {
  const { stage, fixed } = wideBytes(config);
  return Math.min(MAX_STAGES, Math.floor((config.sharedBytes - fixed) / stage));
}

/** Grid, block and shared memory; arguments are those of `ring.cu`. */
export function wideShape(
  config: WideConfig,
  problem: LinearProblem,
  multiprocessorCount: number,
): Pick<KernelLaunch, 'grid' | 'blockThreads' | 'sharedBytes'> {
  const { tokenGroups, tilesPerWarp, warpgroups, clusterBlocks } = config;
  const isFillingWarpgroup = tokenGroups * tilesPerWarp * warpgroups > MAX_EVEN_GROUPS;
  const { stage, fixed } = wideBytes(config);
  const blocks = Math.min(
    blockCount(config, multiprocessorCount),
    tileCount(config, problem) * clusterBlocks,
  );
  return {
    grid: [blocks, 1, 1],
    blockThreads: (warpgroups * 4 + (isFillingWarpgroup ? 4 : 1)) * WARP_THREADS,
    sharedBytes: fixed + wideStages(config) * stage,
  };
}
