import { describe, expect, test } from 'vitest';
import type { GenerateEvent, TextLogprobs } from '../../core/generate.js';
import { AnswerBuilder } from './answer-builder.js';

const logprobOf = (tokenId: number): TextLogprobs => ({
  tokenId,
  logprob: -tokenId,
  top: [],
  text: '',
  bytes: new Uint8Array(),
  topTexts: [],
  topBytes: [],
});
const textEvent = (sequence: number, tokenIds: readonly number[]): GenerateEvent => ({
  type: 'text',
  sequence,
  text: `<${tokenIds.join()}>`,
  tokenIds,
  logprobs: tokenIds.map(logprobOf),
  logits: Float32Array.from(tokenIds.flatMap((id) => [id, id + 0.5])),
});
const end = (sequence: number, tokenIds: readonly number[]): GenerateEvent => ({
  type: 'sequence',
  sequence,
  text: '',
  tokenIds,
  finishReason: 'length',
  stop: undefined,
  cumulativeLogprob: -9,
});
const streamedBy = (splitsTokens: boolean) =>
  new AnswerBuilder(1, { isStreaming: true, echoTokens: false, splitsTokens, sequenceCount: 1 });
const wholeOf = (sequenceCount: number) =>
  new AnswerBuilder(1, { isStreaming: false, echoTokens: true, splitsTokens: true, sequenceCount });

describe('several tokens that are there at once', () => {
  test('are one piece each where token ids are answered', () => {
    const builder = streamedBy(true);
    builder.push(0, textEvent(0, [1, 2, 3]));
    builder.push(0, end(0, [1, 2, 3]));
    const pieces = builder.takePieces().map((answer) => answer.pieces[0]!);
    expect(pieces.map(({ tokenIds }) => tokenIds)).toEqual([[1], [2], [3]]);
    expect(pieces.map(({ logits }) => [...logits!])).toEqual([
      [1, 1.5],
      [2, 2.5],
      [3, 3.5],
    ]);
    expect(pieces.map(({ logprobs }) => logprobs.map(({ tokenId }) => tokenId))).toEqual([[1], [2], [3]]);
    // The last carries the end, and its sum.
    expect(pieces.map(({ cumulativeLogprob }) => cumulativeLogprob)).toEqual([-1, -3, -9]);
    expect(pieces.map(({ finishReason }) => finishReason)).toEqual([undefined, undefined, 'length']);
  });

  test('are one piece where text is', () => {
    const builder = streamedBy(false);
    builder.push(0, textEvent(0, [1, 2, 3]));
    expect(builder.takePieces().map((answer) => answer.pieces[0]!.tokenIds)).toEqual([[1, 2, 3]]);
  });
});

describe('whole answers', () => {
  test('count the generated tokens apart from those of the prompt', () => {
    const builder = wholeOf(1);
    builder.push(0, { type: 'started', id: 'a', promptTokenIds: [7, 8], seed: 1n });
    builder.push(0, textEvent(0, [1, 2, 3]));
    builder.push(0, end(0, [1, 2, 3]));
    const [piece] = builder.whole().pieces;
    expect(piece).toMatchObject({ tokenIds: [7, 8, 1, 2, 3], outputCount: 3 });
    expect(piece!.logits).toHaveLength(6);
  });

  test('of several sequences are one each, which they name', () => {
    const builder = wholeOf(2);
    for (const sequence of [0, 1]) builder.push(0, textEvent(sequence, [sequence + 1]));
    for (const sequence of [0, 1]) builder.push(0, end(sequence, [sequence + 1]));
    expect(builder.wholes()).toMatchObject([
      { isStreamed: true, isMany: true, pieces: [{ sequence: 0, tokenIds: [1] }] },
      { isStreamed: true, isMany: true, pieces: [{ sequence: 1, tokenIds: [2] }] },
    ]);
    expect(builder.whole().pieces).toHaveLength(2);
  });
});
