/** Sets of tokenizer files against recordings of transformers 4, whose tokenizers the checkpoints were published with. */
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { loadGenerationDefaults } from '../generation-config.js';
import { directoryWith } from '../testing/test-tokenizers.js';
import { loadTokenizer } from './load.js';
import type { Tokenizer } from './tokenizer.js';

interface Case {
  readonly text: string;
  /** Ids without and with the tokens that stand around a prompt, and the texts of the latter. */
  readonly alone: readonly number[];
  readonly around: readonly number[];
  readonly decoded: string;
  readonly skipped: string;
}

interface Result {
  readonly size: number;
  readonly named: Readonly<Record<'bos_token' | 'eos_token' | 'pad_token' | 'unk_token', number | null>>;
  readonly special: readonly number[];
  readonly cases: readonly Case[];
}

/** Written by oracle/scripts/tokenizer_files.py. */
const { sets, results } = JSON.parse(
  readFileSync(new URL('../../../oracle/tokenizer-files/transformers-4.json', import.meta.url), 'utf8'),
) as {
  readonly sets: Readonly<
    Record<string, Readonly<Record<string, { readonly base64: string } | { readonly json: unknown }>>>
  >;
  readonly results: Readonly<Record<string, Result>>;
};

const names = Object.keys(sets);
it('there are recordings', () => expect(names.length).toBeGreaterThanOrEqual(8));

describe.each(names)('%s', (name) => {
  const { named, special, size, cases } = results[name]!;
  let directory = '';
  let tokenizer: Tokenizer;
  beforeAll(async () => {
    const files = Object.entries(sets[name]!).map(([file, content]) => [
      file,
      'base64' in content ? Buffer.from(content.base64, 'base64') : content.json,
    ]);
    directory = await directoryWith(Object.fromEntries(files));
    tokenizer = await loadTokenizer(directory);
  });

  it('has the ids of transformers', async () => {
    const own = async (addSpecialTokens: boolean) =>
      await Promise.all(cases.map(({ text }) => tokenizer.encode(text, { addSpecialTokens })));
    expect(await own(false)).toEqual(cases.map(({ alone }) => alone));
    expect(await own(true)).toEqual(cases.map(({ around }) => around));
  });

  it('has the texts of transformers', () => {
    const own = (skipSpecialTokens: boolean) =>
      cases.map(({ around }) => tokenizer.decode(around, { skipSpecialTokens }));
    expect(own(false)).toEqual(cases.map(({ decoded }) => decoded));
    expect(own(true)).toEqual(cases.map(({ skipped }) => skipped));
  });

  it('has the named, special and end tokens of transformers', async () => {
    const { bosId, eosId, padId, table } = tokenizer;
    expect([bosId ?? null, eosId ?? null, padId ?? null]).toEqual([
      named.bos_token,
      named.eos_token,
      named.pad_token,
    ]);
    expect(table.tokenCount).toBe(size);
    for (const id of special) expect(table.special[id], `token ${id}`).toBe(1);
    const { endIds } = await loadGenerationDefaults(directory, tokenizer);
    expect(endIds).toEqual(named.eos_token === null ? [] : [named.eos_token]);
  });
});
