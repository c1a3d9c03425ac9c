import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { loadChatTemplate } from '../load-chat-template.js';
import { directoryWith } from '../testing/test-tokenizers.js';
import { loadTokenizer } from './load.js';
import type { Tokenizer } from './tokenizer.js';

const { model } = JSON.parse(
  readFileSync(new URL('../../../oracle/sentencepiece/bpe.json', import.meta.url), 'utf8'),
) as { readonly model: string };

/** A model directory of the class, with other members of tokenizer_config.json. */
const directoryOf = (settings: Record<string, unknown>) =>
  directoryWith({
    'tokenizer.model': Buffer.from(model, 'base64'),
    'tokenizer_config.json': { tokenizer_class: 'ChatGLMTokenizer', ...settings },
  });

const load = async (settings: Record<string, unknown> = {}) => loadTokenizer(await directoryOf(settings));

const pieceCount = async () =>
  (await loadTokenizer(await directoryWith({ 'tokenizer.model': Buffer.from(model, 'base64') }))).table
    .tokenCount;

const idOf = ({ table }: Tokenizer, text: string): number | undefined =>
  [...table.specialTexts].find(([, content]) => content === text)?.[0];

const CHATGLM3 = {
  // As published: without [MASK], [sMASK] and eop, whose ids lie between.
  added_tokens_decoder: Object.fromEntries(
    ['[gMASK]', 'sop', '<|system|>', '<|user|>', '<|assistant|>', '<|observation|>'].map((content, i) => [
      String([1, 3, 5, 6, 7, 8][i]),
      { content, special: true, single_word: false, lstrip: false, rstrip: false, normalized: false },
    ]),
  ),
};

describe('the tokens of ChatGLM', () => {
  it('have the ids behind the pieces', async () => {
    const [tokenizer, count] = [await load(), await pieceCount()];
    for (const [i, token] of ['[MASK]', '[gMASK]', '[sMASK]', 'sop', 'eop'].entries())
      expect([token, idOf(tokenizer, token)]).toEqual([token, count + i]);
    expect(idOf(tokenizer, '<|user|>')).toBeUndefined();
  });

  it('stand in front of a prompt', async () => {
    const [tokenizer, count] = [await load(), await pieceCount()];
    const plain = await tokenizer.encode('the cat', { addSpecialTokens: false });
    expect(await tokenizer.encode('the cat', { addSpecialTokens: true })).toEqual([
      count + 1,
      count + 3,
      ...plain,
    ]);
  });

  it('are not found inside of words', async () => {
    const tokenizer = await load();
    const ids = await tokenizer.encode('philosophy sop', { addSpecialTokens: false });
    expect(ids.filter((id) => id === idOf(tokenizer, 'sop'))).toHaveLength(1);
    expect(tokenizer.decode(ids, { skipSpecialTokens: false })).toBe('philosophy sop');
  });

  it('of ChatGLM3 are roles, too, whose ids the published file leaves gaps for', async () => {
    const count = await pieceCount();
    const decoder = Object.fromEntries(
      Object.entries(CHATGLM3.added_tokens_decoder).map(([id, token]) => [String(count + Number(id)), token]),
    );
    const tokenizer = await load({ added_tokens_decoder: decoder });
    const ids = await tokenizer.encode('[gMASK]sop<|user|>\n the', { addSpecialTokens: false });
    expect(ids.slice(0, 3)).toEqual([count + 1, count + 3, count + 6]);
    expect(idOf(tokenizer, '<|observation|>')).toBe(count + 8);
  });
});

describe('the chat format of ChatGLM', () => {
  const messages = [
    { role: 'user', content: 'a' },
    { role: 'assistant', content: 'b' },
    { role: 'user', content: 'c' },
  ] as const;
  const render = async (settings: Record<string, unknown>) =>
    (await loadChatTemplate(await directoryOf(settings), {}))!.render(messages, {
      addGenerationPrompt: true,
    });

  it('counts rounds', async () => {
    expect(await render({})).toBe('[gMASK]sop[Round 1]\n\n问：a\n\n答：b\n\n[Round 2]\n\n问：c\n\n答：');
  });

  it('has a token for each role in ChatGLM3', async () => {
    expect(await render({ name_or_path: 'THUDM/chatglm3-6b' })).toBe(
      '[gMASK]sop<|user|>\n a<|assistant|>\n b<|user|>\n c<|assistant|>',
    );
  });

  it('is that of a published template where there is one', async () => {
    expect(await render({ chat_template: '{{ messages[0].content }}' })).toBe('a');
  });
});
