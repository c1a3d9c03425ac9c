/** Which CUDA kernel computes a linear layer, and how it is launched. Pure. */
import { ceilDiv, i32, pointer, type KernelLaunch } from '../cuda/launch.js';

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

export type LinearConfig = RingConfig | MatmulConfig;

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
export function chooseLinear(
  problem: LinearProblem,
  device: { readonly computeCapability: number; readonly multiprocessorCount: number },
): LinearConfig {
  const tokenGroups = ([1, 2, 4, 8] as const).find((groups) => problem.m <= groups * 8);
  const shapes =
    tokenGroups === undefined ? undefined : RING_SHAPES[problem.isInt8 ? 'int8' : 'dense'][tokenGroups];
  if (tokenGroups === undefined || shapes === undefined || device.computeCapability < 90)
    return { method: 'matmul' };
  const tilesPerMultiprocessor = problem.n / 16 / device.multiprocessorCount;
  const isFew = tilesPerMultiprocessor < FEW_TILES_PER_MULTIPROCESSOR && problem.epilogue !== 'swiglu';
  const [tilesPerWarp, rowWarps, kWarps, boxes, sharedKib, blocksPerMultiprocessor] = shapes[isFew ? 0 : 1];
  return {
    method: 'ring',
    ...{ tokenGroups, tilesPerWarp, rowWarps, kWarps, boxes, blocksPerMultiprocessor },
    sharedBytes: sharedKib * KIB,
  };
}

/** Whether gate-up and SwiGLU can be one kernel: gate and up rows must start on tiles. */
export function canFuseSwiglu(config: LinearConfig, inter: number): boolean {
  return config.method === 'ring' && inter % 16 === 0 && (config.tilesPerWarp * config.rowWarps) % 2 === 0;
}

export function ringKernelName(config: RingConfig, epilogue: LinearProblem['epilogue']): string {
  const { tokenGroups, tilesPerWarp, rowWarps, kWarps, boxes } = config;
  return `ring_n${tokenGroups}_t${tilesPerWarp}_${rowWarps}x${kWarps}_b${boxes}_${epilogue}`;
}

export const ringUnit = (isInt8: boolean): string => (isInt8 ? 'ring-int8' : 'ring-dense');

const EPILOGUES = { store: 'STORE', f32: 'STORE_F32', swiglu: 'SWIGLU' } as const;

/** The line that makes `ring.cu` define the kernel. */
export function ringKernelSource(config: RingConfig, problem: LinearProblem): string {
  const { tokenGroups, tilesPerWarp, rowWarps, kWarps, boxes } = config;
  const name = ringKernelName(config, problem.epilogue);
  const numbers = [tokenGroups, tilesPerWarp, rowWarps, kWarps, boxes].join(', ');
  return `RING_KERNEL(${name}, ${problem.isInt8}, ${numbers}, ${EPILOGUES[problem.epilogue]})`;
}

/** Shared memory of a stage and of what does not depend on the number of stages. */
function ringBytes(config: RingConfig, isInt8: boolean): { readonly stage: number; readonly fixed: number } {
  const tiles = config.tilesPerWarp * config.rowWarps;
  return {
    stage: config.boxes * (tiles * (isInt8 ? 1024 : 2048) + config.tokenGroups * 1024),
    fixed: 256 + config.kWarps * tiles * config.tokenGroups * 8 * 16 * 4,
  };
}

const MAX_STAGES = 16;

/** Stages of the ring that fit into the block's shared memory. */
export function ringStages(config: RingConfig, isInt8: boolean): number {
  const { stage, fixed } = ringBytes(config, isInt8);
  return Math.min(MAX_STAGES, Math.floor((config.sharedBytes - fixed) / stage));
}

export interface RingOperands {
  /** Device address of the tensor map of x with boxes of 8 tokenGroups rows. */
  readonly xMap: number;
  /** int8: the tiles; dense: the tensor map with boxes of 16 rows. */
  readonly weight: number;
  readonly scale: number;
  readonly bias: number;
  readonly out: number;
  readonly multiprocessorCount: number;
}

export function ringLaunch(config: RingConfig, problem: LinearProblem, operands: RingOperands): KernelLaunch {
  const { stage, fixed } = ringBytes(config, problem.isInt8);
  const stageCount = ringStages(config, problem.isInt8);
  const tiles = config.tilesPerWarp * config.rowWarps;
  const outRows = problem.epilogue === 'swiglu' ? problem.n / 2 : problem.n;
  const blockRows = problem.epilogue === 'swiglu' ? tiles * 8 : tiles * 16;
  const blocks = Math.min(
    operands.multiprocessorCount * config.blocksPerMultiprocessor,
    ceilDiv(outRows, blockRows),
  );
  return {
    unit: ringUnit(problem.isInt8),
    kernel: ringKernelName(config, problem.epilogue),
    grid: [blocks, 1, 1],
    blockThreads: (config.rowWarps * config.kWarps + 1) * 32,
    sharedBytes: fixed + stageCount * stage,
    args: [
      pointer(operands.xMap),
      pointer(operands.weight),
      pointer(operands.scale),
      pointer(operands.bias),
      pointer(operands.out),
      i32(problem.m),
      i32(problem.n),
      i32(problem.k),
      i32(outRows),
      i32(stageCount),
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
