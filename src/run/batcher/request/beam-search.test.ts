import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { BeamParams, BatcherEvent, SequenceEvent } from '../../../core/request.js';
import {
  EMPTY_HISTORY,
  extendHistory,
  logSoftmax,
  topTokens,
  toyLogits,
} from '../../executor/testing/toy-model.js';
import { BeamSearch } from './beam-search.js';
import { StopLists } from './stop-lists.js';
import { tokenRequest } from '../testing/mixed-requests.js';

const VOCABULARY = 9;
const END_ID = 4;
const GREATLY_NEGATIVE = -1e9;

function logprobsAfter(tokens: readonly number[]): Float64Array {
  return logSoftmax(toyLogits(tokens.reduce(extendHistory, EMPTY_HISTORY), VOCABULARY));
}

interface Setting extends BeamParams {
  readonly maxOutputTokens: number;
  readonly minTokens: number;
  readonly start: number;
}

function search(setting: Setting): SequenceEvent[] {
  const request = tokenRequest('a', { maxOutputTokens: setting.maxOutputTokens, endIds: [END_ID] });
  const limited = { ...request, sequenceCount: setting.width };
  const beams = new BeamSearch(limited, setting, new StopLists([]));
  let outputs: number[][] = [[]];
  for (;;) {
    const candidates = outputs.map((output) => {
      const logprobs = logprobsAfter([setting.start, ...output]);
      if (output.length < setting.minTokens) logprobs[END_ID] = -Infinity; // as the device does
      const tokenIds = topTokens(logprobs, beams.candidateCount);
      return {
        tokenIds: Int32Array.from(tokenIds),
        logprobs: Float32Array.from(tokenIds, (id) => logprobs[id]!),
      };
    });
    const choice = beams.advance(
      outputs.map((output) => Int32Array.from(output)),
      candidates,
    );
    if (choice === undefined) break;
    outputs = choice.parents.map((parent, i) => [...outputs[parent]!, choice.tokenIds[i]!]);
  }
  const events: BatcherEvent[] = [];
  beams.emitBest({ token() {}, event: (event) => events.push(event) });
  return events.filter((event) => event.type === 'sequence');
}

/**
 * The dense form of transformers 5 (`_beam_search` and its helpers): all scores of all beams, -1e9 for what is out, and
 * fixed arrays of running and finished beams. Written from its description, as a second opinion on the sparse form.
 */
function searchDensely(setting: Setting): { tokenIds: number[]; score: number }[] {
  const { width, lengthPenalty, earlyStopping, maxOutputTokens, minTokens, start } = setting;
  let running = Array.from({ length: width }, (_, i) => ({
    ids: [] as number[],
    score: i === 0 ? 0 : GREATLY_NEGATIVE,
  }));
  let finished = Array.from({ length: width }, () => ({
    ids: [] as number[],
    score: GREATLY_NEGATIVE,
    isSet: false,
  }));
  for (let length = 1; ; length++) {
    const all = running.flatMap(({ ids, score }) =>
      Array.from(logprobsAfter([start, ...ids]), (logprob, id) => ({
        ids: [...ids, id],
        score: id === END_ID && ids.length < minTokens ? -Infinity : score + Math.fround(logprob),
        ends: id === END_ID || length === maxOutputTokens,
      })),
    );
    const top = all.toSorted((a, b) => b.score - a.score).slice(0, 2 * width);
    const next = top
      .map(({ ids, score, ends }) => ({ ids, score: score + (ends ? GREATLY_NEGATIVE : 0) }))
      .toSorted((a, b) => b.score - a.score)
      .slice(0, width);
    const ended = top.slice(0, width).map(({ ids, score, ends }) => ({
      ids,
      score: ends ? score / length ** lengthPenalty : GREATLY_NEGATIVE,
      isSet: ends,
    }));
    finished = [...finished, ...ended].toSorted((a, b) => b.score - a.score).slice(0, width);
    running = next;
    const isFull = finished.every(({ isSet }) => isSet);
    const worst = Math.min(...finished.map(({ score }) => score));
    const canImprove = !isFull || running[0]!.score / length ** lengthPenalty > worst;
    if (!canImprove || (isFull && earlyStopping) || top.every(({ ends }) => ends)) break;
  }
  return finished.map(({ ids, score }) => ({
    tokenIds: ids.at(-1) === END_ID ? ids.slice(0, -1) : ids,
    score,
  }));
}

describe('beam search', () => {
  test('finds what the dense form finds', () => {
    const settings = fc.record({
      width: fc.integer({ min: 1, max: 4 }),
      lengthPenalty: fc.constantFrom(-1, 0, 0.5, 1, 2),
      earlyStopping: fc.boolean(),
      maxOutputTokens: fc.integer({ min: 1, max: 8 }),
      minTokens: fc.constantFrom(0, 3),
      start: fc.nat(1000),
    });
    fc.assert(
      fc.property(settings, (setting) => {
        const found = search(setting);
        const expected = searchDensely(setting);
        expect(found.map(({ tokenIds }) => tokenIds)).toEqual(expected.map(({ tokenIds }) => tokenIds));
        for (const [rank, { finishReason, tokenIds, cumulativeLogprob }] of found.entries()) {
          const length = tokenIds.length + (finishReason === 'stop' ? 1 : 0);
          expect(cumulativeLogprob / length ** setting.lengthPenalty).toBeCloseTo(expected[rank]!.score, 5);
        }
      }),
      { numRuns: 500 },
    );
  });

  test('goes on with fewer continuations than beams, and reports when it ends with too few', () => {
    const request = tokenRequest('a', { maxOutputTokens: 2, sequenceCount: 3 });
    const params = { width: 3, lengthPenalty: 1, earlyStopping: false };
    const one = (id: number) => ({ tokenIds: Int32Array.of(id), logprobs: Float32Array.of(-1) });
    const beams = new BeamSearch(request, params, new StopLists([]));
    const choice = beams.advance([Int32Array.of()], [one(7)]);
    expect(choice).toEqual({ parents: [0, 0, 0], tokenIds: [7, 7, 7] });
    expect(
      beams.advance(
        [7, 7, 7].map((id) => Int32Array.of(id)),
        [one(1), one(2), one(3)],
      ),
    ).toBeUndefined();
    expect([beams.isShort, beams.outputTokenCount]).toEqual([true, 2]);
  });

  test('a stop list ends a beam and is not part of it', () => {
    const request = tokenRequest('a', { maxOutputTokens: 5, stopTokenLists: [[1, 2]] });
    const stopLists = new StopLists(request.stopTokenLists);
    const beams = new BeamSearch(request, { width: 1, lengthPenalty: 1, earlyStopping: true }, stopLists);
    const only = (...ids: number[]) => [
      { tokenIds: Int32Array.from(ids), logprobs: Float32Array.from(ids, (_, i) => -1 - i) },
    ];
    expect(beams.advance([Int32Array.of()], only(7, 8))).toEqual({ parents: [0], tokenIds: [7] });
    expect(beams.advance([Int32Array.of(7)], only(1, 8))).toEqual({ parents: [0], tokenIds: [1] });
    expect(beams.advance([Int32Array.of(7, 1)], only(2, 8))).toBeUndefined();
    const events: BatcherEvent[] = [];
    beams.emitBest({ token() {}, event: (event) => events.push(event) });
    expect(events).toMatchObject([{ tokenIds: [7], finishReason: 'stop_word', cumulativeLogprob: -3 }]);
  });
});
