import { expect, test } from 'vitest';
import { tokenRequest } from '../run/batcher/testing/mixed-requests.js';
import type { SequenceOutcome } from '../run/batcher/testing/outcome.js';
import { DEMO_MODEL, withModel } from './build-and-open.js';
import { referenceJson } from './reference-data.js';
import { outcomesOf } from './requests.js';

interface Beams {
  readonly max_new_tokens: number;
  readonly items: readonly {
    readonly prompt_ids: readonly number[];
    readonly num_beams: number;
    readonly length_penalty: number;
    readonly early_stopping: boolean;
    readonly sequences: readonly { readonly new_ids: readonly number[]; readonly score: number }[];
  }[];
}

const END_ID = 2;
const { items, max_new_tokens: maxOutputTokens } = referenceJson('beams-demo.json') as Beams;

/** Without the end ids with which transformers fills a row that ended early. */
function withoutEnd(ids: readonly number[]): readonly number[] {
  return ids.slice(0, ids.findLastIndex((id) => id !== END_ID) + 1);
}

/** As transformers scores: an end id counts as a token. */
function scoreOf(
  { tokenIds, finishReason, cumulativeLogprob }: SequenceOutcome,
  lengthPenalty: number,
): number {
  const length = tokenIds.length + (finishReason === 'stop' ? 1 : 0);
  return cumulativeLogprob / length ** lengthPenalty;
}

test('beams of the demo model are those of transformers, scores included', async () => {
  const requests = items.map((item, i) =>
    tokenRequest(`${i}`, {
      promptTokenIds: Int32Array.from(item.prompt_ids),
      beam: {
        width: item.num_beams,
        lengthPenalty: item.length_penalty,
        earlyStopping: item.early_stopping,
      },
      sequenceCount: item.num_beams,
      bestOf: item.num_beams,
      maxOutputTokens,
      endIds: [END_ID],
    }),
  );
  const model = { model_dir: DEMO_MODEL, dtype: 'float32', max_batch_size: '16', max_beam_width: '4' };
  const outcomes = await withModel(model, { maxKvTokens: 2048 }, (executor) =>
    outcomesOf(executor, requests),
  );
  for (const [i, { sequences, length_penalty }] of items.entries()) {
    const found = Array.from(outcomes[i]!.sequences.values());
    expect(found.map(({ tokenIds }) => tokenIds)).toEqual(
      sequences.map(({ new_ids }) => withoutEnd(new_ids)),
    );
    for (const [rank, outcome] of found.entries())
      expect(scoreOf(outcome, length_penalty)).toBeCloseTo(sequences[rank]!.score, 5);
  }
});
