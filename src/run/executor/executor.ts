import type { ErrorReport } from '../../core/errors.js';
import type { SlotState, StepInput, StepOutput } from '../../core/step.js';

/** Limits of one step of an executor, fixed when it opens. */
export interface ExecutorLimits {
  readonly maxStepTokens: number;
  readonly maxRows: number;
  /** Tokens whose logits one step can return. */
  readonly maxLogits: number;
  readonly blockTokens: number;
  readonly blockCount: number;
  readonly hostBlockCount: number;
  readonly maxSequenceTokens: number;
  readonly vocabulary: number;
  /** Numbers of the hidden state that a step gives for a token in the place of logits. No token is sampled: all are 0. Absent: logits. */
  readonly hiddenColumns?: number;
  /**
   * The KV of the tokens of a longer prompt depends on the prompt's length (dynamic RoPE), so that prompts of different
   * lengths cannot share it. Absent: it never does.
   */
  readonly uniformPromptTokens?: number;
  /** Most likely tokens that a token can report at most. Absent: the whole vocabulary. */
  readonly maxTopLogprobs?: number;
  /** Most numbers in the lists of a slot (`listNumberCount`). Absent: any number. */
  readonly maxListNumbers?: number;
}

/** Where the memory of a device went, bytes. Printed at load and in out-of-memory errors. */
export interface MemoryBudget {
  readonly totalBytes: number;
  readonly weightBytes: number;
  readonly workspaceBytes: number;
  readonly kvBytes: number;
  readonly kvBytesPerToken: number;
  readonly hostKvBytes: number;
}

/**
 * Runs a plan on a device. Calls take effect in the order in which they are made.
 * `submit` may return before the device is done; `collect` of the same step waits for it. At most two steps are in flight.
 * A step whose masks follow gets them by `supplyMasks`, before it is collected, before another is submitted, and before its
 * slots are attached anew; steps before it may be collected, and its slots may be detached.
 * All rows of a step are independent, except that they share the KV blocks that their tables name.
 */
export interface Executor {
  readonly limits: ExecutorLimits;
  readonly memory: MemoryBudget;
  /** Memory of every rank, in order. Absent: there is one. */
  readonly rankMemory?: readonly MemoryBudget[];
  /** Threads that compute on this machine's processors during a step. Absent: the device does all of it. */
  readonly computeThreadCount?: number;
  /** Full name of a device that is not the CPU, such as `NVIDIA H200, driver for CUDA 13`. */
  readonly deviceName?: string;
  /** Number that says how the last step was launched, equal on all ranks of an engine. Absent where there is one way. */
  readonly launch?: number;
  /**
   * Times of the ops of every other rank since they were asked for before, [ops of the plan + 1] f32 each, ms; the last is sampling.
   * No step may be open. Absent where there is no other rank, or none is profiled.
   */
  readonly takeRankTimes?: (opCount: number) => readonly Float32Array[];
  /**
   * Makes now what steps of new sizes would make when they first come, such as graphs, but for steps with masks.
   * Absent where there is nothing to make.
   */
  prepareSteps?(): void;
  /**
   * Gives a free slot below `maxRows` to a sequence; must precede the first step that names the slot.
   * @throws {AloftError} INTERNAL on a slot that is attached, and on numbers that would lead out of bounds
   */
  attachSlot(state: SlotState): void;
  /** The slot's state is dropped; steps already submitted are not affected. */
  detachSlot(slot: number): void;
  /** @throws {AloftError} INTERNAL on a step that would read or write out of bounds, before anything of it runs */
  submit(step: StepInput): void;
  /**
   * Hands over the masks of the last step, whose masks follow: it is sampled as if it had been submitted with them.
   * @param masks [masks, vocabulary / 32] as in {@link StepInput}, until the step is collected
   * @throws {AloftError} INTERNAL for any other step, a second time, and for too few masks; DEVICE_FAILED
   */
  supplyMasks(stepId: number, masks: Int32Array): void;
  /** Results in submission order. @throws {AloftError} DEVICE_FAILED, OUT_OF_MEMORY */
  collect(): Promise<StepOutput>;
  /** Looks at what runs, without waiting. Absent where steps run while they are submitted. @throws {AloftError} DEVICE_FAILED, RANK_LATE */
  checkDevice?(): void;
  /** Ends waits of this rank for others on the device: a rank has died. Results are worth nothing from then on. */
  stopWaiting?(): void;
  /** Reports once that the executor broke while nobody asked it for anything. Absent where that cannot happen. */
  onFailure?(listener: (failure: ErrorReport) => void): void;
  dispose(): Promise<void>;
}
