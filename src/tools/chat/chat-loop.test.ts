import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { AloftError } from '../../core/errors.js';
import type { ChatMessage } from '../../core/generate.js';
import { ABANDONED, chat, type TypedLine } from './chat-loop.js';
import type { ChatModel } from './chat-model.js';
import { Conversation } from './conversation.js';
import type { ChatSettings } from './settings.js';

const folder = mkdtempSync(join(tmpdir(), 'aloft-chat-test-'));
afterAll(() => rmSync(folder, { recursive: true }));

interface Asked {
  readonly messages: readonly ChatMessage[];
  readonly settings: ChatSettings;
}

/** Answers "re: " and the last message in two pieces; a message `fail` fails, and `stop` waits for its signal. */
function echoModel(asked: Asked[]): ChatModel {
  return {
    name: 'echo',
    async *answer(messages, settings, signal) {
      asked.push({ messages: [...messages], settings });
      const last = messages.at(-1)!.content!;
      if (last === 'fail') throw new AloftError('QUEUE_FULL', 'Too many requests wait; try again later.');
      yield 're: ';
      if (last === 'stop') {
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
        throw signal.reason;
      }
      yield last;
      return { finishReason: 'stop', promptTokens: 5, outputTokens: 2 };
    },
  };
}

/** Plays lines to a chat. @returns all that it printed, what the model was asked, and how many messages failed */
async function play(...lines: Exclude<TypedLine, undefined>[]) {
  const asked: Asked[] = [];
  let [out, err] = ['', ''];
  const failedCount = await chat(new Conversation(echoModel(asked), {}, undefined), {
    readLine: () => Promise.resolve(lines.shift()),
    out: (text) => void (out += text),
    err: (text) => void (err += text),
    onInterrupt(stop) {
      setImmediate(stop);
      return () => {};
    },
  });
  return { out, err, asked, failedCount };
}

describe('a chat', () => {
  test('sends each message with all that was said before', async () => {
    const { out, asked } = await play('one', '', 'two');
    expect(out).toBe('re: one\nre: two\n');
    expect(asked[1]!.messages).toEqual([
      { role: 'user', content: 'one' },
      { role: 'assistant', content: 're: one' },
      { role: 'user', content: 'two' },
    ]);
  });

  test('takes several lines between fences as one message, also where the input ends in them', async () => {
    const { asked } = await play('"""first', ' second"""', '"""', 'third', 'fourth');
    expect(asked.map(({ messages }) => messages.at(-1)!.content)).toEqual([
      'first\n second',
      'third\nfourth',
    ]);
  });

  test('keeps what was answered before an interruption, and goes on', async () => {
    const { out, asked, failedCount } = await play('stop', 'next');
    expect([out, failedCount]).toEqual(['re: \nre: next\n', 0]);
    expect(asked[1]!.messages.slice(0, 2)).toEqual([
      { role: 'user', content: 'stop' },
      { role: 'assistant', content: 're: ' },
    ]);
  });

  test('takes back a message whose request failed, and goes on', async () => {
    const { err, asked, failedCount } = await play('fail', 'next');
    expect([err, failedCount]).toEqual(['Too many requests wait; try again later. [QUEUE_FULL]\n', 1]);
    expect(asked[1]!.messages).toEqual([{ role: 'user', content: 'next' }]);
  });

  test('forgets a message that is given up, also between its lines', async () => {
    const { asked } = await play(ABANDONED, '"""first', ABANDONED, 'second');
    expect(asked.map(({ messages }) => messages)).toEqual([[{ role: 'user', content: 'second' }]]);
  });

  test('has settings, of which unset ones are the model’s own', async () => {
    const { out, asked } = await play(
      '/set',
      '/set temperature 0.5',
      '/set stop a b',
      '/set stop c',
      'one',
      '/set temperature',
      'two',
    );
    expect(asked.map(({ settings }) => settings)).toEqual([
      { temperature: 0.5, stop: ['a b', 'c'] },
      { stop: ['a b', 'c'] },
    ]);
    expect(out).toMatch(/^The model's own: max_tokens, seed, temperature, .*, stop\ntemperature = 0\.5\n/);
  });

  test('has a system prompt that can be replaced and removed', async () => {
    const { asked } = await play('/system Be brief.', 'one', '/clear', 'two', '/system -', 'three');
    expect(asked.map(({ messages }) => messages.map(({ role }) => role).join())).toEqual([
      'system,user',
      'system,user',
      'user,assistant,user',
    ]);
  });

  test('is saved and loaded with its system prompt and settings', async () => {
    const file = join(folder, 'saved.json');
    await play('/system Be brief.', '/set top_k 3', 'one', `/save ${file}`);
    const { asked, out } = await play(`/load ${file}`, 'two');
    expect(out).toContain(`Loaded 3 messages from ${file}.`);
    expect(asked[0]).toEqual({
      settings: { top_k: 3 },
      messages: [
        { role: 'system', content: 'Be brief.' },
        { role: 'user', content: 'one' },
        { role: 'assistant', content: 're: one' },
        { role: 'user', content: 'two' },
      ],
    });
  });

  test('reports figures of the last answer, and that there is none', async () => {
    const { out } = await play('/stats', 'one', '/stats', '/bye', 'never read');
    expect(out).toMatch(
      /^Model echo; no answer has come to its end yet\.\nre: one\necho: 5 \+ 2 tokens, .* ended by stop\n$/,
    );
  });

  const other = join(folder, 'other.json');
  writeFileSync(other, '{"messages": [{"role": 7}]}');
  test.each([
    ['/sett x', /There is no command \/sett; \/help lists them\. Did you mean \/set\? \[USAGE\]/],
    ['/set tempature 1', /no setting 'tempature'.* Did you mean 'temperature'\? \[USAGE\]/],
    ['/set top_p 2', /top_p must be .* but is 2\. \[REQUEST_INVALID\]/],
    ['/set seed x', /seed must be .* but is "x"\. \[REQUEST_INVALID\]/],
    ['/save', /\/save needs the name of a file\. \[USAGE\]/],
    [`/load ${folder}/absent.json`, /absent\.json .*is missing/],
    [`/load ${other}`, /other\.json holds no conversation that \/save wrote; name one that does\. \[USAGE\]/],
  ])('refuses %s and goes on', async (line, message) => {
    const { err, out, failedCount } = await play(line, 'next');
    expect(err).toMatch(message);
    expect([err.split('\n').length, out, failedCount]).toEqual([2, 're: next\n', 1]);
  });
});
