/** Methods of `wide.cuh`: sizes of their configurations, estimated times, maps and launches, whatever numbers they multiply in. */
import {
  elementOf,
  type WeightElement,
  weightBytes,
  type WeightFormat,
} from '../../../plan/weight-format.js';
import { hasWarpgroupProducts } from '../../cuda/capability.js';
import { ceilDiv, type TensorMap } from '../../cuda/launch.js';
import type { Mapped, TileBox } from '../../cuda/mapped.js';
import type { StructValue, ValuesOf } from '../../struct.js';
import type { WIDE_ARGS } from './args.js';
import { commonArguments, generatedKernel, kernelCode, numberedKeys } from './generated-kernel.js';
import type { InputCodes, LinearLaunch, LinearMatrices, LinearMethod, LinearOperands } from './method.js';
import type { CudaLinearProblem, Epilogue } from './problem.js';
import { rowClass } from './row-classes.js';
import { type StoredWeights, storedWeights } from './stored-weights.js';
import { tileShape, type TileSize } from './tiles.js';

export interface WideShape {
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
type WideConfig<Name extends string> = WideShape & { readonly method: Name };

/** A shape and the numbers of rows that it is tried for. */
export type TriedShape = readonly [
  tokenGroups: number,
  tilesPerWarp: number,
  warpgroups: number,
  boxes: number,
  clusterBlocks: number,
  fromRows: number,
  toRows: number,
];

/** A matrix of tokens, whose boxes depend on the configuration. */
type MappedInput = Omit<Extract<Mapped, { boxRows: number }>, 'boxRows' | 'boxCount'>;

/** Properties in which methods differ. */
export interface WideKind<Name extends string> {
  readonly name: Name;
  readonly reads: ReadonlySet<WeightElement>;
  /** Whether it may compute a problem of more rows than {@link WideKind.mostOtherRows}. */
  readonly takes: (problem: CudaLinearProblem) => boolean;
  /** Up to here other methods are faster. */
  readonly mostOtherRows: (problem: CudaLinearProblem) => number;
  /** Bytes of a number of x. */
  readonly inputBytes: 1 | 2;
  readonly inputCodes?: InputCodes;
  /** Whether the products of a stage are a sum of their own (wide-promoted.cuh). */
  readonly promotes: boolean;
  readonly shapes: readonly TriedShape[];
  /** Clock cycles on an H200. */
  readonly cycles: WideCycles;
  /** The matrix that the kernel reads tokens from. */
  readonly tokens: (problem: CudaLinearProblem, matrices: LinearMatrices) => MappedInput;
  /** Enqueues what comes before the kernel; undefined where nothing does. */
  readonly prepare?: (problem: CudaLinearProblem, operands: LinearOperands) => LinearLaunch | undefined;
  /** Arguments of the kernel. */
  readonly args: (values: ValuesOf<typeof WIDE_ARGS>, operands: LinearOperands) => StructValue;
}

/** Formats that differ in what their operands cost. */
type WeightKind = StoredWeights['kind'];
const kindOf = (format: WeightFormat): WeightKind => storedWeights(format).kind;

interface WideCycles {
  /** For 64 weight rows by 64 k by a token. */
  readonly product: number;
  /** For 64 weight rows by 64 k, whatever the tokens. */
  readonly fragments: { readonly [Kind in WeightKind]?: number };
  readonly stage: number;
  /** Beginning and storing a tile. */
  readonly tile: number;
  /** Exchanging sums in a cluster: once, and for each 1,024 of them. */
  readonly exchange: number;
  readonly exchangedSums: number;
  /** Making activations of 1,024 sums of gate and up. */
  readonly gatedSums: number;
}
/** Bandwidth in bytes per clock: from L2 to one multiprocessor, and from memory to all of them. */
const BYTES_PER_CYCLE = { multiprocessor: 64, memory: 2400 } as const;

/**
 * So many of the configurations with the best estimates are timed. On an H200 the fastest of all was always among them for int8;
 * estimates of int4 and fp8 are not fitted.
 */
const TRIAL_COUNTS: Readonly<Record<WeightKind, number>> = { dense: 0, int8: 3, int4: 6, fp8: 6 };
const KIB = 1024;
const BOX_COLUMNS = 64;
const MAX_STAGES = 16;
/** Shared memory of a block. The device has a little more: 227 KiB. */
const SHARED_BYTES = 226 * KIB;
const WARP_THREADS = 32;
/** Above this many sums a warpgroup's thread, the filling warp becomes a warpgroup that gives its registers away (wide.cuh). */
const MAX_EVEN_GROUPS = 40;

const tileRows = ({ tilesPerWarp, warpgroups }: WideShape): number => tilesPerWarp * warpgroups * 64;

const tileCount = (shape: WideShape, { m, n }: Pick<CudaLinearProblem, 'm' | 'n'>): number =>
  ceilDiv(n, tileRows(shape)) * ceilDiv(m, shape.tokenGroups * 8);

/** Number of a device's blocks that make whole clusters. */
const blockCount = ({ clusterBlocks }: WideShape, multiprocessorCount: number): number =>
  Math.floor(multiprocessorCount / clusterBlocks) * clusterBlocks;

/** Configurations for the class of a problem on compute capability 9.0, those first that are estimated to be the fastest. */
export function wideConfigs<Name extends string>(
  kind: WideKind<Name>,
  posed: CudaLinearProblem,
  multiprocessorCount: number,
): readonly WideConfig<Name>[] {
  const problem = { ...posed, m: rowClass(posed.m) };
  const { m, n, format } = problem;
  const tileBoxes = storedWeights(format).tile.columns / BOX_COLUMNS;
  // Results are stored two by two.
  if (
    !kind.reads.has(elementOf(format)) ||
    m <= kind.mostOtherRows(problem) ||
    n % 2 !== 0 ||
    !kind.takes(problem)
  )
    return [];
  return kind.shapes
    .filter(([, , , , , from, to]) => from <= m && m <= to)
    .map(([tokenGroups, tilesPerWarp, warpgroups, fewestBoxes, clusterBlocks]) => {
      const boxes = Math.max(fewestBoxes, tileBoxes);
      const shape = { tokenGroups, tilesPerWarp, warpgroups, boxes, clusterBlocks };
      const config = { method: kind.name, ...shape };
      return { config, cycles: estimatedCycles(kind, shape, problem, multiprocessorCount) };
    })
    .toSorted((a, b) => a.cycles - b.cycles)
    .map(({ config }) => config);
}

/** Clock cycles of a problem, without those that do not depend on the configuration. */
function estimatedCycles(
  { cycles: costs, inputBytes }: Pick<WideKind<string>, 'cycles' | 'inputBytes'>,
  shape: WideShape,
  problem: CudaLinearProblem,
  multiprocessorCount: number,
): number {
  const { tokenGroups, boxes, clusterBlocks } = shape;
  const { format, n, k } = problem;
  const memoryBytes = weightBytes(format, n, k);
  const rows = tileRows(shape);
  const tokens = tokenGroups * 8;
  const tiles = tileCount(shape, problem);
  const blocks = Math.min(blockCount(shape, multiprocessorCount), tiles * clusterBlocks);
  // As `WideWork` in wide-work.cuh: whole tiles, then parts of tiles where that takes less time.
  const parts = ceilDiv(tiles % blocks, blocks / clusterBlocks);
  const isShared = parts < clusterBlocks;
  const turns = isShared ? Math.floor(tiles / blocks) + parts / clusterBlocks : ceilDiv(tiles, blocks);
  const computing = (rows / 64) * (costs.product * tokens + costs.fragments[kindOf(format)]!);
  const copied = BOX_COLUMNS * (rows * (memoryBytes / (n * k)) + inputBytes * tokens);
  const copying = copied / BYTES_PER_CYCLE.multiprocessor;
  const perBox = Math.max(computing, copying) + costs.stage / boxes;
  const exchange = isShared ? parts * (costs.exchange + (costs.exchangedSums * rows * tokens) / 1024) : 0;
  const gating = problem.epilogue === 'swiglu' ? (costs.gatedSums * rows * tokens) / 1024 : 0;
  const cycles = turns * (k / BOX_COLUMNS) * perBox + Math.ceil(turns) * (costs.tile + gating) + exchange;
  return Math.max(cycles, memoryBytes / BYTES_PER_CYCLE.memory);
}

/** Template parameters. */
const numbersOf = (shape: WideShape): readonly number[] => [
  shape.tokenGroups,
  shape.tilesPerWarp,
  shape.warpgroups,
  shape.boxes,
  shape.clusterBlocks,
];

/** Shared memory of a stage and of what does not depend on the number of stages. */
function wideBytes(
  inputBytes: number,
  shape: WideShape,
  { tile }: StoredWeights,
): { readonly stage: number; readonly fixed: number } {
  const { tokenGroups, tilesPerWarp, warpgroups, boxes, clusterBlocks } = shape;
  const tiles = tilesPerWarp * warpgroups * 4;
  const exchange = (clusterBlocks - 1) * tiles * (tokenGroups / clusterBlocks) * 512;
  // Two copies through maps, then boxes of x, which are swizzled.
  const copied = (tiles / 2) * tilesAcross(shape, tile) * tile.bytes;
  const weights = ceilDiv(ceilDiv(copied, 128) * 128 + copied, KIB) * KIB;
  const stage = weights + ((boxes * tokenGroups * inputBytes) / 2) * KIB;
  return { stage, fixed: exchange + 256 + warpgroups * 64 };
}

/** Tiles along the k of a stage. */
const tilesAcross = ({ boxes }: WideShape, tile: TileSize): number => (boxes * BOX_COLUMNS) / tile.columns;

/** Number of stages of the ring that fit into the block's shared memory. */
export function wideStages(
  { inputBytes }: Pick<WideKind<string>, 'inputBytes'>,
  shape: WideShape,
  format: WeightFormat,
): number {
  const { stage, fixed } = wideBytes(inputBytes, shape, storedWeights(format));
  return Math.min(MAX_STAGES, Math.floor((SHARED_BYTES - fixed) / stage));
}

/** Groups of tokens by 16 rows that a warp has sums of: those of a stage are of 16 groups of tokens at most. */
function sumGroups(
  { promotes }: Pick<WideKind<string>, 'promotes'>,
  { tokenGroups, tilesPerWarp }: WideShape,
): number {
  return tokenGroups * tilesPerWarp + (promotes ? tokenGroups / ceilDiv(tokenGroups, 16) : 0);
}

/** Box of the tiles' map: a stage's weights come in one copy, or in one of gate and one of up. */
const tileBox = (shape: WideShape, tile: TileSize, epilogue: Epilogue): TileBox => ({
  across: tilesAcross(shape, tile),
  down: shape.tilesPerWarp * shape.warpgroups * (epilogue === 'swiglu' ? 2 : 4),
});

export function wideMethod<Name extends string>(kind: WideKind<Name>): LinearMethod<WideConfig<Name>> {
  const method: LinearMethod<WideConfig<Name>> = {
    ...numberedKeys<WideConfig<Name>>(kind.name, [
      'tokenGroups',
      'tilesPerWarp',
      'warpgroups',
      'boxes',
      'clusterBlocks',
    ]),
    reads: kind.reads,
    ...(kind.inputCodes && { inputCodes: kind.inputCodes }),
    builtIn: (problem, target) => method.candidates(problem, target)[0],
    candidates: (problem, { computeCapability, multiprocessorCount }) =>
      hasWarpgroupProducts(computeCapability)
        ? wideConfigs(kind, problem, multiprocessorCount).slice(0, TRIAL_COUNTS[kindOf(problem.format)])
        : [],
    fusesSwiglu: (_, inter) => inter % 16 === 0,
    fits: () => true,
    kernel: (config, problem) => generatedKernel(kind.name, numbersOf(config), problem),
    maps(config, problem, matrices) {
      const { n, k, format, epilogue } = problem;
      const { tile } = storedWeights(format);
      const [down, across, tileBytes] = tileShape(tile, n, k);
      return [
        { ...kind.tokens(problem, matrices), boxRows: config.tokenGroups * 8 },
        { address: matrices.weight, down, across, tileBytes, box: tileBox(config, tile, epilogue) },
      ];
    },
    bind(config, problem, operands) {
      const prepare = kind.prepare?.(problem, operands);
      const { warpgroups, clusterBlocks } = config;
      const isFillingWarpgroup = sumGroups(kind, config) * warpgroups > MAX_EVEN_GROUPS;
      const { format, n } = problem;
      const { stage, fixed } = wideBytes(kind.inputBytes, config, storedWeights(format));
      const stageCount = wideStages(kind, config, format);
      const [xMap, weightMap]: readonly TensorMap[] = operands.maps;
      const mostBlocks = blockCount(config, operands.multiprocessorCount);
      const { unit, kernel } = kernelCode(kind.name, numbersOf(config), problem);
      const blockThreads = (warpgroups * 4 + (isFillingWarpgroup ? 4 : 1)) * WARP_THREADS;
      const sharedBytes = fixed + stageCount * stage;
      const values = { ...commonArguments(problem, operands), stageCount, xMap, weightMap };
      return (m, sink) => {
        prepare?.(m, sink);
        const blocks = Math.min(mostBlocks, tileCount(config, { m, n }) * clusterBlocks);
        const args = kind.args({ ...values, m }, operands);
        sink.kernel({ unit, kernel, grid: [blocks, 1, 1], blockThreads, sharedBytes, args });
      };
    },
  };
  return method;
}
