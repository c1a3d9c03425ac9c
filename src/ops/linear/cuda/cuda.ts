/** Which CUDA kernel computes a linear layer, and how it is launched. Pure. */
import { type CudaTarget, hasBulkRings, hasWarpgroupProducts } from '../../cuda/capability.js';
import { ceilDiv, i32, pointer, tensorMap, type KernelLaunch, type TensorMap } from '../../cuda/launch.js';
import { type WideConfig, wideConfigs, wideNumbers, wideShape, wideStages } from './wide.js';

export interface LinearProblem {
  /** Rows of x. */
  readonly m: number;
  /** Output features; gate and up together with the swiglu epilogue. */
  readonly n: number;
  /** Input features. */
  readonly k: number;
  readonly isInt8: boolean;
  readonly epilogue: 'store' | 'f32' | 'swiglu';
}

/** A configuration of `ring.cu`. */
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

/** cuBLASLt on dense weights; int8 weights are made dense in a scratch buffer first. */
export interface MatmulConfig {
  readonly method: 'matmul';
  /** Which of cuBLASLt's proposals; default 0, its first. */
  readonly algorithm?: number;
}

/** A configuration of `stream.cu`, for devices without bulk copies. */
export interface StreamConfig {
  readonly method: 'stream';
  readonly tokenGroups: 1 | 2;
  /** Warps that divide k. */
  readonly warps: number;
  /** 16-row tiles of a block; with the swiglu epilogue one of gate and one of up. */
  readonly tiles: 1 | 2;
  /** Pieces of weights in flight in a thread's registers. */
  readonly stages: number;
}

/** Kernels that a plan compiles for itself. */
export type GeneratedConfig = RingConfig | StreamConfig | WideConfig;
export type LinearConfig = GeneratedConfig | MatmulConfig;

const KIB = 1024;
/** Below this many 16-row tiles per multiprocessor, blocks of one tile share the work better than blocks of two. */
const FEW_TILES_PER_MULTIPROCESSOR = 4;

type RingShape = readonly [
  tilesPerWarp: number,
  rowWarps: number,
  kWarps: number,
  boxes: number,
  sharedKib: number,
  blocksPerMultiprocessor: number,
];

/** Winners on an H200 for LLaMA-2-7B's shapes: [weights][token groups] -> [few rows of weights, many]. */
const RING_SHAPES: Readonly<
  Record<'dense' | 'int8', Partial<Record<number, readonly [RingShape, RingShape]>>>
> = {
  dense: {
    1: [
      [1, 1, 4, 4, 108, 2],
      [2, 1, 4, 4, 108, 2],
    ],
    2: [
      [1, 1, 4, 4, 108, 2],
      [2, 1, 4, 4, 108, 2],
    ],
    4: [
      [2, 1, 4, 4, 200, 1],
      [2, 2, 2, 2, 108, 2],
    ],
  },
  int8: {
    1: [
      [1, 1, 8, 8, 108, 2],
      [2, 1, 4, 4, 72, 3],
    ],
    2: [
      [1, 1, 8, 8, 108, 2],
      [2, 1, 4, 4, 72, 3],
    ],
    4: [
      [2, 1, 4, 4, 200, 1],
      [2, 2, 2, 2, 72, 3],
    ],
    8: [
      [1, 2, 4, 4, 200, 1],
      [2, 2, 2, 2, 108, 2],
    ],
  },
};

/** The fastest known way to compute a linear layer on a device with `multiprocessorCount` multiprocessors. */
export function chooseLinear(problem: LinearProblem, device: CudaTarget): LinearConfig {
  if (!hasBulkRings(device.computeCapability)) return chooseStream(problem);
  if (hasWarpgroupProducts(device.computeCapability)) {
    const [wide] = wideConfigs(problem, device.multiprocessorCount);
    if (wide !== undefined) return wide;
  }
  const tokenGroups = ([1, 2, 4, 8] as const).find((groups) => problem.m <= groups * 8);
  const shapes =
    tokenGroups === undefined ? undefined : RING_SHAPES[problem.isInt8 ? 'int8' : 'dense'][tokenGroups];
  if (tokenGroups === undefined || shapes === undefined) return { method: 'matmul' };
  const tilesPerMultiprocessor = problem.n / 16 / device.multiprocessorCount;
  const isFew = tilesPerMultiprocessor < FEW_TILES_PER_MULTIPROCESSOR && problem.epilogue !== 'swiglu';
  const [tilesPerWarp, rowWarps, kWarps, boxes, sharedKib, blocksPerMultiprocessor] = shapes[isFew ? 0 : 1];
  return {
    method: 'ring',
    tokenGroups,
    tilesPerWarp,
    rowWarps,
    kWarps,
    boxes,
    blocksPerMultiprocessor,
    sharedBytes: sharedKib * KIB,
  };
}

function chooseStream({ m, epilogue }: LinearProblem): LinearConfig {
  const tiles = epilogue === 'swiglu' ? 2 : 1;
  if (m <= 8) return { method: 'stream', tokenGroups: 1, warps: 8, tiles, stages: 4 };
  if (m <= 16) return { method: 'stream', tokenGroups: 2, warps: 8, tiles, stages: 2 };
  return { method: 'matmul' };
}

/** Whether gate-up and SwiGLU can be one kernel: gate and up rows must start on tiles. */
export function canFuseSwiglu(config: LinearConfig, inter: number): boolean {
  if (config.method === 'matmul' || inter % 16 !== 0) return false;
  return config.method !== 'ring' || (config.tilesPerWarp * config.rowWarps) % 2 === 0;
}

type Epilogue = LinearProblem['epilogue'];

function kernelName(config: GeneratedConfig, epilogue: Epilogue): string {
  return `${config.method}_${kernelNumbers(config).join('_')}_${epilogue}`;
}

/** Template parameters, in the order of the sources. */
function kernelNumbers(config: GeneratedConfig): readonly number[] {
  if (config.method === 'stream') return [config.tokenGroups, config.warps, config.tiles, config.stages];
  if (config.method === 'wide') return wideNumbers(config);
  const { tokenGroups, tilesPerWarp, rowWarps, kWarps, boxes } = config;
  return [tokenGroups, tilesPerWarp, rowWarps, kWarps, boxes];
}

/** Name of the compiled unit, and the file that has the template of a configuration's kernels. */
export const linearUnit = (isInt8: boolean): string => (isInt8 ? 'linear-int8' : 'linear-dense');
export const linearFile = ({ method }: GeneratedConfig): string => `linear/cuda/${method}.cu`;

const EPILOGUES = { store: 'STORE', f32: 'STORE_F32', swiglu: 'SWIGLU' } as const;

/** The line that makes the source define the kernel. */
export function kernelLine(config: GeneratedConfig, { isInt8, epilogue }: LinearProblem): string {
  const numbers = kernelNumbers(config).join(', ');
  const name = kernelName(config, epilogue);
  return `${config.method.toUpperCase()}_KERNEL(${name}, ${isInt8}, ${numbers}, ${EPILOGUES[epilogue]})`;
}

interface Grouped {
  readonly tokenGroups: number;
}

type RingRows = Pick<LinearProblem, 'm' | 'isInt8'>;

/** Rows of x that the ring's boxes have: what x takes grows with them, and few sizes need few tensor maps. */
function ringRows({ tokenGroups }: Grouped, m: number): number {
  return m === 1 ? 1 : tokenGroups === 1 && m <= 4 ? 4 : tokenGroups * 8;
}

/** Rows of the boxes of the tensor map of x that a launch takes; with a single row it takes one and ignores it. */
export const xMapRows = (config: Grouped, m: number): number => (m === 1 ? 8 : ringRows(config, m));

/** Shared memory of a stage and of what does not depend on the number of stages. */
function ringBytes(
  config: RingConfig,
  { m, isInt8 }: RingRows,
): { readonly stage: number; readonly fixed: number } {
  const tiles = config.tilesPerWarp * config.rowWarps;
  const xRows = ringRows(config, m);
  const unit = isInt8 && xRows === 1 ? 128 : 1024;
  const xBytes = ceilDiv(xRows * config.boxes * 128, unit) * unit;
  return {
    stage: config.boxes * tiles * (isInt8 ? 1024 : 2048) + xBytes,
    fixed: 256 + config.kWarps * tiles * config.tokenGroups * 8 * 16 * 4,
  };
}

const MAX_STAGES = 16;

/** Stages of the ring that fit into the block's shared memory: the fewer rows, the more. */
export function ringStages(config: RingConfig, rows: RingRows): number {
  const { stage, fixed } = ringBytes(config, rows);
  return Math.min(MAX_STAGES, Math.floor((config.sharedBytes - fixed) / stage));
}

export interface LinearOperands {
  /** Device address of x. */
  readonly x: number;
  /** Tiles or dense rows. */
  readonly weight: number;
  /** Ring and wide: of x, with boxes of `xMapRows` rows. */
  readonly xMap: TensorMap | undefined;
  /** Ring: of a dense weight, with boxes of 16 rows. Wide: of the tiles, with boxes as `tileBox` says. */
  readonly weightMap: TensorMap | undefined;
  readonly scale: number;
  readonly bias: number;
  readonly out: number;
  readonly multiprocessorCount: number;
}

export function linearLaunch(
  config: GeneratedConfig,
  problem: LinearProblem,
  operands: LinearOperands,
): KernelLaunch {
  const { m, n, k, isInt8, epilogue } = problem;
  const outRows = epilogue === 'swiglu' ? n / 2 : n;
  const { scale, bias, out } = operands;
  const common = [...[scale, bias, out].map(pointer), ...[m, n, k, outRows].map(i32)];
  const code = { unit: linearUnit(isInt8), kernel: kernelName(config, epilogue) };
  if (config.method === 'stream') {
    const { warps, tiles, tokenGroups } = config;
    return {
      ...code,
      grid: [ceilDiv(outRows, epilogue === 'swiglu' ? 16 : tiles * 16), 1, 1],
      blockThreads: warps * 32,
      sharedBytes: warps * tiles * tokenGroups * 8 * 16 * 4,
      args: [pointer(operands.x), pointer(operands.weight), ...common],
    };
  }
  if (config.method === 'wide') {
    const maps = [tensorMap(operands.xMap!), tensorMap(operands.weightMap!)];
    const args = [...maps, ...common, i32(wideStages(config))];
    return { ...code, ...wideShape(config, problem, operands.multiprocessorCount), args };
  }
  const { stage, fixed } = ringBytes(config, problem);
  const stageCount = ringStages(config, problem);
  const tileRows = config.tilesPerWarp * config.rowWarps * (epilogue === 'swiglu' ? 8 : 16);
  const blocks = operands.multiprocessorCount * config.blocksPerMultiprocessor;
  return {
    ...code,
    grid: [Math.min(blocks, ceilDiv(outRows, tileRows)), 1, 1],
    blockThreads: (config.rowWarps * config.kWarps + 1) * 32,
    sharedBytes: fixed + stageCount * stage,
    args: [
      pointer(operands.x),
      tensorMap(operands.xMap!),
      isInt8 ? pointer(operands.weight) : tensorMap(operands.weightMap!),
      ...common,
      i32(stageCount),
      i32(ringRows(config, m)),
    ],
  };
}

/** int8 tiles -> dense [n, k] in the activation's type. */
export function dequantiseLaunch(
  { n, k }: Pick<LinearProblem, 'n' | 'k'>,
  operands: { readonly weight: number; readonly scale: number; readonly out: number },
): KernelLaunch {
  const warps = 8;
  return {
    unit: 'common',
    kernel: 'dequantise',
    grid: [ceilDiv(ceilDiv(n, 16) * ceilDiv(k, 64), warps), 1, 1],
    blockThreads: warps * 32,
    sharedBytes: 0,
    args: [pointer(operands.weight), pointer(operands.scale), pointer(operands.out), i32(n), i32(k)],
  };
}
