/** Areas of device memory that an executor keeps beside weights and KV cache: name, purpose and size of each. Pure. */
import type { PlanDims } from '../../plan/plan.js';
import { squaresBytes } from '../linear/cuda/shared-norms.js';
import { DECODE_ITEM_WORDS } from '../paged-attention/cuda-pieces.js';
import { rotationBytes } from '../rope/cuda-tables.js';
import { maskWords } from '../sample/contract.js';
import { SAMPLE_SLOT_BYTES } from '../sample/cuda.js';
import { COPY_PIECE_BYTES } from './copy-words.js';
import { ACTIVATION_BYTES } from './dtype.js';
import { ceilDiv } from './launch.js';

/** Most log probabilities that a token can report. */
export const MAX_TOP_COUNT = 32;
/** Parts of the results, for each logit: token id, its log probability, then most likely tokens and their log probabilities. */
const RESULT_WORDS = 2 + 2 * MAX_TOP_COUNT;
const WORD = 4;
const MATMUL_WORKSPACE_BYTES = 64 << 20;

/** Numbers that sizes follow from. */
export interface AreaSizes {
  readonly dims: PlanDims;
  readonly maxStepTokens: number;
  readonly maxRows: number;
  readonly maxLogits: number;
  /** Whether tokens are sampled. */
  readonly samples: boolean;
  readonly maxSequenceTokens: number;
  /** Sets of rotary parameters that the layers have. */
  readonly ropeCount: number;
  /** Blocks of the longest sequence. */
  readonly maxBlocks: number;
  /** Pieces of decode attention in the largest step. */
  readonly maxDecodeItems: number;
  /** Tiles of keys that prefill attention expands at most, and bytes of them. */
  readonly keyTiles: number;
  readonly expandedBytes: number;
  /** Bytes of all values between ops. */
  readonly workspaceBytes: number;
  /** Numbers in the largest weight of which a dense copy is made; 0 if there is none. */
  readonly denseCopyCount: number;
  /** Rows of the largest input of a linear layer, and columns of the widest that is rounded to 8 bits; none if no layer does. */
  readonly inputRows: number;
  readonly inputColumns: number;
  /** Columns of the widest input that is brought into the order of codes; 0 if there is none. */
  readonly orderedColumns: number;
  /** Bytes that the other ranks store into; 0 for one rank. */
  readonly exchangeBytes: number;
}

interface Area {
  /** Words for the error message when memory is not enough. */
  readonly purpose: string;
  /** Whether it has to be zeros at first. */
  readonly isZeroed: boolean;
  /** Bytes; an area of none is not allocated. */
  readonly bytes: (sizes: AreaSizes) => number;
}

const area = (purpose: string, bytes: Area['bytes'], isZeroed = false): Area => ({
  purpose,
  bytes,
  isZeroed,
});
/** Results go to the host in whole pieces. */
const inPieces = (bytes: number): number => COPY_PIECE_BYTES * ceilDiv(bytes, COPY_PIECE_BYTES);
const allRotationBytes = ({ maxSequenceTokens, dims, ropeCount }: AreaSizes): number =>
  ropeCount * rotationBytes(dims, maxSequenceTokens);
const logitBytes = ({ maxLogits, dims, samples }: AreaSizes): number =>
  samples ? maxLogits * dims.vocabulary * WORD : 0;

export const AREAS = {
  workspace: area('the workspace', ({ workspaceBytes }) => workspaceBytes, true),
  // Zeros stay where a plan samples nothing.
  results: area('results', ({ maxLogits }) => inPieces(maxLogits * RESULT_WORDS * WORD), true),
  partials: area(
    'attention partial sums',
    ({ maxDecodeItems, dims }) => maxDecodeItems * dims.headCount * (dims.headDim + 2) * WORD,
  ),
  arrivals: area('attention counters', ({ maxRows, dims }) => maxRows * dims.kvHeadCount * WORD, true),
  expanded: area('expanded keys and values', ({ expandedBytes }) => expandedBytes),
  slots: area('sampling parameters', ({ maxRows }) => maxRows * SAMPLE_SLOT_BYTES),
  lastTokens: area('last tokens', ({ maxRows }) => maxRows * WORD, true),
  history: area('token history', ({ maxRows, maxSequenceTokens }) => maxRows * maxSequenceTokens * WORD),
  sampleWork: area('sampling', logitBytes),
  sampleCounts: area('sampling', logitBytes, true),
  tokenMasks: area('token masks', ({ maxRows, dims }) => maxRows * maskWords(dims.vocabulary) * WORD),
  denseCopy: area('dense weights', ({ denseCopyCount }) => denseCopyCount * ACTIVATION_BYTES),
  inputCodes: area('inputs in 8 bits', ({ inputRows, inputColumns }) => inputRows * inputColumns),
  inputScales: area('scales of inputs', ({ inputRows, inputColumns }) =>
    inputColumns === 0 ? 0 : inputRows * WORD,
  ),
  squares: area('sums of squares', ({ dims }) => squaresBytes(dims.hidden)),
  orderedInput: area(
    'inputs in the order of codes',
    ({ inputRows, orderedColumns }) => inputRows * orderedColumns * ACTIVATION_BYTES,
  ),
  cosTable: area('rotary tables', allRotationBytes),
  sinTable: area('rotary tables', allRotationBytes),
  descriptor: area('the step descriptor', descriptorBytes),
  exchange: area('exchange between ranks', ({ exchangeBytes }) => exchangeBytes),
  matmulWorkspace: area('cuBLASLt', () => MATMUL_WORKSPACE_BYTES),
} as const satisfies Readonly<Record<string, Area>>;

export type AreaName = keyof typeof AREAS;
const AREA_NAMES = Object.keys(AREAS) as readonly AreaName[];

function descriptorBytes(sizes: AreaSizes): number {
  const { maxStepTokens, maxRows, maxBlocks, maxLogits, maxDecodeItems, keyTiles } = sizes;
  const perRow = maxRows * (9 + maxBlocks);
  return (
    WORD *
    (4 * maxStepTokens + perRow + 6 * maxLogits + 2 * DECODE_ITEM_WORDS * maxDecodeItems + keyTiles + 1024)
  );
}

/** Values by area. */
export function areaRecord(value: (name: AreaName) => number): Readonly<Record<AreaName, number>> {
  return Object.fromEntries(AREA_NAMES.map((name) => [name, value(name)])) as Record<AreaName, number>;
}

/** Addresses of the parts of the results. */
export interface ResultParts {
  readonly outTokens: number;
  readonly outLogprobs: number;
  readonly outTopIds: number;
  readonly outTopLogprobs: number;
}

/** Cuts the area of results into its parts. */
export function resultParts(results: number, maxLogits: number): ResultParts {
  const column = maxLogits * WORD;
  return {
    outTokens: results,
    outLogprobs: results + column,
    outTopIds: results + 2 * column,
    outTopLogprobs: results + (2 + MAX_TOP_COUNT) * column,
  };
}
