/** Few rows on devices without rings of bulk copies: configurations of `stream.cu`. */
import { elementOf, type WeightElement } from '../../../plan/weight-format.js';
import { type CudaTarget, hasBulkRings } from '../../cuda/capability.js';
import { ceilDiv } from '../../cuda/launch.js';
import { STREAM_ARGS } from './args.js';
import { commonArguments, generatedKernel, kernelCode, numberedKeys } from './generated-kernel.js';
import type { LinearMethod } from './method.js';
import { type CudaLinearProblem, outColumns } from './problem.js';

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

const MAX_ROWS = 16;

/** [warps, stages] that are worth trying, by token groups. */
const TRIALS = {
  1: [
    [4, 4],
    [8, 2],
    [8, 4],
  ],
  2: [
    [4, 2],
    [8, 2],
  ],
} as const;

/** Template parameters. */
const numbersOf = ({ tokenGroups, warps, tiles, stages }: StreamConfig): readonly number[] => [
  tokenGroups,
  warps,
  tiles,
  stages,
];

/** The same for int4, of which a chunk takes twice the registers. */
const INT4_TRIALS = {
  1: [
    [4, 2],
    [8, 2],
  ],
  2: [
    [4, 2],
    [8, 2],
  ],
} as const;

/** Whether it runs a problem: on a device for which there is nothing better. */
const isFor = ({ m }: CudaLinearProblem, { computeCapability }: CudaTarget): boolean =>
  !hasBulkRings(computeCapability) && m <= MAX_ROWS;

const isInt4 = ({ format }: CudaLinearProblem): boolean => elementOf(format) === 'int4';

export const stream: LinearMethod<StreamConfig> = {
  ...numberedKeys('stream', ['tokenGroups', 'warps', 'tiles', 'stages']),
  reads: new Set<WeightElement>(['f16', 'bf16', 'int8', 'fp8', 'int4']),
  builtIn(problem, target) {
    if (!isFor(problem, target)) return undefined;
    const { m, epilogue } = problem;
    const tiles = epilogue === 'swiglu' ? 2 : 1;
    return m <= 8
      ? { method: 'stream', tokenGroups: 1, warps: 8, tiles, stages: isInt4(problem) ? 2 : 4 }
      : { method: 'stream', tokenGroups: 2, warps: 8, tiles, stages: 2 };
  },
  candidates(problem, target) {
    if (!isFor(problem, target)) return [];
    const { m, epilogue } = problem;
    const tokenGroups = m <= 8 ? 1 : 2;
    const tileCounts = epilogue === 'swiglu' ? ([2] as const) : ([1, 2] as const);
    const trials = isInt4(problem) ? INT4_TRIALS : TRIALS;
    return trials[tokenGroups].flatMap(([warps, stages]) =>
      tileCounts.map((tiles) => ({ method: 'stream', tokenGroups, warps, tiles, stages }) as const),
    );
  },
  fusesSwiglu: (_, inter) => inter % 16 === 0,
  fits: () => true,
  kernel: (config, problem) => generatedKernel('stream', numbersOf(config), problem),
  maps: () => [],
  bind(config, problem, operands) {
    const { warps, tiles, tokenGroups } = config;
    const blockRows = problem.epilogue === 'swiglu' ? 16 : tiles * 16;
    const launch = {
      ...kernelCode('stream', numbersOf(config), problem),
      grid: [ceilDiv(outColumns(problem), blockRows), 1, 1],
      blockThreads: warps * 32,
      sharedBytes: warps * tiles * tokenGroups * 8 * 16 * 4,
    } as const;
    const { x, weight } = operands;
    const values = { x, weight, ...commonArguments(problem, operands) };
    return (m, sink) => sink.kernel({ ...launch, args: STREAM_ARGS.of({ ...values, m }) });
  },
};
