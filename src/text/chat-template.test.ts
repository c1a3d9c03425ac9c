import { describe, expect, it } from 'vitest';
import { loadChatTemplate } from './chat-template.js';
import { directoryWith } from './testing/test-tokenizers.js';

const SPECIAL = { bos_token: '<s>', eos_token: '</s>' };
const LLAMA2 = `{{ bos_token }}{% for message in messages %}
{%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Conversation roles must alternate user/assistant.') }}{% endif %}
{%- if message['role'] == 'user' %}[INST] {{ message['content'] | trim }} [/INST]{% else %} {{ message['content'] }} {{ eos_token }}{% endif %}
{%- endfor %}`;
const CHATML = `{% for m in messages %}<|{{ m.role }}|>{{ m.content }}
{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}`;

const load = async (files: Readonly<Record<string, unknown>>) => {
  const template = await loadChatTemplate(await directoryWith(files), SPECIAL);
  if (!template) throw new Error('no template was found');
  return template;
};
const user = (content: string) => ({ role: 'user', content });

describe('chat templates', () => {
  it('render a conversation with the special tokens', async () => {
    const template = await load({ 'tokenizer_config.json': { chat_template: LLAMA2 } });
    const messages = [user(' Hi '), { role: 'assistant', content: 'Hello.' }, user('Who are you?')];
    expect(template.render(messages, {})).toBe('<s>[INST] Hi [/INST] Hello. </s>[INST] Who are you? [/INST]');
  });

  it('open the answer unless asked not to', async () => {
    const template = await load({ 'chat_template.jinja': CHATML });
    expect(template.render([user('Hi')], {})).toBe('<|user|>Hi\n<|assistant|>');
    expect(template.render([user('Hi')], { add_generation_prompt: false })).toBe('<|user|>Hi\n');
  });

  it('are looked for in chat_template.jinja, chat_template.json, tokenizer_config.json', async () => {
    const files = {
      'chat_template.jinja': 'jinja',
      'chat_template.json': { chat_template: 'json' },
      'tokenizer_config.json': { chat_template: 'config' },
    };
    const { 'chat_template.jinja': _, ...withoutJinja } = files;
    expect((await load(files)).render([], {})).toBe('jinja');
    expect((await load(withoutJinja)).render([], {})).toBe('json');
    expect(await loadChatTemplate(await directoryWith({}), SPECIAL)).toBeUndefined();
  });

  it('are chosen by name, and by the presence of tools', async () => {
    const chat_template = [
      { name: 'default', template: 'plain{% if tools is none %} without tools{% endif %}' },
      { name: 'tool_use', template: '{{ tools | tojson }}' },
      { name: 'rag', template: 'rag' },
    ];
    const template = await load({ 'tokenizer_config.json': { chat_template } });
    expect(template.render([], {})).toBe('plain without tools');
    expect(template.render([], { tools: [{ type: 'function' }] })).toBe('[{"type": "function"}]');
    expect(template.render([], { chat_template: 'rag' })).toBe('rag');
    expect(() => template.render([], { chat_template: 'other' })).toThrowError(
      'The model has no chat template named "other"; it has: default, tool_use, rag.',
    );
  });

  it('know the date', async () => {
    const template = await load({ 'chat_template.jinja': '{{ strftime_now("%Y") }}' });
    expect(template.render([], {})).toBe(String(new Date().getFullYear()));
  });

  it('pass a refusal on as one sentence', async () => {
    const template = await load({ 'chat_template.jinja': LLAMA2 });
    expect(() => template.render([user('a'), user('b')], {})).toThrowError(
      expect.objectContaining({
        code: 'REQUEST_INVALID',
        message:
          "The model's chat template does not accept these messages: Conversation roles must alternate user/assistant.",
      }),
    );
  });

  it('are refused at load when they cannot be parsed', async () => {
    await expect(load({ 'chat_template.jinja': '{% if %}' })).rejects.toMatchObject({
      code: 'TOKENIZER_INVALID',
      message: expect.stringMatching(/^The chat template "default" in .* cannot be parsed/),
    });
  });
});
