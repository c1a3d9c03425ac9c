import { expect, it } from 'vitest';
import { describeGpuKernels, type TestKernels } from '../../builder/testing/test-kernels.js';
import { firstDifference } from '../testing/compare.js';
import { maskWords } from './contract.js';
import { encodeSampleSlot, SAMPLE_SLOT_BYTES, sampleLaunch } from './cuda.js';
import { type SampleContext, sampleReference, scoreBeamReference, scoreReference } from './reference.js';
import {
  anyBits,
  beamSettings,
  contextOf,
  historyOf,
  historySettings,
  MASK_SETTINGS,
  masksOf,
  randomLogits,
  countUp,
  SETTINGS,
  VOCABULARIES,
} from './testing/sample-cases.js';

const MAX_SEQUENCE_TOKENS = 512;
/** The largest vocabulary of the models that are built for a GPU. */
const LARGEST_VOCABULARY = 128_256;
/** Columns of logits beyond the vocabulary: a product is padded. */
const PADDING = 5;

/** A row of logits, and what is wanted of it. */
interface Row {
  readonly logits: Float32Array;
  readonly context: SampleContext;
  /** Position that the token gets in its sequence. */
  readonly position: number;
  readonly target?: number;
  readonly isBeam?: boolean;
}

/** Samples rows of logits, each in a slot of its own. */
function sample(kernels: TestKernels, rows: readonly Row[], topCount = 0) {
  const vocabulary = rows[0]!.logits.length;
  const count = rows.length;
  const stride = vocabulary + PADDING;
  const logits = new Float32Array(count * stride).fill(1e30);
  const slots = new Uint8Array(count * SAMPLE_SLOT_BYTES);
  const history = new Int32Array(count * MAX_SEQUENCE_TOKENS);
  for (const [i, row] of rows.entries()) {
    const { promptTokenIds, outputTokenIds, ...rest } = row.context;
    const prompt = Int32Array.from(promptTokenIds);
    const output = Int32Array.from(outputTokenIds);
    const state = { slot: i, isBeam: row.isBeam ?? false, ...rest };
    logits.set(row.logits, i * stride);
    slots.set(
      new Uint8Array(encodeSampleSlot({ ...state, promptTokenIds: prompt, outputTokenIds: output })),
      i * SAMPLE_SLOT_BYTES,
    );
    history.set([...prompt, ...output], i * MAX_SEQUENCE_TOKENS);
  }
  const indices = Int32Array.from(countUp(count));
  const operands = {
    logits: kernels.upload(logits),
    work: kernels.reserve(4 * count * vocabulary),
    counts: kernels.reserve(4 * count * vocabulary),
    slots: kernels.upload(slots),
    lastTokens: kernels.reserve(4 * count),
    history: kernels.upload(history),
    logitRows: kernels.upload(indices),
    logitTokens: kernels.upload(indices),
    logitTargets: kernels.upload(Int32Array.from(rows, ({ target }) => target ?? -1)),
    rowSlots: kernels.upload(indices),
    positions: kernels.upload(Int32Array.from(rows, ({ position }) => position - 1)),
    logitMasks: kernels.upload(
      Int32Array.from(rows, ({ context }, i) => (context.mask === undefined ? -1 : i)),
    ),
    masks: kernels.upload(
      Int32Array.from(
        rows.flatMap(({ context }) => [...(context.mask ?? new Int32Array(maskWords(vocabulary)))]),
      ),
    ),
    outTokens: kernels.reserve(4 * count),
    outLogprobs: kernels.reserve(4 * count),
    outTopIds: kernels.reserve(4 * Math.max(1, count * topCount)),
    outTopLogprobs: kernels.reserve(4 * Math.max(1, count * topCount)),
  };
  const shape = { vocabulary, stride, maxSequenceTokens: MAX_SEQUENCE_TOKENS, topCount };
  kernels.run(sampleLaunch({ logitCount: count, ...shape }, operands));
  // The counts of penalties are zeros for whoever comes next.
  const counts = kernels.integers(operands.counts, count * vocabulary);
  expect(firstDifference(counts, new Int32Array(counts.length))).toBe(-1);
  return {
    tokenIds: kernels.integers(operands.outTokens, count),
    logprobs: kernels.floats(operands.outLogprobs, count),
    topIds: kernels.integers(operands.outTopIds, count * topCount),
    topLogprobs: kernels.floats(operands.outTopLogprobs, count * topCount),
    lastTokens: kernels.integers(operands.lastTokens, count),
    history: kernels.integers(operands.history, count * MAX_SEQUENCE_TOKENS),
  };
}

describeGpuKernels('sample', (open) => {
  it.each([...VOCABULARIES, LARGEST_VOCABULARY])(
    'draws as the reference does from %i tokens',
    (vocabulary) => {
      for (const [index, settings] of SETTINGS.entries()) {
        const kernels = open({ dtype: 'f16' });
        const logits = randomLogits(vocabulary, index + vocabulary);
        const context = contextOf({ ...settings, seed: 0xfedcba9876543210n + BigInt(index) });
        const positions = countUp(vocabulary > 10_000 ? 4 : 40);
        const { tokenIds, lastTokens, history } = sample(
          kernels,
          positions.map((position) => ({ logits, context, position })),
        );
        const expected = positions.map((position) => sampleReference(logits, context, position));
        expect([...tokenIds], JSON.stringify(settings)).toEqual(expected);
        expect([...lastTokens]).toEqual(expected);
        expect(positions.map((position) => history[position * MAX_SEQUENCE_TOKENS + position])).toEqual(
          expected,
        );
      }
    },
  );

  it('keeps all equal values at the thresholds, and takes the lowest id when greedy', () => {
    const logits = Float32Array.from({ length: 200 }, (_, id) => (id === 0 ? -1 : id % 5));
    for (const settings of [{ topK: 3 }, { topP: 0.01 }, { topK: 60 }, { temperature: 0 }]) {
      const kernels = open({ dtype: 'f16' });
      const context = contextOf({ ...settings, seed: 9n });
      const rows = countUp(100).map((position) => ({ logits, context, position }));
      const expected = rows.map(({ position }) => sampleReference(logits, context, position));
      expect([...sample(kernels, rows).tokenIds]).toEqual(expected);
    }
  });

  it.each(MASK_SETTINGS)('keeps to a mask (%s)', (_, settings, rest) => {
    const kernels = open({ dtype: 'f16' });
    const logits = randomLogits(500, 91);
    for (const mask of masksOf(500)) {
      const context = contextOf({ ...settings, seed: 4n }, { ...rest, mask });
      const rows = countUp(12).map((position) => ({ logits, context, position: 60 + position }));
      const expected = rows.map(({ position }) => sampleReference(logits, context, position));
      expect([...sample(kernels, rows).tokenIds]).toEqual(expected);
    }
  });

  it('reports log probabilities of all tokens where a mask allows a few', () => {
    const kernels = open({ dtype: 'f16' });
    const logits = randomLogits(500, 93);
    // Rows that report something lie beside rows that do not, and masked rows beside free ones.
    const rows = [undefined, ...masksOf(500)].flatMap((mask) =>
      [0, 1.2].flatMap((temperature) =>
        [undefined, 0, 6].map((logprobs) => ({
          logits,
          context: contextOf({ temperature, logprobs, seed: 5n }, { mask }),
          position: 7,
        })),
      ),
    );
    const { tokenIds, logprobs, topIds } = sample(kernels, rows, 6);
    for (const [i, { context, position }] of rows.entries()) {
      const tokenId = sampleReference(logits, context, position);
      expect(tokenIds[i]).toBe(tokenId);
      const topCount = context.sampling.logprobs;
      const { logprob, top } = scoreReference(logits, tokenId, topCount ?? 0);
      if (topCount === undefined) expect(logprobs[i]).toBeNaN();
      else expect(logprobs[i]).toBeCloseTo(logprob, 4);
      const ids = top.map(({ tokenId: id }) => id);
      expect([...topIds.subarray(6 * i, 6 * i + 6)]).toEqual([
        ...ids,
        ...countUp(6 - ids.length).map(() => -1),
      ]);
    }
  });

  it('scores beams within a mask', () => {
    const kernels = open({ dtype: 'f16' });
    const logits = randomLogits(500, 92);
    const rest = historyOf(500, 3);
    for (const mask of masksOf(500))
      for (const settings of beamSettings(logits, rest)) {
        const context = contextOf({ ...settings, temperature: 0, logprobs: 12 }, { ...rest, mask });
        const { tokenIds, topIds } = sample(kernels, [{ logits, context, position: 60, isBeam: true }], 12);
        const expected = scoreBeamReference(logits, context, 12);
        expect([...tokenIds]).toEqual([expected.tokenId]);
        expect([...topIds].filter((id) => id >= 0)).toEqual(expected.top.map(({ tokenId }) => tokenId));
      }
  });

  it('follows penalties, bias, bad words and min tokens', () => {
    const kernels = open({ dtype: 'f16' });
    const logits = randomLogits(500, 77);
    const rest = historyOf(500, 3);
    const rows = [0, 1.5].flatMap((temperature) =>
      historySettings(rest).flatMap((settings) =>
        countUp(20).map((seed) => ({
          logits,
          context: contextOf({ ...settings, temperature, seed: BigInt(seed) }, rest),
          position: 60,
        })),
      ),
    );
    const expected = rows.map(({ context, position }) => sampleReference(logits, context, position));
    expect([...sample(kernels, rows).tokenIds]).toEqual(expected);
  });

  it('scores the next tokens of a beam as the reference does', () => {
    for (const [index, vocabulary] of [40, 500].entries()) {
      const kernels = open({ dtype: 'f16' });
      const logits = randomLogits(vocabulary, 90 + index);
      logits[3] = NaN;
      const rest = historyOf(vocabulary, 8 + index);
      const rows = beamSettings(logits, rest).map((settings) => ({
        logits,
        context: contextOf({ ...settings, temperature: 0, logprobs: 12 }, rest),
        position: 60,
        isBeam: true,
      }));
      const result = sample(kernels, rows, 12);
      for (const [i, { context }] of rows.entries()) {
        const expected = scoreBeamReference(logits, context, 12);
        expect(result.tokenIds[i]).toBe(expected.tokenId);
        expect(result.logprobs[i]).toBeCloseTo(expected.logprob, 4);
        expect([...result.topIds.subarray(12 * i, 12 * i + 12)]).toEqual(
          expected.top.map(({ tokenId }) => tokenId),
        );
        for (const [rank, { logprob }] of expected.top.entries())
          expect(result.topLogprobs[12 * i + rank]).toBeCloseTo(logprob, 4);
      }
    }
  });

  it('survives NaN, infinities and bans on everything', () => {
    const kernels = open({ dtype: 'f16' });
    const some = Float32Array.of(NaN, -Infinity, 3, NaN, 1);
    const nothing = Float32Array.of(NaN, -Infinity, NaN, NaN, -Infinity);
    const banAll = { badWords: countUp(5).map((id) => [id]) };
    const rows = [0, 1].flatMap((temperature) => [
      { logits: some, context: contextOf({ temperature, topK: 1 }), position: 0 },
      { logits: nothing, context: contextOf({ temperature, topK: 1 }), position: 0 },
      { logits: some, context: contextOf({ temperature, topK: 1, ...banAll }), position: 0 },
      { logits: some, context: contextOf({ temperature, topP: 0.5, minP: 0.5 }), position: 0 },
    ]);
    const { tokenIds, history } = sample(kernels, rows);
    expect([...tokenIds]).toEqual([2, -1, 2, 2, 2, -1, 2, 2]);
    // The history, which penalties read as ids, never has what is no token.
    expect(rows.map((_, slot) => history[slot * MAX_SEQUENCE_TOKENS])).toEqual([2, 0, 2, 2, 2, 0, 2, 2]);
  });

  it('chooses a token of the vocabulary whatever bits the numbers have', () => {
    const rows = anyBits(400).map((row) => ({
      ...row,
      position: row.context.promptTokenIds.length + row.context.outputTokenIds.length,
    }));
    for (const vocabulary of new Set(rows.map(({ logits }) => logits.length))) {
      const equal = rows.filter(({ logits }) => logits.length === vocabulary);
      const expected = equal.map(({ logits, context, position }) =>
        sampleReference(logits, context, position),
      );
      expect([...sample(open({ dtype: 'f16' }), equal).tokenIds]).toEqual(expected);
    }
  });

  it.each(VOCABULARIES)('reports log probabilities of %i tokens', (vocabulary) => {
    const logits = randomLogits(vocabulary, 4);
    if (vocabulary > 20) logits[17] = logits[9]!; // equal ones come by id
    const target = vocabulary >> 1;
    for (const topCount of [0, 1, 20]) {
      const kernels = open({ dtype: 'f16' });
      const context = contextOf({ promptLogprobs: topCount });
      const result = sample(kernels, [{ logits, context, position: 1, target }], topCount);
      const { logprob, top } = scoreReference(logits, target, topCount);
      expect(result.tokenIds[0]).toBe(target);
      expect(result.logprobs[0]).toBeCloseTo(logprob, 4);
      const ids = top.map(({ tokenId }) => tokenId);
      expect([...result.topIds]).toEqual([...ids, ...countUp(topCount - ids.length).map(() => -1)]);
      for (const [rank, entry] of top.entries())
        expect(result.topLogprobs[rank]).toBeCloseTo(entry.logprob, 4);
    }
  });
});
