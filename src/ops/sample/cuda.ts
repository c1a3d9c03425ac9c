/** Sampling on a CUDA device: how a slot's parameters lie in memory, and the launch. Pure. */
import type { SlotState } from '../../core/step.js';
import { i32, pointer, type KernelLaunch } from '../cuda/launch.js';
import { topCountOf } from './contract.js';

/** Words of a slot's fixed part, and of all of it. */
const HEADER_WORDS = 20;
const SLOT_WORDS = 4096;
export const SAMPLE_SLOT_BYTES = SLOT_WORDS * 4;
/** Numbers that the lists of a slot have room for; see `listNumberCount`. */
export const MAX_LIST_NUMBERS = SLOT_WORDS - HEADER_WORDS;

/** The bytes of `SampleSlot` in cuda.cu, of a slot with at most {@link MAX_LIST_NUMBERS} numbers in lists. */
export function encodeSampleSlot({ sampling, isBeam, endIds, promptTokenIds }: SlotState): ArrayBuffer {
  const biasIds = [...sampling.logitBias.keys()];
  const lists = [
    ...biasIds,
    ...floatBits([...sampling.logitBias.values()]),
    ...endIds,
    ...sampling.badWords.flatMap((word) => [word.length, ...word]),
  ];
  const buffer = new ArrayBuffer((HEADER_WORDS + lists.length) * 4);
  const view = new DataView(buffer);
  const int = (word: number, value: number): void => view.setInt32(word * 4, value, true);
  const float = (word: number, value: number): void => view.setFloat32(word * 4, value, true);
  int(0, promptTokenIds.length);
  int(2, sampling.minTokens);
  int(3, sampling.topK);
  float(4, sampling.temperature);
  float(5, sampling.minP > 0 ? Math.log(Math.fround(sampling.minP)) : -Infinity);
  float(6, sampling.repetitionPenalty);
  float(7, sampling.frequencyPenalty);
  float(8, sampling.presencePenalty);
  int(9, topCountOf(sampling, false));
  int(10, topCountOf(sampling, true));
  int(11, biasIds.length);
  int(12, sampling.badWords.length);
  int(13, endIds.length);
  int(14, Number(isBeam));
  view.setFloat64(16 * 4, sampling.topP, true);
  view.setBigUint64(18 * 4, BigInt.asUintN(64, sampling.seed), true);
  new Int32Array(buffer).set(lists, HEADER_WORDS);
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
  const addresses = [o.logits, o.work, o.counts, o.slots, o.lastTokens, o.history];
  const step = [o.logitRows, o.logitTokens, o.logitTargets, o.rowSlots, o.positions];
  const out = [o.outTokens, o.outLogprobs, o.outTopIds, o.outTopLogprobs];
  return {
    unit: 'sample',
    kernel: 'sample',
    grid: [problem.logitCount, 1, 1],
    blockThreads: 1024,
    sharedBytes: 0,
    args: [
      ...[...addresses, ...step, ...out].map(pointer),
      ...[
        problem.vocabulary,
        problem.stride,
        SAMPLE_SLOT_BYTES,
        problem.maxSequenceTokens,
        problem.topCount,
      ].map(i32),
    ],
  };
}
