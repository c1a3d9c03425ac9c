import { expect, test } from 'vitest';
import { byteLevelJson, directoryWith } from '../testing/test-tokenizers.js';
import { loadTokenizer } from './load.js';

const withPattern = (pattern: string) => {
  const json = byteLevelJson();
  json['pre_tokenizer'] = {
    type: 'Sequence',
    pretokenizers: [
      { type: 'Split', pattern: { Regex: pattern }, behavior: 'Isolated', invert: false },
      { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false },
    ],
  };
  return directoryWith({ 'tokenizer.json': json });
};

test('a pattern that ends the process of its engine is refused when the tokenizer is loaded', async () => {
  await expect(loadTokenizer(await withPattern('(a+)+$'))).rejects.toThrow(
    /regular expression that ends the process/,
  );
});

test('patterns of published models pass', async () => {
  const published = String.raw`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`;
  const tokenizer = await loadTokenizer(await withPattern(published));
  expect(
    tokenizer.decode(await tokenizer.encode('hello  the 123', { addSpecialTokens: false }), {
      skipSpecialTokens: true,
    }),
  ).toBe('hello  the 123');
});
