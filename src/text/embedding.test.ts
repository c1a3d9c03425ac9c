import { describe, expect, test } from 'vitest';
import type { EmbeddingTraits } from '../core/embedding.js';
import type { GenerateRequest, ModelCard } from '../core/generate.js';
import { asTokenWork, pooled } from './embedding.js';

const TRAITS: EmbeddingTraits = { columns: 3, pooling: 'mean', isNormalised: false };
/** Three tokens. */
const STATES = Float32Array.of(1, 2, 2, 3, 4, 0, 5, 0, 4);

describe('an embedding', () => {
  test.each<[Partial<EmbeddingTraits>, number | undefined, readonly number[]]>([
    [{}, undefined, [3, 2, 2]],
    [{ pooling: 'cls' }, undefined, [1, 2, 2]],
    [{ pooling: 'last' }, undefined, [5, 0, 4]],
    [{ pooling: 'last' }, 2, [5, 0]],
    [{ pooling: 'cls', isNormalised: true }, undefined, [1 / 3, 2 / 3, 2 / 3]],
    // Cut first: the rest has length 1 again.
    [{ pooling: 'cls', isNormalised: true }, 1, [1]],
  ])('by %j in %s dimensions', (traits, dimensions, expected) => {
    expect(pooled(STATES, { ...TRAITS, ...traits }, dimensions)).toEqual(Float32Array.from(expected));
  });

  test('of zeros is no NaN', () => {
    expect(pooled(new Float32Array(3), { ...TRAITS, isNormalised: true })).toEqual(new Float32Array(3));
  });
});

describe('a request', () => {
  const prompt = { type: 'tokens', tokenIds: [1] } as const;
  const card = (embedding?: EmbeddingTraits) => ({ name: 'm', embedding }) as ModelCard;

  test('for an embedding reads its prompt and generates nothing; one for text stays as it is', () => {
    const request: GenerateRequest = { prompt, embedding: {} };
    expect(asTokenWork(request, card(TRAITS))).toEqual({
      ...request,
      maxOutputTokens: 0,
      returnContextLogits: true,
    });
    expect(asTokenWork({ prompt }, card())).toEqual({ prompt });
  });

  test.each<[GenerateRequest, EmbeddingTraits | undefined, RegExp]>([
    [{ prompt }, TRAITS, /^The engine of m makes embeddings and no text; .*'--task embed'\.$/],
    [
      { prompt, embedding: {} },
      undefined,
      /^The engine of m generates text and makes no embeddings; .*'--task embed'\.$/,
    ],
    [
      { prompt, embedding: { dimensions: 4 } },
      TRAITS,
      /^embedding\.dimensions must be an integer at least 1 and at most 3, but is 4\.$/,
    ],
  ])('%j that the model cannot do is refused', (request, traits, sentence) => {
    expect(() => asTokenWork(request, card(traits))).toThrow(sentence);
  });
});
