import { addressOf } from '../../ffi/memory.js';
import type { NativeLibrary } from '../../ffi/library.js';
import type { SlotState } from '../../core/step.js';
import { type FieldsOfStruct, Struct, StructArray } from '../struct.js';
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

export const CPU_SAMPLE_SLOT = new Struct('SampleSlot', 'sample/slot.h', {
  history: 'address',
  promptCount: 'i64',
  outputCount: 'i64',
  biasIds: 'address',
  biasValues: 'address',
  biasCount: 'i64',
  badWords: 'address',
  badWordCount: 'i64',
  endIds: 'address',
  endIdCount: 'i64',
  minTokens: 'i64',
  topK: 'i64',
  seed: 'u64',
  temperature: 'f64',
  topP: 'f64',
  minP: 'f64',
  repetitionPenalty: 'f64',
  presencePenalty: 'f64',
  frequencyPenalty: 'f64',
  isBeam: 'i64',
});

export const SAMPLE_ROW = new Struct('SampleRow', 'sample/slot.h', {
  slot: 'address',
  position: 'i64',
  target: 'i64',
  topCount: 'i64',
  mask: 'address',
});

/** A slot's sampling parameters as the kernel reads them, and the tokens that they depend on. */
export class NativeSlot {
  readonly address: number;
  /** The token sampled last, undefined before the first. */
  lastTokenId: number | undefined;
  readonly #fields = new StructArray(CPU_SAMPLE_SLOT, 1);
  readonly #keepsHistory: boolean;
  #tokenCount: number;
  #outputCount: number;
  #history: Int32Array;
  /** Arrays whose addresses are in the struct. */
  readonly #pinned: ArrayBufferView[] = [];

  constructor({ sampling, isBeam, endIds, promptTokenIds, outputTokenIds }: SlotState) {
    this.address = this.#fields.address;
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
    const { logitBias, badWords } = sampling;
    this.#fields.set(0, {
      promptCount: promptTokenIds.length,
      outputCount: outputTokenIds.length,
      biasIds: this.#pin(Int32Array.from(logitBias.keys())),
      biasValues: this.#pin(Float32Array.from(logitBias.values())),
      biasCount: logitBias.size,
      badWords: this.#pin(Int32Array.from(badWords.flatMap((word) => [word.length, ...word]))),
      badWordCount: badWords.length,
      endIds: this.#pin(Int32Array.from(endIds)),
      endIdCount: endIds.length,
      minTokens: sampling.minTokens,
      topK: sampling.topK,
      seed: sampling.seed,
      temperature: sampling.temperature,
      topP: sampling.topP,
      minP: sampling.minP,
      repetitionPenalty: sampling.repetitionPenalty,
      presencePenalty: sampling.presencePenalty,
      frequencyPenalty: sampling.frequencyPenalty,
      isBeam: Number(isBeam),
    });
  }

  /** Takes note of a sampled token. */
  append(tokenId: number): void {
    this.lastTokenId = tokenId;
    if (this.#keepsHistory) {
      if (this.#tokenCount === this.#history.length) this.#grow();
      this.#history[this.#tokenCount] = tokenId;
    }
    this.#tokenCount++;
    this.#fields.set(0, { outputCount: ++this.#outputCount });
  }

  #grow(): void {
    const grown = new Int32Array(Math.max(64, 2 * this.#tokenCount));
    grown.set(this.#history);
    this.#history = grown;
    this.#fields.set(0, { history: addressOf(grown) });
  }

  /** Keeps an array alive. @returns its address, or 0 of an empty one */
  #pin(array: Int32Array | Float32Array): number {
    this.#pinned.push(array);
    return array.length > 0 ? addressOf(array) : 0;
  }
}

/** The rows of one sampling call. */
export class SampleRows {
  readonly address: number;
  readonly #rows: StructArray<FieldsOfStruct<typeof SAMPLE_ROW>>;

  constructor(maxRows: number) {
    this.#rows = new StructArray(SAMPLE_ROW, maxRows);
    this.address = this.#rows.address;
  }

  /**
   * @param target token to score, or -1 to sample one
   * @param topCount -1 reports no log probabilities
   * @param mask address of the bits of the tokens that may be sampled; 0: all may
   */
  set(
    row: number,
    slot: NativeSlot,
    {
      position,
      target,
      topCount,
      mask = 0,
    }: {
      readonly position: number;
      readonly target: number;
      readonly topCount: number;
      readonly mask?: number;
    },
  ): void {
    this.#rows.set(row, { slot: slot.address, position, target, topCount, mask });
  }
}
