import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { loadTokenizer } from './load.js';
import { directoryWith, sentencePieceFile, sentencePieces } from '../testing/test-tokenizers.js';

interface Oracle {
  readonly model: string;
  readonly cases: readonly { readonly text: string; readonly ids: number[]; readonly decoded: string }[];
}

/** Written by oracle/scripts/sentencepiece_ids.py. */
function oracle(name: string): Oracle {
  const path = new URL(`../../../oracle/sentencepiece/${name}.json`, import.meta.url);
  return JSON.parse(readFileSync(path, 'utf8')) as Oracle;
}

describe.each(['bpe', 'unigram'])('a trained SentencePiece %s model', (name) => {
  const { model, cases } = oracle(name);
  const load = async () =>
    loadTokenizer(await directoryWith({ 'tokenizer.model': Buffer.from(model, 'base64') }));

  it('gives the ids of SentencePiece', async () => {
    const tokenizer = await load();
    for (const { text, ids } of cases)
      expect({ text, ids: await tokenizer.encode(text, { addSpecialTokens: false }) }).toEqual({ text, ids });
  });

  it('gives the text of SentencePiece', async () => {
    const tokenizer = await load();
    for (const { ids, decoded } of cases)
      expect(tokenizer.decode(ids, { skipSpecialTokens: true })).toBe(decoded);
  });

  it('knows the control tokens of the file', async () => {
    const tokenizer = await load();
    expect(tokenizer.specialTokens).toEqual({ bos_token: '<s>', eos_token: '</s>', unk_token: '<unk>' });
    expect([tokenizer.bosId, tokenizer.eosId, tokenizer.padId]).toEqual([1, 2, undefined]);
    expect(await tokenizer.encode('a', { addSpecialTokens: true })).toEqual([
      1,
      ...(await tokenizer.encode('a', { addSpecialTokens: false })),
    ]);
  });
});

describe('tokenizer.model', () => {
  const pieces = sentencePieces();
  const file = { pieces, modelType: 2, hasDummyPrefix: true };

  it('obeys add_bos_token and add_eos_token of tokenizer_config.json', async () => {
    const config = { add_bos_token: false, add_eos_token: true };
    const directory = await directoryWith({
      'tokenizer.model': sentencePieceFile(file),
      'tokenizer_config.json': config,
    });
    const tokenizer = await loadTokenizer(directory);
    const ids = await tokenizer.encode('the', { addSpecialTokens: true });
    expect(ids.at(0)).not.toBe(1);
    expect(ids.at(-1)).toBe(2);
  });

  it('adds no prefix when the model has none', async () => {
    const bytes = sentencePieceFile({ ...file, hasDummyPrefix: false });
    const tokenizer = await loadTokenizer(await directoryWith({ 'tokenizer.model': bytes }));
    const ids = await tokenizer.encode('hello', { addSpecialTokens: false });
    expect(ids.map((id) => pieces[id]!.text)).toEqual(['hello']);
    expect(
      tokenizer.decode(await tokenizer.encode(' hello', { addSpecialTokens: false }), {
        skipSpecialTokens: true,
      }),
    ).toBe(' hello');
  });

  it.each([
    [
      'cut off',
      sentencePieceFile(file).subarray(0, 1000),
      /tokenizer\.model is not a readable SentencePiece model/,
    ],
    ['empty', new Uint8Array(0), /tokenizer\.model holds no pieces/],
    ['of words', sentencePieceFile({ ...file, modelType: 3 }), /type 3, but only BPE and unigram/],
  ])('is refused when it is %s', async (_, bytes, message) => {
    const loading = loadTokenizer(await directoryWith({ 'tokenizer.model': bytes }));
    await expect(loading).rejects.toMatchObject({
      code: 'TOKENIZER_INVALID',
      message: expect.stringMatching(message),
    });
  });
});
