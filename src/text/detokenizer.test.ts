import * as fc from 'fast-check';
import { Tokenizer as LibraryTokenizer } from 'tokenizers';
import { beforeAll, describe, expect, it } from 'vitest';
import { Detokenizer } from './detokenizer.js';
import { loadTokenizer } from './tokenizer/load.js';
import { byteLevelJson, directoryWith, llama2Json, metaspaceJson } from './testing/test-tokenizers.js';
import type { Tokenizer } from './tokenizer/tokenizer.js';

const TEXT = fc.string({
  unit: fc.constantFrom(...Array.from('abehlot ,.é你好🙂👩\u200d🚀ß'), ' the', ' hello', '\uFEFF', '\n'),
});

describe.each([
  ['byte-level', byteLevelJson],
  ['LLaMA-2', llama2Json],
  ['Metaspace', metaspaceJson],
])('the detokenizer for a %s tokenizer', (name, json) => {
  let tokenizer: Tokenizer;
  let library: LibraryTokenizer;
  beforeAll(async () => {
    tokenizer = await loadTokenizer(await directoryWith({ 'tokenizer.json': json() }));
    library = LibraryTokenizer.fromString(JSON.stringify(json()));
  });

  const pieces = (ids: readonly number[], skipSpecialTokens: boolean): string[] => {
    const detokenizer = new Detokenizer(tokenizer.table, { skipSpecialTokens });
    return [...ids.map((id) => detokenizer.push(id)), detokenizer.end()];
  };
  const anyTokens = () => fc.array(fc.nat(tokenizer.table.tokenCount + 3), { maxLength: 30 });

  it('streams exactly the text of all tokens', () => {
    fc.assert(
      fc.property(anyTokens(), fc.boolean(), (ids, skipSpecialTokens) => {
        expect(pieces(ids, skipSpecialTokens).join('')).toBe(tokenizer.decode(ids, { skipSpecialTokens }));
      }),
    );
  });

  it('shows the control tokens that are asked for, and no others', () => {
    const special = [...tokenizer.table.specialTexts];
    const [shownId, shownText] = special.at(-1)!;
    const [hiddenId] = special[0]!;
    const word = Array.from({ length: tokenizer.table.tokenCount }, (_, id) => id).find(
      (id) => tokenizer.table.wholeText(id)?.trim() === 'a',
    )!;
    const options = { skipSpecialTokens: true, shownTokens: [shownText] };
    const plain = tokenizer.decode([word], options);
    const text = tokenizer.decode([hiddenId, shownId, hiddenId, word, shownId, hiddenId], options);
    expect(text.replaceAll(' ', '')).toBe(`${shownText}${plain}${shownText}`);
    expect(tokenizer.decode([shownId], { skipSpecialTokens: true })).toBe('');
  });

  it('never shows a replacement character inside valid text', () => {
    return fc.assert(
      fc.asyncProperty(TEXT, async (text) => {
        const ids = await tokenizer.encode(text, { addSpecialTokens: true });
        expect(pieces(ids, true).join('')).not.toContain('\uFFFD');
      }),
    );
  });

  it('gives back what was encoded', () => {
    return fc.assert(
      fc.asyncProperty(TEXT, async (text) => {
        const ids = await tokenizer.encode(text, { addSpecialTokens: true });
        // The Metaspace decoder also drops real spaces at the start, as the library does.
        const expected = name === 'Metaspace' ? await library.decode(ids, true) : text;
        expect(pieces(ids, true).join('')).toBe(expected);
      }),
    );
  });

  it('equals the library for random tokens that make valid text', () => {
    return fc.assert(
      fc.asyncProperty(anyTokens(), fc.boolean(), async (ids, skipSpecialTokens) => {
        const expected = await library.decode([...ids], skipSpecialTokens);
        const text = pieces(ids, skipSpecialTokens).join('');
        // For invalid bytes only the byte-level family has the same replacement rule.
        fc.pre(name === 'byte-level' || !text.includes('\uFFFD'));
        expect(text).toBe(expected);
      }),
      { numRuns: 300 },
    );
  });
});

describe('the detokenizer', () => {
  it('holds a character back until its last byte', async () => {
    const tokenizer = await loadTokenizer(await directoryWith({ 'tokenizer.json': llama2Json() }));
    const detokenizer = new Detokenizer(tokenizer.table, { skipSpecialTokens: true });
    const bytes = [...Buffer.from('🙂')].map((byte) => byte + 3);
    expect(bytes.map((id) => detokenizer.push(id))).toEqual(['', '', '', '🙂']);
    expect(detokenizer.push(bytes[0]!)).toBe('');
    expect(detokenizer.end()).toBe('\uFFFD');
  });

  it('drops one leading space of the text and keeps all others', async () => {
    const tokenizer = await loadTokenizer(await directoryWith({ 'tokenizer.json': llama2Json() }));
    const ids = await tokenizer.encode('  hello the world', { addSpecialTokens: true });
    expect(tokenizer.decode(ids, { skipSpecialTokens: true })).toBe('  hello the world');
    expect(tokenizer.decode(ids, { skipSpecialTokens: false })).toBe('<s>   hello the world');
  });

  it('writes added tokens with characters outside the byte alphabet as they are', async () => {
    const tokenizer = await loadTokenizer(await directoryWith({ 'tokenizer.json': byteLevelJson() }));
    const ids = await tokenizer.encode('a[tool call]b<|eot|>', { addSpecialTokens: false });
    expect(tokenizer.decode(ids, { skipSpecialTokens: true })).toBe('a[tool call]b');
    expect(tokenizer.decode(ids, { skipSpecialTokens: false })).toBe('a[tool call]b<|eot|>');
  });
});
