import type { InferredPlan, PlanValue } from '../../plan/infer.js';
import type { BufferName, Plan } from '../../plan/plan.js';
import type { RankConnection } from '../exchange/ranks.js';
import type { LinearChooser } from '../linear/cuda/choose.js';
import type { AreaName, ResultParts } from './areas.js';
import type { CudaTarget } from './capability.js';
import type { TensorMap } from './launch.js';
import type { Mapped } from './mapped.js';
import type { LaunchSink } from './sink.js';
import type { DescriptorField } from './step-fields.js';

/** Values that differ from step to step. */
export interface CudaStep {
  readonly tokens: number;
  readonly logits: number;
  /** Pieces of decode and of prefill attention. */
  readonly decodeItems: number;
  readonly prefillTiles: number;
  /** Tiles of keys that prefill attention expands first; 0: none. */
  readonly keyTiles: number;
  readonly maxBlocks: number;
  /** Largest number of most likely tokens that any logit reports. */
  readonly topCount: number;
  /** Address of a field of the step's descriptor. */
  readonly descriptor: (field: DescriptorField) => number;
}

/** Enqueues an op of a step. */
export type CudaInstruction = (step: CudaStep, sink: LaunchSink) => void;

/** Device addresses that do not change while an executor lives: areas by name, parts of the results, and all else that kernels read. */
export interface CudaMemory extends Readonly<Record<AreaName, number>>, ResultParts {
  /** Address of a value of the plan, and the rows that it has room for. */
  readonly valueAddress: (value: PlanValue) => number;
  readonly valueRows: (value: PlanValue) => number;
  /** Address of a packed tensor of the engine. */
  readonly tensor: (name: string) => number;
  /** Encodes a description for the bulk copy engine. Equal descriptions share a map. */
  readonly tensorMap: (mapped: Mapped) => TensorMap;
  /** Address and bytes of the KV cache, and the address of a layer in its first block. */
  readonly kvBase: number;
  readonly kvBytes: number;
  readonly cacheLayer: (layer: number) => number;
  /** Elements from one block of the cache to the next. */
  readonly blockStride: number;
  /** Bytes of one head's keys and values in a block, with their scales. */
  readonly headBlockBytes: number;
}

/** A plan on a device: what is the same in every step. */
export interface CudaContext {
  readonly plan: Plan;
  readonly inferred: InferredPlan;
  readonly memory: CudaMemory;
  readonly target: CudaTarget;
  readonly blockTokens: number;
  readonly maxStepTokens: number;
  readonly maxSequenceTokens: number;
  readonly chooseLinear: LinearChooser;
  /** Absent: there is one rank. */
  readonly ranks?: RankConnection;
}

/** Addresses and sizes of the operands of one op of the plan, by name. */
export class CudaScope {
  readonly context: CudaContext;
  readonly #index: number;

  constructor(context: CudaContext, index: number) {
    this.context = context;
    this.#index = index;
  }

  /** Scope of the op of the plan that follows. */
  next(): CudaScope {
    return new CudaScope(this.context, this.#index + 1);
  }

  value(name: BufferName): PlanValue {
    return this.context.inferred.operands[this.#index]!.get(name)!;
  }

  /** Address of a buffer. */
  at(name: BufferName): number {
    return this.context.memory.valueAddress(this.value(name));
  }

  columns(name: BufferName): number {
    return this.value(name).columns;
  }

  /** Returns the number of rows of a buffer in a step. */
  rows(name: BufferName): (step: CudaStep) => number {
    return this.value(name).rows === 'tokens' ? ({ tokens }) => tokens : ({ logits }) => logits;
  }
}
