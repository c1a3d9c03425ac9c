/** Few rows on devices without rings of bulk copies: configurations of `stream.cu`. */
import type { WeightElement } from '../../../plan/weight-format.js';
import { hasBulkRings } from '../../cuda/capability.js';
import { ceilDiv } from '../../cuda/launch.js';
import { STREAM_ARGS } from './args.js';
import { commonArguments, generatedKernel, kernelCode, numberedKeys } from './generated-kernel.js';
import type { LinearMethod } from './method.js';
import { outColumns } from './problem.js';

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

export const stream: LinearMethod<StreamConfig> = {
  ...numberedKeys('stream', ['tokenGroups', 'warps', 'tiles', 'stages']),
  reads: new Set<WeightElement>(['f16', 'bf16', 'int8']),
  builtIn({ m, epilogue }, { computeCapability }) {
    if (hasBulkRings(computeCapability) || m > MAX_ROWS) return undefined;
    const tiles = epilogue === 'swiglu' ? 2 : 1;
    return m <= 8
      ? { method: 'stream', tokenGroups: 1, warps: 8, tiles, stages: 4 }
      : { method: 'stream', tokenGroups: 2, warps: 8, tiles, stages: 2 };
  },
  candidates({ m, epilogue }, { computeCapability }) {
    if (hasBulkRings(computeCapability) || m > MAX_ROWS) return [];
    const tokenGroups = m <= 8 ? 1 : 2;
    const tileCounts = epilogue === 'swiglu' ? ([2] as const) : ([1, 2] as const);
    return TRIALS[tokenGroups].flatMap(([warps, stages]) =>
      tileCounts.map((tiles) => ({ method: 'stream', tokenGroups, warps, tiles, stages }) as const),
    );
  },
  fusesSwiglu: (_, inter) => inter % 16 === 0,
  fits: () => true,
  kernel: (config, problem) => generatedKernel('stream', numbersOf(config), problem),
  maps: () => [],
  launch(config, problem, operands, sink) {
    const { warps, tiles, tokenGroups } = config;
    const blockRows = problem.epilogue === 'swiglu' ? 16 : tiles * 16;
    sink.kernel({
      ...kernelCode('stream', numbersOf(config), problem),
      grid: [ceilDiv(outColumns(problem), blockRows), 1, 1],
      blockThreads: warps * 32,
      sharedBytes: warps * tiles * tokenGroups * 8 * 16 * 4,
      args: STREAM_ARGS.of({ x: operands.x, weight: operands.weight, ...commonArguments(problem, operands) }),
    });
  },
};
