import { invariant } from '../../../core/errors.js';
import type { Collectives } from '../../../device/collectives.js';
import type { NativeLibrary } from '../../../ffi/library.js';
import type { StepView } from '../../../ops/cpu/step-view.js';
import type { RowRotations } from '../../../ops/rope/cpu.js';
import type { BufferLayout } from '../../../plan/buffers.js';
import type { InferredPlan, PlanValue } from '../../../plan/infer.js';
import type { BufferName, Plan, RopeParams } from '../../../plan/plan.js';
import type { CpuKvCache } from './cpu-kv-cache.js';

/** Values that differ from step to step. */
export interface StepCounts {
  readonly tokenCount: number;
  readonly logitCount: number;
  /** Addresses of i32 [tokens] ids without -1, and of i32 [logits]. */
  readonly tokenIds: number;
  readonly logitTokens: number;
}

/** One kernel call. */
export type Instruction = (step: StepCounts) => void;

export interface ProgramContext {
  readonly plan: Plan;
  readonly inferred: InferredPlan;
  readonly library: NativeLibrary;
  readonly pool: number;
  readonly tensorAddress: (name: string) => number;
  readonly workspace: { readonly address: number; readonly layout: BufferLayout };
  readonly cache: CpuKvCache;
  readonly stepView: StepView;
  /** The rotations of a step's rows, shared by all layers of equal parameters. */
  readonly rotations: (rope: RopeParams) => RowRotations;
  readonly collectives: Collectives | undefined;
}

/** Addresses and sizes of one op's operands, by name. */
export class OpScope {
  readonly context: ProgramContext;
  readonly #operands: ReadonlyMap<BufferName, PlanValue>;

  constructor(context: ProgramContext, index: number) {
    this.context = context;
    this.#operands = context.inferred.operands[index]!;
  }

  /** Address of a buffer. */
  at(name: BufferName): number {
    const { address, layout } = this.context.workspace;
    return address + layout.offsets.get(this.#operands.get(name)!)!;
  }

  columns(name: BufferName): number {
    return this.#operands.get(name)!.columns;
  }

  /** Returns the number of rows of a buffer in a step. */
  rows(name: BufferName): (step: StepCounts) => number {
    return this.#operands.get(name)!.rows === 'tokens'
      ? (step) => step.tokenCount
      : (step) => step.logitCount;
  }

  /** @throws {AloftError} INTERNAL when the program has one rank */
  collectives(): Collectives {
    const { collectives } = this.context;
    invariant(collectives !== undefined, () => 'a plan of several ranks runs without collectives');
    return collectives;
  }
}
