/** Sets of tokenizer files as they are published: the tokenizer must be the one that transformers makes of all of them. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { loadGenerationDefaults } from '../generation-config.js';
import {
  byteLevelJson,
  directoryWith,
  llama2Json,
  sentencePieceFile,
  sentencePieces,
} from '../testing/test-tokenizers.js';
import { loadTokenizer } from './load.js';

const pieces = sentencePieces();
const pieceCount = pieces.length;
const MODEL = { 'tokenizer.model': sentencePieceFile({ pieces, modelType: 2, hasDummyPrefix: true }) };
const UNIGRAM = { 'tokenizer.model': sentencePieceFile({ pieces, modelType: 1, hasDummyPrefix: true }) };
const llama2 = llama2Json();
const JSON_FILE = { 'tokenizer.json': llama2 };
const NO_PROCESSOR = { 'tokenizer.json': { ...llama2, post_processor: null } };

/** Ids in the vocabulary, and how ChatML's tokens are declared with the two ids behind it. */
const START = pieceCount;
const END = pieceCount + 1;
const flags = { lstrip: false, rstrip: false, single_word: false, normalized: false, special: true };
const chatMl = (start = START, end = END) => ({
  added_tokens_decoder: {
    [end]: { content: '<|im_end|>', ...flags },
    [start]: { content: '<|im_start|>', ...flags },
  },
  eos_token: '<|im_end|>',
});

const open = async (files: Readonly<Record<string, unknown>>) => loadTokenizer(await directoryWith(files));
const encodeWith = async (files: Readonly<Record<string, unknown>>, text: string, addSpecialTokens = false) =>
  (await open(files)).encode(text, { addSpecialTokens });

describe('tokens beyond the vocabulary', () => {
  it.each<[string, Readonly<Record<string, unknown>>]>([
    [
      'added_tokens.json beside tokenizer.model',
      {
        ...MODEL,
        'added_tokens.json': { '<|im_end|>': END, '<|im_start|>': START },
        'tokenizer_config.json': { eos_token: '<|im_end|>', additional_special_tokens: ['<|im_start|>'] },
      },
    ],
    [
      'added_tokens.json, with the names in special_tokens_map.json',
      {
        ...MODEL,
        'added_tokens.json': { '<|im_start|>': START, '<|im_end|>': END },
        'special_tokens_map.json': {
          eos_token: { content: '<|im_end|>', ...flags },
          additional_special_tokens: ['<|im_start|>'],
        },
        'tokenizer_config.json': { eos_token: '</s>' },
      },
    ],
    ['added_tokens_decoder beside tokenizer.model', { ...MODEL, 'tokenizer_config.json': chatMl() }],
    ['a unigram tokenizer.model', { ...UNIGRAM, 'tokenizer_config.json': chatMl() }],
    ['added_tokens_decoder beside tokenizer.json', { ...JSON_FILE, 'tokenizer_config.json': chatMl() }],
    [
      'added_tokens.json beside tokenizer.json',
      {
        ...JSON_FILE,
        'added_tokens.json': { '<|im_start|>': START, '<|im_end|>': END },
        'tokenizer_config.json': { eos_token: '<|im_end|>', additional_special_tokens: ['<|im_start|>'] },
      },
    ],
    [
      'names alone',
      {
        ...JSON_FILE,
        'tokenizer_config.json': {
          additional_special_tokens: ['<|im_start|>', { content: '<|im_end|>' }],
          eos_token: null,
        },
        'special_tokens_map.json': { eos_token: '<|im_end|>' },
      },
    ],
  ])('are found: %s', async (_, files) => {
    const tokenizer = await open(files);
    const ids = await tokenizer.encode('<|im_start|>the<|im_end|>', { addSpecialTokens: false });
    // Tokens that are only named get ids in the order in which they are named.
    const expected = new Set([ids[0], ids.at(-1)]);
    expect(expected).toEqual(new Set([START, END]));
    expect(tokenizer.specialTokens.eos_token).toBe('<|im_end|>');
    expect(tokenizer.eosId).toBe(ids.at(-1));
    expect(tokenizer.decode(ids, { skipSpecialTokens: true }).trim()).toBe('the');
    expect(tokenizer.decode(ids, { skipSpecialTokens: false })).toMatch(/^<\|im_start\|> ?the<\|im_end\|>$/);
  });

  it('take the place of pieces whose ids they have', async () => {
    const files = { ...MODEL, 'added_tokens.json': { '<|im_start|>': 270, '<|im_end|>': 271 } };
    const tokenizer = await open({ ...files, 'tokenizer_config.json': { eos_token: '<|im_end|>' } });
    expect((await tokenizer.encode('<|im_start|>a', { addSpecialTokens: false }))[0]).toBe(270);
    expect(tokenizer.eosId).toBe(271);
    expect(tokenizer.tokenText(270)).toBe('<|im_start|>');
    expect(tokenizer.table.tokenCount).toBe(pieceCount);
  });

  it('keep ids that leave a gap behind the vocabulary', async () => {
    const tokenizer = await open({ ...MODEL, 'tokenizer_config.json': chatMl(START + 5, START + 6) });
    expect((await tokenizer.encode('<|im_start|>a', { addSpecialTokens: false }))[0]).toBe(START + 5);
    expect([tokenizer.eosId, tokenizer.tokenText(START + 2)]).toEqual([START + 6, '']);
  });

  it('end the output', async () => {
    const directory = await directoryWith({
      ...MODEL,
      'added_tokens.json': { '<|im_start|>': START, '<|im_end|>': END },
      'tokenizer_config.json': { eos_token: '<|im_end|>' },
      'generation_config.json': { eos_token_id: 2 },
    });
    const { endIds } = await loadGenerationDefaults(directory, await loadTokenizer(directory));
    expect(endIds).toEqual([2, END]);
  });

  it('are plain text where nothing says that they are special', async () => {
    const tokenizer = await open({ ...MODEL, 'added_tokens.json': { '<tool>': START } });
    const ids = await tokenizer.encode('<tool>', { addSpecialTokens: false });
    expect(ids).toContain(START);
    expect(tokenizer.decode(ids, { skipSpecialTokens: true })).toContain('<tool>');
  });

  it('have their flags from tokenizer_config.json', async () => {
    const decoder = { [pieceCount]: { ...flags, content: '[X]', rstrip: true } };
    const files = { ...JSON_FILE, 'tokenizer_config.json': { added_tokens_decoder: decoder } };
    expect(await encodeWith(files, '[X]   ')).toEqual([pieceCount]);
  });
});

describe('tokens around a prompt', () => {
  const the = pieces.findIndex(({ text }) => text === '▁the');
  it.each<[string, Readonly<Record<string, unknown>>, object, number[]]>([
    ['add_bos_token', NO_PROCESSOR, { add_bos_token: true }, [1, the]],
    ['the default of the class', NO_PROCESSOR, {}, [1, the]],
    ['no add_bos_token', JSON_FILE, { add_bos_token: false }, [the]],
    ['add_eos_token', JSON_FILE, { add_eos_token: true }, [1, the, 2]],
    ['both off and on', NO_PROCESSOR, { add_bos_token: false, add_eos_token: true }, [the, 2]],
    ['another begin token', JSON_FILE, { bos_token: '</s>' }, [2, the]],
    ['no begin token', JSON_FILE, { bos_token: null }, [the]],
  ])('of LlamaTokenizer come from the settings: %s', async (_, files, settings, expected) => {
    for (const name of ['LlamaTokenizer', 'LlamaTokenizerFast']) {
      const config = { bos_token: '<s>', eos_token: '</s>', ...settings, tokenizer_class: name };
      expect(await encodeWith({ ...files, 'tokenizer_config.json': config }, 'the', true)).toEqual(expected);
    }
  });

  it.each(['PreTrainedTokenizerFast', 'PreTrainedTokenizer', 'Qwen2Tokenizer'])(
    'of %s come from tokenizer.json',
    async (tokenizer_class) => {
      const config = { bos_token: '<s>', eos_token: '</s>', tokenizer_class, add_eos_token: false };
      expect(await encodeWith({ ...NO_PROCESSOR, 'tokenizer_config.json': config }, 'the', true)).toEqual([
        the,
      ]);
      expect(await encodeWith({ ...JSON_FILE, 'tokenizer_config.json': config }, 'the', true)).toEqual([
        1,
        the,
      ]);
    },
  );

  it.each<[string, object, number[]]>([
    ['a checkpoint of LLaMA', { model_type: 'llama' }, [1, the]],
    ['an engine of LLaMA', { aloft: { architecture: 'LlamaForCausalLM' } }, [1, the]],
    ['a class in config.json', { model_type: 'x', tokenizer_class: 'LlamaTokenizer' }, [1, the]],
    ['another model', { model_type: 'falcon' }, [the]],
    ['none', {}, [the]],
  ])('are those of the class that the model has where the settings name none: %s', async (_, config, ids) => {
    expect(await encodeWith({ ...NO_PROCESSOR, 'config.json': config }, 'the', true)).toEqual(ids);
  });

  it('are not those of a class whose control tokens the vocabulary lacks', async () => {
    const files = { 'tokenizer.json': byteLevelJson(), 'config.json': { model_type: 'llama' } };
    const tokenizer = await open(files);
    expect(tokenizer.specialTokens).toEqual({});
    expect(await tokenizer.encode('a', { addSpecialTokens: true })).toEqual(
      await encodeWith({ 'tokenizer.json': byteLevelJson() }, 'a', true),
    );
  });

  it('that cannot stand there are refused with the name of the file', async () => {
    const config = { tokenizer_class: 'LlamaTokenizer', bos_token: 'a b', added_tokens_decoder: {} };
    await expect(open({ ...JSON_FILE, 'tokenizer_config.json': config })).rejects.toMatchObject({
      code: 'TOKENIZER_INVALID',
      message: expect.stringMatching(/tokenizer\.json cannot have "a b" around a prompt/),
    });
  });
});

describe('the space before a text', () => {
  const space = async (settings: object) =>
    (await open({ ...MODEL, 'tokenizer_config.json': { ...chatMl(), ...settings } })).encode(
      '<|im_start|>hello',
      {
        addSpecialTokens: false,
      },
    );
  const id = (text: string) => pieces.findIndex((piece) => piece.text === text);

  it('comes behind a control token, too, unless the settings say legacy: false', async () => {
    expect(await space({})).toEqual([START, id('▁hello')]);
    expect(await space({ legacy: false })).toEqual([START, id('hello')]);
    expect(await encodeWith({ ...MODEL, 'tokenizer_config.json': { legacy: false } }, 'hello')).toEqual([
      id('▁hello'),
    ]);
  });

  it('does not come with add_prefix_space: false', async () => {
    const files = { ...MODEL, 'tokenizer_config.json': { add_prefix_space: false } };
    const tokenizer = await open(files);
    const ids = await tokenizer.encode('hello', { addSpecialTokens: false });
    expect(ids).toEqual([id('hello')]);
    expect(
      tokenizer.decode(await tokenizer.encode(' hello', { addSpecialTokens: false }), {
        skipSpecialTokens: true,
      }),
    ).toBe(' hello');
  });
});

describe('files as editors and Python write them', () => {
  it('may begin with a byte order mark', async () => {
    const marked = (value: unknown) => `\ufeff${JSON.stringify(value)}`;
    const tokenizer = await open({
      'tokenizer.json': marked(byteLevelJson()),
      'tokenizer_config.json': marked({ eos_token: '<|end|>' }),
    });
    expect(tokenizer.specialTokens).toEqual({ eos_token: '<|end|>' });
  });

  it('may hold NaN and Infinity', async () => {
    const config = '{"model_max_length": Infinity, "a": [NaN, -Infinity], "eos_token": "</s> NaN"}';
    const tokenizer = await open({ ...JSON_FILE, 'tokenizer_config.json': config });
    expect(tokenizer.specialTokens.eos_token).toBe('</s> NaN');
  });
});

it('the demo model without tokenizer.json stops at the end token of ChatML', async () => {
  const model = readFileSync(new URL('../../../models/demo/tokenizer.model', import.meta.url));
  const tokenizer = await open({
    'tokenizer.model': model,
    'added_tokens.json': { '<|im_start|>': 4094, '<|im_end|>': 4095 },
    'tokenizer_config.json': { eos_token: '<|im_end|>', tokenizer_class: 'PreTrainedTokenizerFast' },
  });
  expect((await tokenizer.encode('<|im_start|>user', { addSpecialTokens: false }))[0]).toBe(4094);
  expect(tokenizer.eosId).toBe(4095);
});
