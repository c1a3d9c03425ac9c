/** Things that a step takes with it to the device and back: pinned memory for its descriptor, masks and results, and its events. */
import type { StepInput, StepOutput } from '../../../core/step.js';
import type { Gpu, PinnedArea } from '../../../device/cuda/gpu.js';
import { createEvent, type CudaEvent } from '../../../device/cuda/stream.js';
import type { ExecutorMemory } from './device-memory.js';

export interface Flight {
  readonly staging: PinnedArea;
  readonly words: Int32Array;
  readonly results: PinnedArea;
  /** Room for the masks of the largest step; made for the first step that has any. */
  readonly masks: () => PinnedArea;
  readonly start: CudaEvent;
  readonly end: CudaEvent;
  /** From here on a step with masks waits for them, */
  readonly forwardEnd: CudaEvent;
  /** and here, on a stream of their own, they are on the device. */
  readonly masksThere: CudaEvent;
}

/** A step on the device whose results nobody has collected. */
export interface PendingStep {
  readonly flight: Flight;
  /** The flight of the step before, whose events are recorded anew only after this step was collected. */
  readonly before: Flight | undefined;
  readonly step: StepInput;
  readonly topCount: number;
}

/** A step that is done, or will be without anything more from the host. */
export interface CompleteStep extends PendingStep {
  readonly logits: Float32Array | undefined;
}

export function createFlight(
  gpu: Gpu,
  memory: Pick<ExecutorMemory, 'descriptorBytes' | 'outBytes' | 'maskBytes'>,
): Flight {
  let masks: PinnedArea | undefined;
  const staging = gpu.allocatePinned(memory.descriptorBytes);
  return {
    staging,
    words: new Int32Array(staging.buffer),
    results: gpu.allocatePinned(memory.outBytes),
    masks: () => (masks ??= gpu.allocatePinned(memory.maskBytes)),
    start: createEvent(gpu.driver),
    end: createEvent(gpu.driver),
    forwardEnd: createEvent(gpu.driver),
    masksThere: createEvent(gpu.driver),
  };
}

/** Reads the results of a step that is done. */
export function stepOutputOf(
  { flight, before, step, topCount, logits }: CompleteStep,
  memory: Pick<ExecutorMemory, 'outTokens' | 'outLogprobs' | 'outTopIds' | 'outTopLogprobs'>,
): StepOutput {
  const at = (address: number): number => address - memory.outTokens;
  const { buffer } = flight.results;
  const { logitCount } = step;
  const waitMs = step.maskCount > 0 ? Math.max(0, flight.masksThere.msSince(flight.forwardEnd)) : 0;
  return {
    stepId: step.stepId,
    logitCount,
    tokenIds: new Int32Array(buffer, 0, logitCount).slice(),
    logprobs: new Float32Array(buffer, at(memory.outLogprobs), logitCount).slice(),
    topCount,
    topTokenIds: new Int32Array(buffer, at(memory.outTopIds), logitCount * topCount).slice(),
    topLogprobs: new Float32Array(buffer, at(memory.outTopLogprobs), logitCount * topCount).slice(),
    logits,
    deviceMs: flight.end.msSince(flight.start) - waitMs,
    idleMs: waitMs + (before === undefined ? 0 : flight.start.msSince(before.end)),
  };
}
