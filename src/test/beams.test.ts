import { expect, test } from 'vitest';
import type { TokenRequest } from '../core/request.js';
import { GREEDY } from '../core/sampling.js';
import { tokenRequest } from '../run/batcher/testing/mixed-requests.js';
import type { SequenceOutcome } from '../run/batcher/testing/outcome.js';
import { DEMO_MODEL, withModel } from './build-and-open.js';
import { referenceJson } from './reference-data.js';
import { outcomesOf } from './requests.js';

interface Search {
  readonly prompt_ids: readonly number[];
  readonly num_beams: number;
  readonly length_penalty: number;
  readonly early_stopping: boolean;
  readonly sequences: readonly { readonly new_ids: readonly number[]; readonly score: number }[];
}

interface SearchFile<Item extends Search> {
  readonly max_new_tokens: number;
  readonly items: readonly Item[];
}

const END_ID = 2;
const { items, max_new_tokens: maxOutputTokens } = referenceJson('beams-demo.json') as SearchFile<Search>;

function beamRequest(id: string, item: Search, limit: number): TokenRequest {
  const { num_beams: width, length_penalty: lengthPenalty, early_stopping: earlyStopping } = item;
  return tokenRequest(id, {
    promptTokenIds: Int32Array.from(item.prompt_ids),
    beam: { width, lengthPenalty, earlyStopping },
    sequenceCount: width,
    bestOf: width,
    maxOutputTokens: limit,
    endIds: [END_ID],
  });
}

/** Without the end ids with which transformers fills a row that ended early. */
function withoutEnd(ids: readonly number[]): readonly number[] {
  return ids.slice(0, ids.findLastIndex((id) => id !== END_ID) + 1);
}

/** Score as transformers computes it: an end id counts as a token. */
function scoreOf(
  { tokenIds, finishReason, cumulativeLogprob }: SequenceOutcome,
  lengthPenalty: number,
): number {
  const length = tokenIds.length + (finishReason === 'stop' ? 1 : 0);
  return cumulativeLogprob / length ** lengthPenalty;
}

async function search(requests: readonly TokenRequest[]) {
  const model = { model_dir: DEMO_MODEL, dtype: 'float32', max_batch_size: '16', max_beam_width: '4' };
  return withModel(model, { maxKvTokens: 2048 }, (executor) => outcomesOf(executor, requests));
}

test('beams of the demo model are those of transformers, scores included', async () => {
  const outcomes = await search(items.map((item, i) => beamRequest(`${i}`, item, maxOutputTokens)));
  for (const [i, { sequences, length_penalty }] of items.entries()) {
    const found = Array.from(outcomes[i]!.sequences.values());
    expect(found.map(({ tokenIds }) => tokenIds)).toEqual(
      sequences.map(({ new_ids }) => withoutEnd(new_ids)),
    );
    for (const [rank, outcome] of found.entries())
      expect(scoreOf(outcome, length_penalty)).toBeCloseTo(sequences[rank]!.score, 5);
  }
});

interface ProcessedSearch extends Search {
  readonly repetition_penalty?: number;
  readonly presence_penalty?: number;
  readonly frequency_penalty?: number;
  readonly sequence_bias?: readonly (readonly [number, number])[];
  readonly bad_words_ids?: readonly (readonly number[])[];
  readonly min_new_tokens?: number;
  readonly ignore_eos?: boolean;
  readonly stop_lists?: readonly (readonly number[])[];
  readonly is_changed: boolean;
}

function processedRequest(id: string, item: ProcessedSearch, limit: number): TokenRequest {
  return {
    ...beamRequest(id, item, limit),
    endIds: item.ignore_eos ? [] : [END_ID],
    stopTokenLists: item.stop_lists ?? [],
    sampling: {
      ...GREEDY,
      repetitionPenalty: item.repetition_penalty ?? 1,
      presencePenalty: item.presence_penalty ?? 0,
      frequencyPenalty: item.frequency_penalty ?? 0,
      logitBias: new Map(item.sequence_bias),
      badWords: item.bad_words_ids ?? [],
      minTokens: item.min_new_tokens ?? 0,
    },
  };
}

/** The output without the end id or the stop list that closed it. */
function withoutClosing(ids: readonly number[], { ignore_eos, stop_lists = [] }: ProcessedSearch) {
  const isEnded = !ignore_eos && ids.at(-1) === END_ID;
  const stop = stop_lists.find((list) => list.join() === ids.slice(-list.length).join()) ?? [];
  return ids.slice(0, ids.length - (isEnded ? 1 : stop.length));
}

test('beams under penalties, biases, bad words, min tokens and stop lists are those of transformers', async () => {
  const oracle = referenceJson('beam-processors-demo.json') as SearchFile<ProcessedSearch>;
  expect(oracle.items.length).toBeGreaterThanOrEqual(40);
  expect(oracle.items.filter((item) => item.is_changed).length).toBeGreaterThanOrEqual(40);
  const outcomes = await search(
    oracle.items.map((item, i) => processedRequest(`${i}`, item, oracle.max_new_tokens)),
  );
  for (const [i, item] of oracle.items.entries()) {
    const found = Array.from(outcomes[i]!.sequences.values());
    expect(
      found.map(({ tokenIds }) => tokenIds),
      `item ${i}`,
    ).toEqual(item.sequences.map(({ new_ids }) => withoutClosing(new_ids, item)));
    for (const [rank, { cumulativeLogprob }] of found.entries()) {
      const { score, new_ids } = item.sequences[rank]!;
      const found = cumulativeLogprob / new_ids.length ** item.length_penalty;
      expect(Math.abs(found - score), `item ${i}`).toBeLessThan(1e-5 * Math.max(1, Math.abs(score)));
    }
  }
});
