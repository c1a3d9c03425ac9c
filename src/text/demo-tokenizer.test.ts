import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import * as fc from 'fast-check';
import { Tokenizer as LibraryTokenizer } from 'tokenizers';
import { describe, expect, it } from 'vitest';
import type { ChatMessage } from '../core/generate.js';
import { loadChatTemplate } from './load-chat-template.js';
import { Detokenizer } from './detokenizer.js';
import { loadTokenizer } from './tokenizer/load.js';
import { directoryWith } from './testing/test-tokenizers.js';
import type { Tokenizer } from './tokenizer/tokenizer.js';

const repositoryPath = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const readJson = (path: string): unknown => JSON.parse(readFileSync(repositoryPath(path), 'utf8'));
const DEMO = repositoryPath('models/demo');

/** Written by oracle/scripts/tokenizer_and_chat.py with the libraries of Hugging Face and SentencePiece. */
interface StringCase {
  readonly text: string;
  readonly ids: number[];
  readonly ids_with_special: number[];
  readonly decoded: string;
  readonly decoded_with_special: string;
  readonly sentencepiece_ids: number[];
}
interface ChatCase {
  readonly messages: ChatMessage[];
  readonly add_generation_prompt: boolean;
  readonly text?: string;
  readonly ids?: number[];
  readonly error?: string;
}
const strings = readJson('oracle/tokenizer-demo.json') as Record<
  'strings' | 'metaspace_strings',
  StringCase[]
>;
const chats = (readJson('oracle/chat-template.json') as { items: ChatCase[] }).items;

/** Streams the tokens one by one. */
function streamed(tokenizer: Tokenizer, ids: readonly number[], skipSpecialTokens: boolean): string {
  const detokenizer = new Detokenizer(tokenizer.table, { skipSpecialTokens });
  return ids.map((id) => detokenizer.push(id)).join('') + detokenizer.end();
}

const fromModelFile = async (): Promise<Tokenizer> => {
  const model = readFileSync(`${DEMO}/tokenizer.model`);
  return loadTokenizer(await directoryWith({ 'tokenizer.model': model }));
};

describe.each([
  ['tokenizer.json', () => loadTokenizer(DEMO), strings.strings],
  ['tokenizer.model', fromModelFile, strings.strings],
  [
    'a Metaspace tokenizer.json',
    () => loadTokenizer(repositoryPath('oracle/tokenizers/metaspace')),
    strings.metaspace_strings,
  ],
])('the demo model by %s', (_, load, cases) => {
  it('gives the reference ids', async () => {
    const tokenizer = await load();
    for (const { text, ids, ids_with_special } of cases) {
      expect({ text, ids: await tokenizer.encode(text, { addSpecialTokens: false }) }).toEqual({ text, ids });
      expect(await tokenizer.encode(text, { addSpecialTokens: true })).toEqual(ids_with_special);
    }
  });

  it('streams the reference texts', async () => {
    const tokenizer = await load();
    for (const { ids, decoded, decoded_with_special } of cases) {
      expect(streamed(tokenizer, ids, true)).toBe(decoded);
      expect(streamed(tokenizer, ids, false)).toBe(decoded_with_special);
    }
  });
});

describe('the demo model', () => {
  it('by tokenizer.model gives the ids of SentencePiece where the text names no control token', async () => {
    const tokenizer = await fromModelFile();
    const plain = strings.strings.filter(({ text }) => !/<unk>|<\/?s>/.test(text));
    expect(plain.length).toBeGreaterThan(50);
    for (const { text, sentencepiece_ids: ids } of plain)
      expect({ text, ids: await tokenizer.encode(text, { addSpecialTokens: false }) }).toEqual({ text, ids });
  });

  it('streams its held-out text back without loss', async () => {
    const tokenizer = await loadTokenizer(DEMO);
    // The file separates its texts with the end token.
    for (const line of readFileSync(`${DEMO}/heldout.txt`, 'utf8').split(/\n|<\/s>/)) {
      const ids = await tokenizer.encode(line, { addSpecialTokens: true });
      expect(streamed(tokenizer, ids, true)).toBe(line);
    }
  });

  it('decodes random tokens as the library does', async () => {
    const tokenizer = await loadTokenizer(DEMO);
    const library = LibraryTokenizer.fromFile(`${DEMO}/tokenizer.json`);
    const anyTokens = fc.array(fc.nat(tokenizer.table.tokenCount - 1), { maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(anyTokens, fc.boolean(), async (ids, skipSpecialTokens) => {
        const text = streamed(tokenizer, ids, skipSpecialTokens);
        fc.pre(!text.includes('\uFFFD'));
        expect(text).toBe(await library.decode([...ids], skipSpecialTokens));
      }),
      { numRuns: 500 },
    );
  });

  it('renders conversations as transformers does', async () => {
    const tokenizer = await loadTokenizer(DEMO);
    const template = await loadChatTemplate(DEMO, tokenizer.specialTokens);
    for (const { messages, add_generation_prompt, text, ids, error } of chats) {
      const render = (): string | undefined => template?.render(messages, { add_generation_prompt });
      if (error !== undefined) {
        expect(render).toThrowError(expect.objectContaining({ code: 'REQUEST_INVALID' }));
        expect(render).toThrowError(error);
        continue;
      }
      expect(render()).toBe(text);
      expect(await tokenizer.encode(text ?? '', { addSpecialTokens: false })).toEqual(ids);
    }
  });
});
