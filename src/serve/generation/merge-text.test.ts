import { expect, test } from 'vitest';
import type { GenerateEvent, TextEvent } from '../../core/generate.js';
import { mergeTexts } from './merge-text.js';

const text = (sequence: number, part: string, id: number): TextEvent => ({
  type: 'text',
  sequence,
  text: part,
  tokenIds: [id],
  logprobs: [
    { tokenId: id, logprob: -id, top: [], text: part, bytes: new Uint8Array(), topTexts: [], topBytes: [] },
  ],
  logits: Float32Array.of(id, id),
});
const end: GenerateEvent = {
  type: 'sequence',
  sequence: 0,
  text: 'abc',
  tokenIds: [1, 2, 3],
  finishReason: 'stop',
  stop: undefined,
  cumulativeLogprob: 0,
};

test('adjacent text of one sequence is joined with all that belongs to it; the rest keeps its order', () => {
  const merged = mergeTexts([text(0, 'a', 1), text(0, 'b', 2), text(1, 'x', 9), text(0, 'c', 3), end]);
  expect(
    merged.map((event) =>
      event.type === 'text' ? [event.sequence, event.text, event.tokenIds] : event.type,
    ),
  ).toEqual([[0, 'ab', [1, 2]], [1, 'x', [9]], [0, 'c', [3]], 'sequence']);
  const [first] = merged;
  expect(first).toMatchObject({
    logprobs: [{ tokenId: 1 }, { tokenId: 2 }],
    logits: Float32Array.of(1, 1, 2, 2),
  });
});

test('a single event is passed on as it is', () => {
  const only = text(0, 'a', 1);
  expect(mergeTexts([only])[0]).toBe(only);
  expect(mergeTexts([])).toEqual([]);
});
