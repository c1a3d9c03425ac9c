/** What an op needs to become launches: the plan, addresses, the step's sizes, and where launches go. */
import type { MatmulPointers, MatmulShape } from '../../../device/cuda/cublaslt.js';
import type { GpuProperties } from '../../../device/cuda/gpu.js';
import type { KernelLaunch, TensorMap } from '../../../ops/cuda/launch.js';
import type { LinearChooser } from '../../../ops/linear/cuda/tuning.js';
import type { PrefillKernel } from '../../../ops/paged-attention/cuda.js';
import type { InferredPlan } from '../../../plan/infer.js';
import type { BufferName, Plan } from '../../../plan/plan.js';
import type { DescriptorField } from './step-descriptor.js';

/** Where launches go: run at once, or captured. */
export interface LaunchSink {
  /** Says of which op the following launches are: its index, the number of ops for sampling. Profiles listen. */
  startOp?(index: number): void;
  kernel(launch: KernelLaunch): void;
  matmul(shape: MatmulShape, pointers: MatmulPointers, algorithm: number): void;
}

/** Device addresses that do not change while the executor lives. */
export interface ProgramMemory {
  /** Of the value that an op (by index) reads or writes under a buffer's name. */
  readonly buffer: (opIndex: number, name: BufferName) => number;
  /** Of a packed tensor of the engine. */
  readonly tensor: (name: string) => number;
  /** See `mappedMatrices` and `attentionMatrices` for keys. */
  readonly tensorMap: (key: string) => TensorMap;
  readonly cacheLayer: (layer: number) => number;
  /** Elements from one block of the cache to the next. */
  readonly blockStride: number;
  /** Bytes of one head's keys and values in a block, with their scales. */
  readonly headBlockBytes: number;
  readonly cosTable: number;
  readonly sinTable: number;
  readonly partials: number;
  readonly arrivals: number;
  readonly slots: number;
  readonly lastTokens: number;
  readonly history: number;
  readonly sampleWork: number;
  readonly sampleCounts: number;
  /** Dense copy of the int8 weight in use. */
  readonly denseWeight: number;
  readonly outTokens: number;
  readonly outLogprobs: number;
  readonly outTopIds: number;
  readonly outTopLogprobs: number;
}

/** What a step needs besides memory. */
export interface StepShape {
  readonly tokens: number;
  readonly logits: number;
  readonly decodeItems: number;
  readonly prefillTiles: number;
  readonly maxBlocks: number;
  readonly topCount: number;
  readonly descriptor: (field: DescriptorField) => number;
}

export interface Program {
  readonly plan: Plan;
  readonly inferred: InferredPlan;
  readonly device: GpuProperties;
  readonly chooseLinear: LinearChooser;
  readonly maxSequenceTokens: number;
  readonly blockTokens: number;
  readonly prefillKernel: PrefillKernel;
}

/** An op of a step that is being enqueued. */
export interface OpContext {
  readonly program: Program;
  readonly memory: ProgramMemory;
  readonly shape: StepShape;
  readonly sink: LaunchSink;
  readonly index: number;
}

/** Rows of a buffer in this step. */
export function rowsOf({ program, shape, index }: OpContext, buffer: BufferName): number {
  return program.inferred.operands[index]!.get(buffer)!.rows === 'tokens' ? shape.tokens : shape.logits;
}

export function columnsOf({ program, index }: OpContext, buffer: BufferName): number {
  return program.inferred.operands[index]!.get(buffer)!.columns;
}
