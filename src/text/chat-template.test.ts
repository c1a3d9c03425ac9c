import { describe, expect, it } from 'vitest';
import type { ChatMessage } from '../core/generate.js';
import { ChatTemplate } from './chat-template.js';
import { loadChatTemplate } from './load-chat-template.js';
import { directoryWith } from './testing/test-tokenizers.js';

const SPECIAL = { bos_token: '<s>', eos_token: '</s>' };
const LLAMA2 = `{{ bos_token }}{% for message in messages %}
{%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('ConversationRequest roles must alternate user/assistant.') }}{% endif %}
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

  it('are found by name in additional_chat_templates', async () => {
    const template = await load({
      'chat_template.jinja': 'D{{ messages[0].content }}',
      'additional_chat_templates/tool_use.jinja': 'T{{ messages[0].content }}',
      'additional_chat_templates/rag.jinja': 'R{{ documents | length }}',
      'additional_chat_templates/notes.txt': 'N',
    });
    expect(template.render([user('hi')], {})).toBe('Dhi');
    expect(template.render([user('hi')], { tools: [{ type: 'function' }] })).toBe('Thi');
    expect(template.render([user('hi')], { chat_template: 'rag', documents: [{}, {}] })).toBe('R2');
    expect(() => template.render([], { chat_template: 'notes' })).toThrowError(
      /it has: default, rag, tool_use/,
    );
  });

  it('may begin with a byte order mark', async () => {
    const template = await load({ 'chat_template.jinja': '\ufeff{{ messages[0].content }}' });
    expect(template.render([user('hi')], {})).toBe('hi');
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
          "The model's chat template does not accept these messages: ConversationRequest roles must alternate user/assistant.",
      }),
    );
  });

  it('pass it on also where messages without content broke the template first', async () => {
    const strips = LLAMA2.replace("message['content']", "message['content'].strip()");
    expect(strips).not.toBe(LLAMA2);
    const template = await load({ 'chat_template.jinja': strips });
    const silent: ChatMessage = { role: 'assistant', content: null };
    expect(() => template.render([user('a'), silent, silent], {})).toThrowError(
      "The model's chat template does not accept these messages: ConversationRequest roles must alternate user/assistant.",
    );
  });

  it('are refused at load when they cannot be parsed', async () => {
    await expect(load({ 'chat_template.jinja': '{% if %}' })).rejects.toMatchObject({
      code: 'TOKENIZER_INVALID',
      message: expect.stringMatching(
        /^The chat template "default" in .* cannot be parsed \(line 1: Expected an/,
      ),
    });
  });

  it('name the line of an error', async () => {
    const template = await load({
      'chat_template.jinja': 'a\n{% if true %}\n{{ messages[0].no.role }}{% endif %}',
    });
    expect(() => template.render([user('a')], {})).toThrowError(
      "The model's chat template does not accept these messages: 'dict object' has no attribute 'no' (UndefinedError in line 3).",
    );
  });
});

const render = (source: string, messages: readonly ChatMessage[], variables = {}): string =>
  new ChatTemplate(new Map([['default', source]]), SPECIAL, 'test').render(messages, variables);

/** A conversation with an earlier call of a tool, as OpenAI's protocol carries it. */
const withCall = (given: unknown, content: string | null = null): ChatMessage[] => [
  user('go'),
  {
    role: 'assistant',
    content,
    tool_calls: [{ id: 'c1', type: 'function', function: { name: 'f', arguments: given } }],
  },
  { role: 'tool', tool_call_id: 'c1', content: 'ok' },
];
const ARGUMENTS = 'messages[1].tool_calls[0].function.arguments';

describe('arguments of earlier tool calls', () => {
  it.each([
    ['an object', '{"k": 1}', '{"k": 1}'],
    ['in another notation', '{"k":1,\n"l":[ true ,null]}', '{"k": 1, "l": [true, null]}'],
    [
      'floats and large integers',
      '{"a": 1.0, "b": 12345678901234567890, "c": 1e2}',
      '{"a": 1.0, "b": 12345678901234567890, "c": 100.0}',
    ],
    [
      'keys in their order',
      '{"b": 1, "2": 2, "1": {"10": 3, "9": 4}}',
      '{"b": 1, "2": 2, "1": {"10": 3, "9": 4}}',
    ],
    ['nothing', '', '{}'],
    ['null', null, '{}'],
    ['a null in JSON', 'null', '{}'],
    ['left out', undefined, '{}'],
    ['no JSON', 'k = 1', '"k = 1"'],
    ['a list', '[1]', '[1]'],
    ['encoded twice', '"{\\"k\\": 1}"', '"{\\"k\\": 1}"'],
    ['an object of a program', { k: 1 }, '{"k": 1}'],
    ['deep', `${'['.repeat(99)}${']'.repeat(99)}`, `${'['.repeat(99)}${']'.repeat(99)}`],
  ])('are decoded once: %s', (_, given, expected) => {
    expect(render(`{{ ${ARGUMENTS} | tojson }}`, withCall(given))).toBe(expected);
  });

  it('can be walked over', () => {
    const items = `{% for k, v in ${ARGUMENTS} | items %}{{ k }}={{ v }};{% endfor %}{% for k in ${ARGUMENTS}.keys() %}{{ k }}{% endfor %}`;
    expect(render(items, withCall('{"items": [1], "keys": 2}'))).toBe('items=[1];keys=2;itemskeys');
  });

  it.each([
    ['added to a text', `{{ '{"a": ' + ${ARGUMENTS} + '}' }}`, '{"a": {"k":1}}'],
    ['joined with ~', `{{ 'a' ~ ${ARGUMENTS} }}`, 'a{"k":1}'],
    ['printed', `{{ ${ARGUMENTS} }}`, '{"k":1}'],
    ['through a filter', `{{ ${ARGUMENTS} | trim }}`, '{"k":1}'],
    ['in a format', `{{ '%s' % ${ARGUMENTS} }}{{ '{}'.format(${ARGUMENTS}) }}`, '{"k":1}{"k":1}'],
    ['with a method of texts', `{{ ${ARGUMENTS}.strip() }}`, '{"k":1}'],
    [
      'after a test',
      `{% if ${ARGUMENTS} is string %}{{ ${ARGUMENTS} }}{% else %}{{ ${ARGUMENTS} | tojson }}{% endif %}`,
      '{"k": 1}',
    ],
    [
      'as a part of what is printed',
      `{{ messages[1].tool_calls[0].function }}`,
      "{'name': 'f', 'arguments': {'k': 1}}",
    ],
  ])('reach a template as it uses them: %s', (_, source, expected) => {
    expect(render(source, withCall('{"k":1}'))).toBe(expected);
    expect(render(source, withCall('{"k":1}', 'text'))).toBe(expected);
  });

  it('become text for a template that wants text, where a program gives objects', () => {
    const given = { k: [1, 'a,\n b'], l: {} };
    expect(render(`{{ 'x' + ${ARGUMENTS} }}`, withCall(given))).toBe('x{"k": [1, "a,\\n b"], "l": {}}');
  });

  it('of a call that a template pastes go with content that it tests for', () => {
    const source = `{% for m in messages %}{% if m.role == 'assistant' and m.content is none %}{{ 'CALL ' + m.tool_calls[0].function.arguments }}{% elif m.role == 'assistant' %}{{ 'SAY ' + m.content }}{% endif %}{% endfor %}`;
    expect(render(source, withCall('{"k":1}'))).toBe('CALL {"k":1}');
    expect(render(source, withCall('{"k":1}', 'hm'))).toBe('SAY hm');
  });

  it('and the messages are as they were afterwards', () => {
    const messages = withCall('{"k":1}');
    const before = structuredClone(messages);
    render(`{{ 'a' + ${ARGUMENTS} }}`, messages);
    expect(messages).toEqual(before);
  });
});

describe('content that is null', () => {
  it.each([
    ['tested', `{{ messages[1].content is none }}`, 'True'],
    ['added to a text', `{{ 'a' + messages[1].content + 'b' }}`, 'ab'],
    ['printed', `[{{ messages[1].content }}]`, '[]'],
    ['through a filter', `[{{ messages[1].content | trim }}]`, '[]'],
    ['with a method', `[{{ messages[1].content.strip() }}]`, '[]'],
    [
      'through a macro',
      `{% macro text(c) %}{% if c is string %}{{ c }}{% else %}{{ c }}{% endif %}{% endmacro %}[{{ text(messages[1].content) }}]`,
      '[]',
    ],
    ['or', `[{{ messages[1].content or 'x' }}]`, '[x]'],
    ['where None is printed anyway', `{{ messages[1].content is none }} {{ tools }}`, 'True None'],
  ])('reaches a template as it uses it: %s', (_, source, expected) => {
    expect(render(source, withCall('{}'))).toBe(expected);
  });
});

describe('content', () => {
  it('is a list of parts for a template that walks over it', () => {
    const source = `{% for m in messages %}{% for part in m.content %}{% if part['type'] == 'text' %}{{ part['text'] }}{% else %}<image>{% endif %}{% endfor %}|{% endfor %}`;
    expect(render(source, [user('one'), user('two')])).toBe('one|two|');
  });

  it('is a text for a template that knows both', () => {
    const source = `{% for m in messages %}{% if m.content is string %}{{ m.content }}{% else %}parts{% endif %}{% endfor %}`;
    expect(render(source, [user('one')])).toBe('one');
  });

  it('stays a text where a template walks over its characters', () => {
    expect(render(`{% for c in messages[0].content %}{{ c + '.' }}{% endfor %}`, [user('one')])).toBe(
      'o.n.e.',
    );
  });
});

/** Cases from the field: what Python gives for templates that people run. */
describe('Python', () => {
  const tools = [
    { type: 'function', function: { name: 'f', parameters: { properties: { items: { type: 'string' } } } } },
  ];
  it.each([
    ['undefined through a filter', '[{{ messages[0].nope | trim }}]', '[]'],
    [
      'undefined of a parameter',
      '{{ tools[0].function.parameters.properties["items"].description | trim }}',
      '',
    ],
    ['None through a filter', '{{ nothing | selectattr("type", "equalto", "x") | list | length }}', '0'],
    ['a key that hides a method', '{% for k, v in p.items() %}{{ k }},{% endfor %}', 'items,b,'],
    ['characters to strip', `[{{ ' a\\n'.lstrip('\\n') }}]{{ '--a--'.strip('-') }}`, '[ a\n]a'],
    [
      'printing',
      `{{ true }} {{ none }} {{ ['a', 1] }} {{ {'k': none} }} {{ 4/2 }}`,
      "True None ['a', 1] {'k': None} 2.0",
    ],
    ['a dictionary as text', `{{ {'k': 1} | string }} {{ 'a' ~ none }}`, "{'k': 1} aNone"],
    ['signs of remainders', '{{ -7 % 3 }} {{ -7 // 2 }}', '2 -4'],
    [
      'equality',
      `{{ '' == false }} {{ '1' == 1 }} {{ 1 == true }} {{ missing == none }}`,
      'False False True False',
    ],
  ])('%s', (_, source, expected) => {
    expect(render(source, [user('')], { tools, nothing: null, p: { items: [1], b: 2 } })).toBe(expected);
  });
});

describe('a last message that goes on', () => {
  const CHAT = `{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>\n{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}`;
  const TRIMMED = CHAT.replace('m.content', 'm.content | trim');
  const begun = (content: string) => [user('Write.'), { role: 'assistant', content }];
  const goOn = { continue_final_message: true };

  it.each([
    [CHAT, 'Once upon', '<|user|>Write.<|end|>\n<|assistant|>Once upon'],
    [CHAT, ' Once upon ', '<|user|>Write.<|end|>\n<|assistant|> Once upon '],
    [TRIMMED, ' Once upon ', '<|user|>Write.<|end|>\n<|assistant|>Once upon'],
    [CHAT, 'Write.', '<|user|>Write.<|end|>\n<|assistant|>Write.'],
  ])('ends the prompt without its end', (source, content, expected) => {
    expect(render(source, begun(content), goOn)).toBe(expected);
    expect(render(source, begun(content), { ...goOn, add_generation_prompt: false })).toBe(expected);
  });

  it.each([
    ['empty', begun('  '), CHAT],
    ['null', [{ role: 'assistant', content: null }], CHAT],
    ['not shown', begun('Once'), `{{ messages[0].content }}`],
  ])('is refused where there is nothing to go on with: %s', (_, messages, source) => {
    expect(() => render(source, messages, goOn)).toThrowError(/^continue_final_message needs a last message/);
  });
});

it('refuses a template that is far longer than any', () => {
  const source = 'x{{ messages }}'.repeat(30_000);
  expect(() => new ChatTemplate(new Map([['default', source]]), {}, 'here')).toThrow(/450000 characters/);
});
