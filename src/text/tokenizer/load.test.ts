import { describe, expect, it } from 'vitest';
import { loadTokenizer } from './load.js';
import { byteLevelJson, directoryWith, llama2Json } from '../testing/test-tokenizers.js';

describe('loadTokenizer', () => {
  it('takes special tokens of an older save from special_tokens_map.json, then tokenizer_config.json', async () => {
    const tokenizer = await loadTokenizer(
      await directoryWith({
        'tokenizer.json': byteLevelJson(),
        'tokenizer_config.json': { bos_token: '<|end|>', eos_token: '<|end|>', pad_token: null },
        'special_tokens_map.json': { bos_token: { content: '<|begin|>', special: true } },
      }),
    );
    expect(tokenizer.specialTokens).toEqual({ bos_token: '<|begin|>', eos_token: '<|end|>' });
    const begin = await tokenizer.encode('', { addSpecialTokens: true });
    expect([tokenizer.bosId]).toEqual(begin);
    expect(tokenizer.eosId).toBe(begin[0]! + 1);
  });

  it('ignores truncation that a file carries', async () => {
    const truncation = { direction: 'Right', max_length: 2, strategy: 'LongestFirst', stride: 0 };
    const tokenizer = await loadTokenizer(
      await directoryWith({ 'tokenizer.json': { ...llama2Json(), truncation } }),
    );
    expect(await tokenizer.encode('the the the the', { addSpecialTokens: false })).toHaveLength(4);
  });

  it('says what is missing and how to supply it', async () => {
    const directory = await directoryWith({});
    await expect(loadTokenizer(directory)).rejects.toMatchObject({
      code: 'TOKENIZER_NOT_FOUND',
      message: `No tokenizer.json or tokenizer.model in ${directory}; copy it there from the checkpoint, or name the directory that has it (tokenizer_dir).`,
    });
  });

  const model = { type: 'BPE', vocab: { a: 0 }, merges: [] };
  const template = {
    type: 'TemplateProcessing',
    single: [{ SpecialToken: { id: '<s>', type_id: 0 } }],
    pair: [],
    special_tokens: {},
  };
  it.each([
    ['broken JSON', '{', /tokenizer\.json is not valid JSON/],
    ['a list', '[]', /tokenizer\.json does not hold a JSON object/],
    ['no model', {}, /has no "model" section/],
    [
      'a bad merge',
      { ...llama2Json(), model: { ...model, merges: ['a zz'] } },
      /not a tokenizer that can be used/,
    ],
    [
      'an undefined special token',
      { ...llama2Json(), post_processor: template },
      /uses "<s>" in post_processor/,
    ],
    [
      'a cut character map',
      { ...llama2Json(), normalizer: { type: 'Precompiled', precompiled_charsmap: 'AAA=' } },
      /truncated precompiled_charsmap/,
    ],
    [
      'an unknown decoder',
      { ...llama2Json(), decoder: { type: 'WordPiece', prefix: '##', cleanup: true } },
      /decoder that is not supported \(WordPiece\)/,
    ],
    ['no decoder', { ...llama2Json(), decoder: null }, /decoder that is not supported \(none\)/],
  ])('refuses a file with %s', async (_, content, message) => {
    const loading = loadTokenizer(await directoryWith({ 'tokenizer.json': content }));
    await expect(loading).rejects.toMatchObject({
      code: 'TOKENIZER_INVALID',
      message: expect.stringMatching(message),
    });
  });
});

describe('encodeFragment', () => {
  it.each([
    ['LLaMA-2', llama2Json],
    ['byte-level', byteLevelJson],
  ])('has exactly the text, with and without a space, for a %s tokenizer', async (_, json) => {
    const tokenizer = await loadTokenizer(await directoryWith({ 'tokenizer.json': json() }));
    for (const text of ['stop', ' stop', '你好', '\n', '\nstop']) {
      const ids = await tokenizer.encodeFragment(text);
      expect(ids.map((id) => tokenizer.tokenText(id)).join('')).toBe(text);
    }
    expect(await tokenizer.encodeFragment('stop')).toHaveLength(1);
    expect(await tokenizer.encodeFragment(' stop')).toHaveLength(1);
  });
});
