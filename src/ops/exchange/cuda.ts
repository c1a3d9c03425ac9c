/** CUDA launches of exchanges between ranks. */
import { ceilDiv, type KernelLaunch } from '../cuda/launch.js';
import { Struct, type StructValue } from '../struct.js';

export const ALL_REDUCE_ARGS = new Struct('AllReduceArgs', 'exchange/all-reduce.cu', {
  region: 'address',
  x: 'address',
  vectors: 'i32',
});

export const TWO_SHOT_ARGS = new Struct('TwoShotArgs', 'exchange/all-reduce.cu', {
  region: 'address',
  x: 'address',
  vectors: 'i32',
  chunk: 'i32',
});

export const REDUCE_NORM_ARGS = new Struct('ReduceNormArgs', 'exchange/reduce-norm.cu', {
  region: 'address',
  x: 'address',
  residual: 'address',
  weight: 'address',
  out: 'address',
  epsilon: 'f32',
});

export const ALL_GATHER_ARGS = new Struct('AllGatherArgs', 'exchange/all-gather.cu', {
  region: 'address',
  x: 'address',
  out: 'address',
  rows: 'i32',
  columns: 'i32',
  outColumns: 'i32',
});

export const PLACE_GATHERED_ARGS = new Struct('PlaceGatheredArgs', 'exchange/all-gather.cu', {
  parts: 'address',
  out: 'address',
  rows: 'i32',
  columns: 'i32',
  outColumns: 'i32',
});

export const SHARE_TOKENS_ARGS = new Struct('ShareTokensArgs', 'exchange/tokens.cu', {
  region: 'address',
  tokens: 'address',
  logits: 'i32',
});

const TOKEN_TARGETS = {
  lastTokens: 'address',
  rowSlots: 'address',
  logitRows: 'address',
  logitTargets: 'address',
  logits: 'i32',
} as const;

export const TAKE_TOKENS_ARGS = new Struct('TakeTokensArgs', 'exchange/tokens.cu', {
  region: 'address',
  ...TOKEN_TARGETS,
});

export const PLACE_TOKENS_ARGS = new Struct('PlaceTokensArgs', 'exchange/tokens.cu', {
  tokens: 'address',
  ...TOKEN_TARGETS,
});

export const PROOF_ARGS = new Struct('ProofArgs', 'exchange/proof.cu', {
  region: 'address',
  read: 'address',
  mark: 'i32',
});

const ONE_SHOT_THREADS = 256;
const TWO_SHOT_THREADS = 512;
const REDUCE_NORM_THREADS = 256;
const GATHER_THREADS = 256;
const TOKEN_THREADS = 128;
/** Most blocks of a gather: all of them run at the same time. */
const MAX_GATHER_BLOCKS = 64;

function launchOf(
  kernel: string,
  blockThreads: number,
  grid: readonly [number, number],
  args: StructValue,
): KernelLaunch {
  return { unit: 'common', kernel, grid: [...grid, 1], blockThreads, sharedBytes: 0, args };
}

interface Reduced {
  readonly region: number;
  readonly x: number;
  /** Vectors of 8 values. */
  readonly vectors: number;
}

export function oneShotLaunch(reduced: Reduced): KernelLaunch {
  const blocks = ceilDiv(reduced.vectors, ONE_SHOT_THREADS);
  return launchOf('all_reduce_one_shot', ONE_SHOT_THREADS, [blocks, 1], ALL_REDUCE_ARGS.of(reduced));
}

/** @param multiprocessorCount limits the blocks, which all have to run at the same time */
export function twoShotLaunch(
  reduced: Reduced,
  { worldSize, multiprocessorCount }: { readonly worldSize: number; readonly multiprocessorCount: number },
): KernelLaunch {
  const chunk = ceilDiv(reduced.vectors, worldSize);
  const blocks = Math.min(ceilDiv(chunk, TWO_SHOT_THREADS), multiprocessorCount);
  const args = TWO_SHOT_ARGS.of({ ...reduced, chunk });
  return launchOf('all_reduce_two_shot', TWO_SHOT_THREADS, [blocks, 1], args);
}

export interface ReduceNormOperands {
  readonly region: number;
  readonly x: number;
  readonly residual: number;
  readonly weight: number;
  readonly out: number;
  readonly epsilon: number;
}

export function reduceNormLaunch(rows: number, operands: ReduceNormOperands): KernelLaunch {
  return launchOf('reduce_add_rms_norm', REDUCE_NORM_THREADS, [rows, 1], REDUCE_NORM_ARGS.of(operands));
}

/** Sizes of what is gathered. */
export interface GatherShape {
  readonly rows: number;
  /** Columns of each rank. */
  readonly columns: number;
  readonly outColumns: number;
}

export function allGatherLaunch(
  shape: GatherShape,
  at: { readonly region: number; readonly x: number; readonly out: number },
): KernelLaunch {
  const vectors = ceilDiv(shape.rows * shape.columns, 4);
  const blocks = Math.min(ceilDiv(vectors, GATHER_THREADS), MAX_GATHER_BLOCKS);
  return launchOf('all_gather', GATHER_THREADS, [blocks, 1], ALL_GATHER_ARGS.of({ ...at, ...shape }));
}

/** Places what a library has gathered. */
export function placeGatheredLaunch(
  shape: GatherShape,
  at: { readonly parts: number; readonly out: number },
): KernelLaunch {
  const blocks = Math.min(ceilDiv(shape.outColumns, GATHER_THREADS), MAX_GATHER_BLOCKS);
  const args = PLACE_GATHERED_ARGS.of({ ...at, ...shape });
  return launchOf('place_gathered', GATHER_THREADS, [blocks, shape.rows], args);
}

export function shareTokensLaunch(args: {
  readonly region: number;
  readonly tokens: number;
  readonly logits: number;
}): KernelLaunch {
  return launchOf('share_tokens', TOKEN_THREADS, [1, 1], SHARE_TOKENS_ARGS.of(args));
}

/** Places of a step's tokens. */
export interface TokenTargets {
  readonly lastTokens: number;
  readonly rowSlots: number;
  readonly logitRows: number;
  readonly logitTargets: number;
  readonly logits: number;
}

export function takeTokensLaunch(region: number, targets: TokenTargets): KernelLaunch {
  return launchOf('take_tokens', TOKEN_THREADS, [1, 1], TAKE_TOKENS_ARGS.of({ region, ...targets }));
}

/** Places tokens that a library has brought. */
export function placeTokensLaunch(tokens: number, targets: TokenTargets): KernelLaunch {
  return launchOf('place_tokens', TOKEN_THREADS, [1, 1], PLACE_TOKENS_ARGS.of({ tokens, ...targets }));
}

/** Marks of the proof: stored in the others' memory, or read. */
export function proofLaunch(
  kernel: 'store_marks' | 'read_marks',
  args: { readonly region: number; readonly read: number; readonly mark: number },
): KernelLaunch {
  return launchOf(kernel, 32, [1, 1], PROOF_ARGS.of(args));
}
