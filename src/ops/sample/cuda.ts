/** Sampling on a CUDA device: how a slot's parameters lie in memory, and the launch. Pure. */
import type { SlotState } from '../../core/step.js';
import type { KernelLaunch } from '../cuda/launch.js';
import { Struct, structMemory } from '../struct.js';
import { topCountOf } from './contract.js';

export const CUDA_SAMPLE_SLOT = new Struct('SampleSlot', 'sample/slot.cuh', {
  topP: 'f64',
  seed: 'u64',
  temperature: 'f32',
  logMinP: 'f32',
  repetitionPenalty: 'f32',
  frequencyPenalty: 'f32',
  presencePenalty: 'f32',
  topK: 'i32',
  minTokens: 'i32',
  promptCount: 'i32',
  topCount: 'i32',
  promptTopCount: 'i32',
  biasCount: 'i32',
  badWordCount: 'i32',
  endCount: 'i32',
  isBeam: 'i32',
});

export const SAMPLE_ARGS = new Struct('SampleArgs', 'sample/slot.cuh', {
  logits: 'address',
  work: 'address',
  counts: 'address',
  slots: 'address',
  lastTokens: 'address',
  history: 'address',
  logitRows: 'address',
  logitTokens: 'address',
  logitTargets: 'address',
  rowSlots: 'address',
  positions: 'address',
  logitMasks: 'address',
  masks: 'address',
  outTokens: 'address',
  outLogprobs: 'address',
  outTopIds: 'address',
  outTopLogprobs: 'address',
  vocabulary: 'i32',
  stride: 'i32',
  slotBytes: 'i32',
  maxSequenceTokens: 'i32',
  topCount: 'i32',
});

const WORD_BYTES = 4;
export const SAMPLE_SLOT_BYTES = 16384;
/** Numbers that the lists of a slot have room for; see `listNumberCount`. */
export const MAX_LIST_NUMBERS = (SAMPLE_SLOT_BYTES - CUDA_SAMPLE_SLOT.byteLength) / WORD_BYTES;

/** The bytes of a slot: its `SampleSlot`, and lists of at most {@link MAX_LIST_NUMBERS} numbers. */
export function encodeSampleSlot({ sampling, isBeam, endIds, promptTokenIds }: SlotState): ArrayBuffer {
  const { logitBias, badWords } = sampling;
  const lists = [
    ...logitBias.keys(),
    ...floatBits([...logitBias.values()]),
    ...endIds,
    ...badWords.flatMap((word) => [word.length, ...word]),
  ];
  const buffer = new ArrayBuffer(CUDA_SAMPLE_SLOT.byteLength + lists.length * WORD_BYTES);
  CUDA_SAMPLE_SLOT.write(structMemory(buffer), 0, {
    topP: sampling.topP,
    seed: sampling.seed,
    temperature: sampling.temperature,
    logMinP: sampling.minP > 0 ? Math.log(Math.fround(sampling.minP)) : -Infinity,
    repetitionPenalty: sampling.repetitionPenalty,
    frequencyPenalty: sampling.frequencyPenalty,
    presencePenalty: sampling.presencePenalty,
    topK: sampling.topK,
    minTokens: sampling.minTokens,
    promptCount: promptTokenIds.length,
    topCount: topCountOf(sampling, false),
    promptTopCount: topCountOf(sampling, true),
    biasCount: logitBias.size,
    badWordCount: badWords.length,
    endCount: endIds.length,
    isBeam: Number(isBeam),
  });
  new Int32Array(buffer).set(lists, CUDA_SAMPLE_SLOT.byteLength / WORD_BYTES);
  return buffer;
}

function floatBits(values: readonly number[]): Int32Array {
  return new Int32Array(Float32Array.from(values).buffer);
}

export interface SampleOperands {
  readonly logits: number;
  readonly work: number;
  readonly counts: number;
  readonly slots: number;
  readonly lastTokens: number;
  readonly history: number;
  readonly logitRows: number;
  readonly logitTokens: number;
  readonly logitTargets: number;
  readonly rowSlots: number;
  readonly positions: number;
  readonly logitMasks: number;
  readonly masks: number;
  readonly outTokens: number;
  readonly outLogprobs: number;
  readonly outTopIds: number;
  readonly outTopLogprobs: number;
}

export function sampleLaunch(
  problem: {
    readonly logitCount: number;
    readonly vocabulary: number;
    /** Columns of the logits; those beyond the vocabulary are padding. */
    readonly stride: number;
    readonly maxSequenceTokens: number;
    readonly topCount: number;
  },
  o: SampleOperands,
): KernelLaunch {
  return {
    unit: 'sample',
    kernel: 'sample',
    grid: [problem.logitCount, 1, 1],
    blockThreads: 1024,
    sharedBytes: 0,
    args: SAMPLE_ARGS.of({
      logits: o.logits,
      work: o.work,
      counts: o.counts,
      slots: o.slots,
      lastTokens: o.lastTokens,
      history: o.history,
      logitRows: o.logitRows,
      logitTokens: o.logitTokens,
      logitTargets: o.logitTargets,
      rowSlots: o.rowSlots,
      positions: o.positions,
      logitMasks: o.logitMasks,
      masks: o.masks,
      outTokens: o.outTokens,
      outLogprobs: o.outLogprobs,
      outTopIds: o.outTopIds,
      outTopLogprobs: o.outTopLogprobs,
      vocabulary: problem.vocabulary,
      stride: problem.stride,
      slotBytes: SAMPLE_SLOT_BYTES,
      maxSequenceTokens: problem.maxSequenceTokens,
      topCount: problem.topCount,
    }),
  };
}
