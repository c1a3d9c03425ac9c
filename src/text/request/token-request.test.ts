import { describe, expect, it } from 'vitest';
import type { GenerateRequest } from '../../core/generate.js';
import type { RequestId } from '../../core/ids.js';
import type { TokenLimits } from '../../core/token-batcher.js';
import { REQUEST_LIMITS } from '../../core/request-limits.js';
import type { GenerationDefaults } from '../generation-config.js';
import { toTokenRequest } from './token-request.js';

const LIMITS: TokenLimits = {
  vocabulary: 100,
  maxInputTokens: 20,
  maxOutputTokens: 30,
  maxSequenceTokens: 40,
  maxSequenceCount: 8,
  maxBeamWidth: 4,
  maxTopLogprobs: 5,
};
const DEFAULTS: GenerationDefaults = {
  doSample: false,
  temperature: 1,
  topK: 0,
  topP: 1,
  minP: 0,
  repetitionPenalty: 1,
  endIds: [2, 100],
};

type Fields = Omit<GenerateRequest, 'prompt'>;
const tokensOf = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 3);

function resolve(
  fields: Fields,
  promptTokens = 10,
  defaults: Partial<GenerationDefaults> = {},
  limits = LIMITS,
) {
  const promptTokenIds = tokensOf(promptTokens);
  const request: GenerateRequest = { prompt: { type: 'tokens', tokenIds: promptTokenIds }, ...fields };
  const encoded = { id: 'r' as RequestId, promptTokenIds, badWords: [[9]], randomSeed: 77n };
  return toTokenRequest(request, encoded, { limits, defaults: { ...DEFAULTS, ...defaults } });
}

describe('defaults', () => {
  it('are greedy, one sequence, all output that fits', () => {
    expect(resolve({})).toMatchObject({
      maxOutputTokens: 30,
      sampling: { temperature: 0, repetitionPenalty: 1, seed: 77n, badWords: [[9]], logprobs: undefined },
      beam: undefined,
      sequenceCount: 1,
      bestOf: 1,
      priority: 0,
    });
    expect(resolve({}, 20).maxOutputTokens).toBe(20);
  });

  const sampling = { doSample: true, temperature: 0.6, topP: 0.9, topK: 50, repetitionPenalty: 1.1 };
  it('sample as the publisher says when the request says nothing', () => {
    expect(resolve({}, 10, sampling).sampling).toMatchObject({
      temperature: 0.6,
      topP: 0.9,
      topK: 50,
      repetitionPenalty: 1.1,
    });
  });

  it('give way to anything that the request says about sampling', () => {
    const off = { topK: 0, topP: 1, minP: 0 };
    expect(resolve({ temperature: 0.8 }, 10, sampling).sampling).toMatchObject({ ...off, temperature: 0.8 });
    expect(resolve({ topP: 0.5 }, 10, sampling).sampling).toMatchObject({
      ...off,
      temperature: 1,
      topP: 0.5,
    });
    expect(resolve({ temperature: 0 }, 10, sampling).sampling).toMatchObject({ ...off, temperature: 0 });
  });

  it('end at the end ids that the model can generate, unless the request names others', () => {
    expect(resolve({}).endIds).toEqual([2]);
    expect(resolve({ endIds: [7, 8] }).endIds).toEqual([7, 8]);
    expect(resolve({ ignoreEos: true }).endIds).toEqual([]);
  });

  it('keep what the request gives', () => {
    const request = resolve({
      seed: 5n,
      logitBias: { 4: -1.5 },
      badTokenLists: [[1, 2]],
      sequenceCount: 2,
      bestOf: 3,
    });
    expect(request.sampling).toMatchObject({ seed: 5n, badWords: [[1, 2], [9]] });
    expect(request.sampling.logitBias).toEqual(new Map([[4, -1.5]]));
    expect(request).toMatchObject({ sequenceCount: 2, bestOf: 3 });
  });

  it('do not sample with beams but keep the repetition penalty, and treat a beam of one as greedy search', () => {
    const beam = { width: 3, lengthPenalty: 1, earlyStopping: false };
    expect(resolve({ beam, temperature: 1, topK: 1 }, 10, sampling)).toMatchObject({
      beam,
      sampling: { temperature: 0, repetitionPenalty: 1.1 },
    });
    expect(resolve({ beam: { ...beam, width: 1 } }).beam).toBeUndefined();
  });

  it('keep the end of a prompt that is to be truncated', () => {
    expect([...resolve({ truncatePromptTokens: 3 }, 25).promptTokenIds]).toEqual([25, 26, 27]);
    expect(resolve({ truncatePromptTokens: 3 }, 2).promptTokenIds).toHaveLength(2);
  });
});

const beam = { width: 2, lengthPenalty: 1, earlyStopping: false };
const invalid: [Fields, string][] = [
  [{ temperature: -1 }, 'temperature must be a number at least 0 and at most 100, but is -1.'],
  [{ temperature: NaN }, 'temperature must be a number at least 0 and at most 100, but is NaN.'],
  [{ topP: 0 }, 'topP must be a number above 0 and at most 1, but is 0.'],
  [{ topP: 1.5 }, 'topP must be a number above 0 and at most 1, but is 1.5.'],
  [{ topK: 2.5 }, 'topK must be an integer at least 0 and at most 2147483647, but is 2.5.'],
  [{ minP: '0.1' as unknown as number }, 'minP must be a number at least 0 and at most 1, but is "0.1".'],
  [{ maxOutputTokens: -1 }, 'maxOutputTokens must be an integer at least 0, but is -1.'],
  [
    { presencePenalty: Infinity },
    'presencePenalty must be a number at least -100 and at most 100, but is Infinity.',
  ],
  [{ logprobs: 6 }, 'logprobs must be an integer at least 0 and at most 5, but is 6.'],
  [{ seed: -1n }, 'seed must be a BigInt from 0 to 18446744073709551615, but is -1.'],
  [{ logitBias: { 100: 1 } }, 'logitBias names token 100, but token ids of this model are 0 to 99.'],
  [{ logitBias: { 5: NaN } }, 'logitBias[5] must be a number at least -1e+30 and at most 1e+30, but is NaN.'],
  [{ stop: ['a', ''] }, 'stop[1] must be text of at least one character; remove it or fill it.'],
  [{ endIds: [-1] }, 'endIds[0] is -1, but token ids of this model are 0 to 99.'],
  [{ stopTokenLists: [[]] }, 'stopTokenLists[0] is empty; remove it or give its tokens.'],
  [
    { sequenceCount: 3, bestOf: 2 },
    'bestOf is 2, but sequenceCount is 3; sample at least as many as to return.',
  ],
  [{ ignoreEos: true, endIds: [2] }, 'ignoreEos and endIds contradict each other; remove one.'],
  [{ minTokens: 31 }, 'minTokens is 31, but at most 30 tokens can be generated; lower it.'],
  [
    { beam, temperature: 0.7, topP: 0.9 },
    'beam and temperature, topP contradict each other: beam search does not sample; remove one.',
  ],
  [{ beam, bestOf: 2 }, 'beam and bestOf contradict each other: beam search does not sample; remove one.'],
  [
    { beam, sequenceCount: 3 },
    'sequenceCount is 3, but beam.width is 2; a search returns at most its beams.',
  ],
  [
    { beam: { ...beam, width: 5 } },
    'beam.width is 5, but this engine searches at most 4 beams (max_beam_width); ask for less or build it with more.',
  ],
];

describe('refusals', () => {
  it.each(invalid)('%o', (fields, message) => {
    expect(() => resolve(fields)).toThrowError(expect.objectContaining({ code: 'REQUEST_INVALID', message }));
  });

  it('of an empty prompt', () => {
    expect(() => resolve({}, 0)).toThrowError('The prompt has no tokens; give at least one.');
  });

  it('of a long prompt name its length, the limit and the setting', () => {
    expect(() => resolve({}, 25)).toThrowError(
      expect.objectContaining({
        code: 'PROMPT_TOO_LONG',
        message:
          "The prompt has 25 tokens, but this model's maximum context length is 40 tokens, of which a prompt takes at most 20 (max_input_len); shorten it, set truncatePromptTokens to 20 or less, or build the engine with a larger max_input_len.",
      }),
    );
  });

  it('name the KV cache where it holds less than the engine takes', () => {
    const cached: TokenLimits = { ...LIMITS, maxInputTokens: 39, maxOutputTokens: 39, isCacheBound: true };
    const ask = (fields: Fields, promptTokens: number) => () => resolve(fields, promptTokens, {}, cached);
    const remedy = 'give the KV cache more (kv_cache_free_mem_fraction, max_tokens_in_paged_kv_cache).';
    expect(ask({}, 45)).toThrowError(
      `of which a prompt takes at most 39 (all that the KV cache holds); shorten it, set truncatePromptTokens to 39 or less, or ${remedy}`,
    );
    expect(ask({ maxOutputTokens: 41 }, 1)).toThrowError(
      `at most 39 tokens (all that the KV cache holds); ask for less or ${remedy}`,
    );
    expect(ask({ maxOutputTokens: 25 }, 18)).toThrowError(
      'is 40 tokens (all that the KV cache holds); ask for',
    );
    const both = () => resolve({}, 25, {}, { ...cached, maxInputTokens: 20 });
    expect(both).toThrowError('build the engine with a larger max_input_len');
  });

  it('of a long output name all lengths', () => {
    const tooLarge = (message: string): unknown =>
      expect.objectContaining({ code: 'REQUEST_TOO_LARGE', message });
    expect(() => resolve({ maxOutputTokens: 31 })).toThrowError(
      tooLarge(
        'maxOutputTokens is 31, but this engine generates at most 30 tokens (max_output_len); ask for less or build the engine with a larger max_output_len.',
      ),
    );
    expect(() => resolve({ maxOutputTokens: 25 }, 18)).toThrowError(
      expect.objectContaining({
        code: 'CONTEXT_LENGTH_EXCEEDED',
        message:
          "The prompt of 18 tokens and maxOutputTokens of 25 make 43, but this model's maximum context length is 40 tokens (max_seq_len); ask for at most 22 or shorten the prompt.",
      }),
    );
    expect(() => resolve({ sequenceCount: 9 })).toThrowError(
      tooLarge(
        'The request asks for 9 sequences at once, but this engine runs at most 8 (max_batch_size); ask for fewer.',
      ),
    );
  });
});

describe('logits', () => {
  const { max } = REQUEST_LIMITS.logits;
  /** The requests ask for 20 rows of these. */
  const ask = (fields: Fields, promptTokens: number, vocabulary: number) =>
    resolve(fields, promptTokens, {}, { ...LIMITS, vocabulary });

  it.each<[string, Fields, number]>([
    ['of a prompt', { returnContextLogits: true }, 20],
    ['of outputs', { returnGenerationLogits: true, maxOutputTokens: 10, sequenceCount: 2 }, 3],
    ['of both', { returnContextLogits: true, returnGenerationLogits: true, maxOutputTokens: 15 }, 5],
  ])('%s have a limit, which is checked before they are computed', (_, fields, promptTokens) => {
    expect(() => ask(fields, promptTokens, Math.floor(max / 20) + 1)).toThrow(`at most ${max} are accepted`);
    expect(ask(fields, promptTokens, Math.floor(max / 20)).promptTokenIds.length).toBe(promptTokens);
  });
});

describe('an output that does not fit', () => {
  it.each([
    [{ maxOutputTokens: 25 }, 18, 22],
    [{ maxOutputTokens: 1000 }, 18, 22],
    [{ maxOutputTokens: 1000 }, 5, 30],
    [{ maxOutputTokens: 21 }, 18, 21],
    [{ maxOutputTokens: 0 }, 18, 1],
  ])(
    'is cut to what is left where the request says so: %o behind %i tokens',
    (fields, promptTokens, expected) => {
      expect(resolve({ ...fields, shortensOutput: true }, promptTokens).maxOutputTokens).toBe(expected);
    },
  );

  it('does not make room for a prompt, nor for minTokens', () => {
    expect(() => resolve({ shortensOutput: true }, 25)).toThrowError(/The prompt has 25 tokens/);
    expect(() => resolve({ shortensOutput: true, maxOutputTokens: 40, minTokens: 31 }, 5)).toThrowError(
      'minTokens is 31, but at most 30 tokens can be generated; lower it.',
    );
  });
});
