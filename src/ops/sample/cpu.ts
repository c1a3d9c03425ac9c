import { addressOf } from '../../ffi/memory.js';
import type { NativeLibrary } from '../../ffi/library.js';
import type { SlotState } from '../../core/step.js';
import { needsHistory } from './contract.js';

/**
 * Samples or scores rows of logits, by address: logits [rowCount, logitStride] f32; rows: SampleRow [rowCount] (see slot.h);
 * tokenIds [rowCount] i32; logprobs [rowCount] f32; topIds [rowCount, topStride] i32; topLogprobs [rowCount, topStride] f32.
 */
export type SampleKernel = (
  pool: number,
  logits: number,
  logitStride: number,
  vocabulary: number,
  rows: number,
  rowCount: number,
  topStride: number,
  tokenIds: number,
  logprobs: number,
  topIds: number,
  topLogprobs: number,
) => void;

export function bindSample(library: NativeLibrary): SampleKernel {
  return library.bind(
    'void aloft_sample(uint64_t pool, uint64_t logits, int64_t logitStride, int64_t vocabulary, uint64_t rows, int64_t rowCount, int64_t topStride, uint64_t tokenIds, uint64_t logprobs, uint64_t topIds, uint64_t topLogprobs)',
  );
}

/** 64-bit fields of SampleSlot in slot.h, in order. */
const FIELD = {
  history: 0,
  promptCount: 1,
  outputCount: 2,
  biasIds: 3,
  biasValues: 4,
  biasCount: 5,
  badWords: 6,
  badWordCount: 7,
  endIds: 8,
  endIdCount: 9,
  minTokens: 10,
  topK: 11,
  seed: 12,
  temperature: 13,
  topP: 14,
  minP: 15,
  repetitionPenalty: 16,
  presencePenalty: 17,
  frequencyPenalty: 18,
  isBeam: 19,
} as const;
const FIELD_COUNT = 20;

/** A slot's sampling parameters as the kernel reads them, and the tokens that they depend on. */
export class NativeSlot {
  readonly address: number;
  /** The token sampled last, undefined before the first. */
  lastTokenId: number | undefined;
  readonly #integers: BigInt64Array;
  readonly #keepsHistory: boolean;
  #tokenCount: number;
  #outputCount: number;
  #history: Int32Array;
  /** Arrays whose addresses are in the struct. */
  readonly #pinned: ArrayBufferView[] = [];

  constructor({ sampling, isBeam, endIds, promptTokenIds, outputTokenIds }: SlotState) {
    this.#integers = new BigInt64Array(FIELD_COUNT);
    this.address = addressOf(this.#integers);
    this.lastTokenId = outputTokenIds.at(-1);
    this.#keepsHistory = needsHistory(sampling);
    this.#tokenCount = promptTokenIds.length + outputTokenIds.length;
    this.#outputCount = outputTokenIds.length;
    this.#history = new Int32Array(0);
    if (this.#keepsHistory) {
      this.#grow();
      this.#history.set(promptTokenIds);
      this.#history.set(outputTokenIds, promptTokenIds.length);
    }
    this.#integers[FIELD.promptCount] = BigInt(promptTokenIds.length);
    this.#integers[FIELD.outputCount] = BigInt(outputTokenIds.length);
    this.#setArrays({ sampling, endIds });
    this.#integers[FIELD.minTokens] = BigInt(sampling.minTokens);
    this.#integers[FIELD.topK] = BigInt(sampling.topK);
    this.#integers[FIELD.isBeam] = BigInt(isBeam);
    this.#integers[FIELD.seed] = BigInt.asIntN(64, sampling.seed);
    const floats = new Float64Array(this.#integers.buffer);
    floats[FIELD.temperature] = sampling.temperature;
    floats[FIELD.topP] = sampling.topP;
    floats[FIELD.minP] = sampling.minP;
    floats[FIELD.repetitionPenalty] = sampling.repetitionPenalty;
    floats[FIELD.presencePenalty] = sampling.presencePenalty;
    floats[FIELD.frequencyPenalty] = sampling.frequencyPenalty;
  }

  /** Takes note of a sampled token. */
  append(tokenId: number): void {
    this.lastTokenId = tokenId;
    if (this.#keepsHistory) {
      if (this.#tokenCount === this.#history.length) this.#grow();
      this.#history[this.#tokenCount] = tokenId;
    }
    this.#tokenCount++;
    this.#integers[FIELD.outputCount] = BigInt(++this.#outputCount);
  }

  #grow(): void {
    const grown = new Int32Array(Math.max(64, 2 * this.#tokenCount));
    grown.set(this.#history);
    this.#history = grown;
    this.#integers[FIELD.history] = BigInt(addressOf(grown));
  }

  #setArrays({ sampling, endIds }: Pick<SlotState, 'sampling' | 'endIds'>): void {
    const { logitBias, badWords } = sampling;
    this.#pin(FIELD.biasIds, Int32Array.from(logitBias.keys()));
    this.#pin(FIELD.biasValues, Float32Array.from(logitBias.values()));
    this.#integers[FIELD.biasCount] = BigInt(logitBias.size);
    this.#pin(FIELD.badWords, Int32Array.from(badWords.flatMap((word) => [word.length, ...word])));
    this.#integers[FIELD.badWordCount] = BigInt(badWords.length);
    this.#pin(FIELD.endIds, Int32Array.from(endIds));
    this.#integers[FIELD.endIdCount] = BigInt(endIds.length);
  }

  #pin(field: number, array: Int32Array | Float32Array): void {
    this.#pinned.push(array);
    if (array.length > 0) this.#integers[field] = BigInt(addressOf(array));
  }
}

/** 64-bit fields of SampleRow in slot.h. */
const ROW_FIELDS = 4;

/** The rows of one sampling call. */
export class SampleRows {
  readonly address: number;
  readonly #fields: BigInt64Array;

  constructor(maxRows: number) {
    this.#fields = new BigInt64Array(maxRows * ROW_FIELDS);
    this.address = addressOf(this.#fields);
  }

  /** @param target token to score, or -1 to sample one @param topCount -1 reports no log probabilities */
  set(
    row: number,
    slot: NativeSlot,
    {
      position,
      target,
      topCount,
    }: { readonly position: number; readonly target: number; readonly topCount: number },
  ): void {
    const at = row * ROW_FIELDS;
    this.#fields[at] = BigInt(slot.address);
    this.#fields[at + 1] = BigInt(position);
    this.#fields[at + 2] = BigInt(target);
    this.#fields[at + 3] = BigInt(topCount);
  }
}
