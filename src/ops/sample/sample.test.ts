import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { GREEDY, type SamplingParams } from '../../core/sampling.js';
import type { CpuPool } from '../../device/cpu/kernel-library.js';
import { withEachLevel } from '../../device/cpu/testing/test-pools.js';
import { addressOf } from '../../ffi/memory.js';
import { bindSample, NativeSlot, SampleRows } from './cpu.js';
import {
  MASK_SETTINGS,
  masksOf,
  anyBits,
  beamSettings,
  contextOf,
  historyOf,
  historySettings,
  randomLogits,
  countUp,
  SETTINGS,
  VOCABULARIES,
} from './testing/sample-cases.js';
import { philox4x32 } from './philox.js';
import {
  keptValues,
  modifiedLogits,
  sampleReference,
  scoreBeamReference,
  scoreReference,
  type SampleContext,
} from './reference.js';

/** Samples one row of logits with the kernel for each position. */
function sampleOnCpu(
  pool: CpuPool,
  logits: Float32Array,
  from: SampleContext,
  request: {
    readonly positions: readonly number[];
    readonly target?: number;
    readonly topCount?: number;
    readonly isBeam?: boolean;
  },
) {
  const { positions, target = -1, topCount = -1, isBeam = false } = request;
  const slot = new NativeSlot({
    slot: 0,
    isBeam,
    ...from,
    promptTokenIds: Int32Array.from(from.promptTokenIds),
    outputTokenIds: Int32Array.from(from.outputTokenIds),
  });
  const rows = new SampleRows(positions.length);
  const mask = from.mask === undefined ? 0 : addressOf(from.mask);
  positions.forEach((position, row) => rows.set(row, slot, { position, target, topCount, mask }));
  const topStride = Math.max(topCount, 0);
  const result = {
    tokenIds: new Int32Array(positions.length),
    logprobs: new Float32Array(positions.length).fill(NaN),
    topIds: new Int32Array(positions.length * topStride).fill(-1),
    topLogprobs: new Float32Array(positions.length * topStride).fill(NaN),
  };
  const all = new Float32Array(positions.length * logits.length);
  positions.forEach((_, row) => all.set(logits, row * logits.length));
  bindSample(pool.library)(
    pool.handle,
    addressOf(all),
    logits.length,
    logits.length,
    rows.address,
    positions.length,
    topStride,
    addressOf(result.tokenIds),
    addressOf(result.logprobs),
    addressOf(result.topIds),
    addressOf(result.topLogprobs),
  );
  return result;
}

describe('philox', () => {
  // Known answers of the authors' Random123 library (kat_vectors).
  it('gives the known answers', () => {
    const words = (text: string): bigint[] => text.split(' ').map((word) => BigInt(`0x${word}`));
    const vectors = [
      ['00000000 00000000 00000000 00000000', '00000000 00000000', '6627e8d5 e169c58d bc57ac4c 9b00dbd8'],
      ['ffffffff ffffffff ffffffff ffffffff', 'ffffffff ffffffff', '408f276d 41c83b0e a20bc7c6 6d5451fd'],
      ['243f6a88 85a308d3 13198a2e 03707344', 'a4093822 299f31d0', 'd16cfe09 94fdcceb 5001e420 24126ea1'],
    ] as const;
    for (const [counter, key, expected] of vectors)
      expect(philox4x32(words(counter), words(key))).toEqual(words(expected));
  });
});

interface WarperOracle {
  readonly logits: readonly (readonly number[])[];
  readonly cases: readonly {
    readonly settings: Readonly<Record<string, number>>;
    readonly probabilities: readonly (readonly number[])[];
  }[];
}

const oracle = JSON.parse(
  readFileSync(new URL('../../../oracle/warpers.json', import.meta.url), 'utf8'),
) as WarperOracle;

describe('Hugging Face transformers', () => {
  it.each(oracle.cases.map((item) => [JSON.stringify(item.settings), item] as const))(
    'agrees on the probabilities after %s',
    (_, { settings, probabilities }) => {
      const sampling = {
        ...GREEDY,
        temperature: settings['temperature'] ?? 1,
        topK: settings['top_k'] ?? 0,
        topP: settings['top_p'] ?? 1,
        minP: settings['min_p'] ?? 0,
      };
      for (const [row, logits] of oracle.logits.entries()) {
        const values = keptValues(Float32Array.from(logits), sampling);
        const weights = Array.from(values, (value) => Math.exp(value - Math.max(...values)));
        const total = weights.reduce((sum, weight) => sum + weight, 0);
        for (const [id, weight] of weights.entries()) {
          expect(weight / total, `row ${row}, token ${id}`).toBeCloseTo(probabilities[row]![id]!, 5);
          expect(weight > 0, `row ${row}, token ${id}`).toBe(probabilities[row]![id]! > 0);
        }
      }
    },
  );
});

describe('modified logits', () => {
  it('apply bias, penalties, bad words and min tokens in order', () => {
    const logits = Float32Array.of(1, 2, -2, 4, 5, 6);
    const values = modifiedLogits(
      logits,
      contextOf(
        {
          logitBias: new Map([[0, 3]]),
          repetitionPenalty: 2,
          presencePenalty: 0.5,
          frequencyPenalty: 0.25,
          badWords: [[4], [1, 2, 3], [2, 3]],
          minTokens: 4,
        },
        { endIds: [5], promptTokenIds: [0, 1], outputTokenIds: [2, 1, 2] },
      ),
    );
    // 0: (1 + 3) / 2; 1: 2 / 2 - 0.5 - 0.25; 2: -2 * 2 - 0.5 - 2 * 0.25; 3: [2, 3] would be complete; 4: banned; 5: too early
    expect([...values]).toEqual([2, 0.25, -5, -Infinity, -Infinity, -Infinity]);
  });
});

describe('sampling on the CPU', () => {
  it.each(VOCABULARIES)('draws as the reference does from %i tokens', (vocabulary) => {
    for (const [index, settings] of SETTINGS.entries()) {
      const logits = randomLogits(vocabulary, index + vocabulary);
      const from = contextOf({ ...settings, seed: 0xfedcba9876543210n + BigInt(index) });
      const positions = countUp(vocabulary > 10_000 ? 4 : 40);
      const expected = positions.map((position) => sampleReference(logits, from, position));
      withEachLevel(2, (pool, isa) => {
        const { tokenIds } = sampleOnCpu(pool, logits, from, { positions });
        expect([...tokenIds], `${isa} ${JSON.stringify(settings)}`).toEqual(expected);
      });
    }
  });

  it('keeps all equal values at the thresholds, and takes the lowest id when greedy', () => {
    const logits = Float32Array.from({ length: 200 }, (_, id) => (id === 0 ? -1 : id % 5));
    for (const settings of [{ topK: 3 }, { topP: 0.01 }, { topK: 60 }, { temperature: 0 }]) {
      const from = contextOf({ ...settings, seed: 9n });
      const positions = countUp(100);
      const expected = positions.map((position) => sampleReference(logits, from, position));
      withEachLevel(1, (pool) => {
        expect([...sampleOnCpu(pool, logits, from, { positions }).tokenIds]).toEqual(expected);
      });
    }
    const topK = countUp(300).map((position) => sampleReference(logits, contextOf({ topK: 3 }), position));
    expect(new Set(topK).size).toBe(40); // every id with id % 5 = 4
    expect(sampleReference(logits, contextOf({ temperature: 0 }), 0)).toBe(4);
  });

  it('follows penalties, bias, bad words and min tokens', () => {
    const logits = randomLogits(500, 77);
    const rest = historyOf(500, 3);
    const settings = historySettings(rest);
    for (const temperature of [0, 1.5]) {
      for (const sampling of settings) {
        const from = contextOf({ ...sampling, temperature, seed: 5n }, rest);
        const expected = countUp(20).map((position) => sampleReference(logits, from, position));
        withEachLevel(2, (pool, isa) => {
          const { tokenIds } = sampleOnCpu(pool, logits, from, { positions: countUp(20) });
          expect([...tokenIds], `${isa} ${JSON.stringify(Object.entries(sampling))}`).toEqual(expected);
        });
      }
    }
  });

  it.each(MASK_SETTINGS)('keeps to a mask (%s)', (_, settings, rest) => {
    const logits = randomLogits(500, 91);
    for (const mask of masksOf(500)) {
      const from = contextOf({ ...settings, seed: 4n }, { ...rest, mask });
      const positions = countUp(12).map((position) => 60 + position);
      const expected = positions.map((position) => sampleReference(logits, from, position));
      for (const id of expected) expect((mask[id >> 5]! >>> (id & 31)) & 1).toBe(1);
      withEachLevel(2, (pool, isa) => {
        expect([...sampleOnCpu(pool, logits, from, { positions }).tokenIds], isa).toEqual(expected);
      });
    }
  });

  it('gives nothing where a mask allows only what is no number', () => {
    const logits = Float32Array.of(1, NaN, 2);
    const from = contextOf({ temperature: 0 }, { mask: Int32Array.of(2) });
    expect(sampleReference(logits, from, 0)).toBe(-1);
    withEachLevel(1, (pool) =>
      expect(sampleOnCpu(pool, logits, from, { positions: [0] }).tokenIds[0]).toBe(-1),
    );
  });

  it('scores beams within a mask', () => {
    const logits = randomLogits(500, 92);
    const rest = historyOf(500, 3);
    for (const mask of masksOf(500))
      for (const settings of beamSettings(logits, rest)) {
        const from = contextOf({ ...settings, temperature: 0 }, { ...rest, mask });
        const expected = scoreBeamReference(logits, from, 12);
        withEachLevel(1, (pool) => {
          const result = sampleOnCpu(pool, logits, from, { positions: [60], topCount: 12, isBeam: true });
          expect(result.tokenIds[0]).toBe(expected.tokenId);
          expect([...result.topIds].filter((id) => id >= 0)).toEqual(
            expected.top.map(({ tokenId }) => tokenId),
          );
        });
      }
  });

  it('scores the next tokens of a beam as the reference does', () => {
    for (const [index, vocabulary] of [40, 500, 32_000].entries()) {
      const logits = randomLogits(vocabulary, 90 + index);
      logits[3] = NaN;
      const rest = historyOf(vocabulary, 8 + index);
      const settings = beamSettings(logits, rest);
      for (const sampling of settings) {
        const from = contextOf({ ...sampling, temperature: 0 }, rest);
        const expected = scoreBeamReference(logits, from, 12);
        withEachLevel(2, (pool, isa) => {
          const result = sampleOnCpu(pool, logits, from, { positions: [60], topCount: 12, isBeam: true });
          const what = `${isa} ${vocabulary} ${JSON.stringify(Object.keys(sampling))}`;
          expect(result.tokenIds[0], what).toBe(expected.tokenId);
          expect(result.logprobs[0], what).toBeCloseTo(expected.logprob, 4);
          expect([...result.topIds], what).toEqual(expected.top.map(({ tokenId }) => tokenId));
          for (const [rank, { logprob }] of expected.top.entries())
            expect(result.topLogprobs[rank], what).toBeCloseTo(logprob, 4);
        });
      }
    }
  });

  it('draws with the frequencies of the distribution', () => {
    const logits = Float32Array.from([0.5, 0.25, 0.125, 0.125], Math.log);
    withEachLevel(2, (pool) => {
      const { tokenIds } = sampleOnCpu(pool, logits, contextOf({ seed: 2n }), { positions: countUp(20_000) });
      const counts = [0, 0, 0, 0];
      for (const id of tokenIds) counts[id]!++;
      const deviations = [0.5, 0.25, 0.125, 0.125].map(
        (p, id) => (counts[id]! - 20_000 * p) / Math.sqrt(20_000 * p),
      );
      expect(Math.max(...deviations.map(Math.abs))).toBeLessThan(4);
    });
  });

  it('survives NaN, infinities and bans on everything', () => {
    const logits = Float32Array.of(NaN, -Infinity, 3, NaN, 1);
    const nothing = Float32Array.of(NaN, -Infinity, NaN);
    const banAll = { badWords: countUp(5).map((id) => [id]) };
    withEachLevel(1, (pool) => {
      for (const temperature of [0, 1]) {
        const sample = (row: Float32Array, sampling: Partial<SamplingParams>): number =>
          sampleOnCpu(pool, row, contextOf({ temperature, topK: 1, ...sampling }), { positions: [0] })
            .tokenIds[0]!;
        expect([sample(logits, {}), sample(nothing, {}), sample(logits, banAll)]).toEqual([2, -1, 2]);
        expect(sample(logits, { topK: 0, topP: 0.5, minP: 0.5 })).toBe(2);
      }
    });
  });

  it('chooses a token of the vocabulary whatever bits the numbers have', () => {
    withEachLevel(1, (pool, isa) => {
      for (const { logits, context } of anyBits(400)) {
        const position = context.promptTokenIds.length + context.outputTokenIds.length;
        const { tokenIds } = sampleOnCpu(pool, logits, context, { positions: [position], topCount: 3 });
        const what = `${isa} ${logits.length} ${JSON.stringify(context.sampling, (_, value) => (typeof value === 'bigint' ? String(value) : value))}`;
        expect(tokenIds[0], what).toBe(sampleReference(logits, context, position));
      }
    });
  });

  // Values that requests could have before their ranges were checked.
  it.each([
    { temperature: 1e-38, topK: 5 },
    { temperature: 1e-38, topP: 0.9 },
    { temperature: 1e-40 },
    { temperature: 1e-60 },
    { logitBias: new Map([[3, 1e39]]) },
    { repetitionPenalty: 1e-40 },
    { frequencyPenalty: -3e38 },
    { minP: 3 },
  ])('survives %o', (sampling) => {
    const vocabulary = 512;
    const context = contextOf({ topK: 0, ...sampling }, historyOf(vocabulary, 5));
    const logits = randomLogits(vocabulary, 5);
    withEachLevel(2, (pool) => {
      const { tokenIds } = sampleOnCpu(pool, logits, context, { positions: [60] });
      expect(tokenIds[0]).toBe(sampleReference(logits, context, 60));
    });
  });

  it.each(VOCABULARIES)('reports log probabilities of %i tokens', (vocabulary) => {
    const logits = randomLogits(vocabulary, 4);
    if (vocabulary > 20) logits[17] = logits[9]!; // equal ones come by id
    const target = vocabulary >> 1;
    for (const topCount of [0, 1, 20]) {
      const expected = scoreReference(logits, target, topCount);
      withEachLevel(1, (pool) => {
        const result = sampleOnCpu(pool, logits, contextOf({}), { positions: [0], target, topCount });
        const known = expected.top.length;
        expect(result.tokenIds[0]).toBe(target);
        expect(result.logprobs[0]).toBeCloseTo(expected.logprob, 4);
        expect([...result.topIds.subarray(0, known)]).toEqual(expected.top.map(({ tokenId }) => tokenId));
        expect([...result.topIds.subarray(known)].every((id) => id === -1)).toBe(true);
        for (const [rank, { logprob }] of expected.top.entries())
          expect(result.topLogprobs[rank]).toBeCloseTo(logprob, 4);
      });
    }
  });
});
