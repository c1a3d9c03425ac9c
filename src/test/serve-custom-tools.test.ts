/** Custom tools that the real engine is held to, in a family that writes JSON and in one that writes text between tags. */
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startDemoServer, type DemoServer } from './demo-server.js';

const model = 'ensemble';

/** The example of OpenAI's guide. */
const SUMS = `
start: expr
expr: term (SP ADD SP term)* -> add
    | term
term: factor (SP MUL SP factor)* -> mul
    | factor
factor: INT
SP: " "
ADD: "+"
MUL: "*"
%import common.INT
`;
const WORDS = String.raw`(?P<word>["\\<>\n]|[a-f]{1,3}){1,8}`;
const JUDGES: Readonly<Record<string, RegExp>> = {
  sum: /^\d+(?: [+*] \d+)*$/,
  words: /^(?:["\\<>\n]|[a-f]{1,3}){1,8}$/,
};
const FORMATS = {
  sum: { syntax: 'lark', definition: SUMS },
  words: { syntax: 'regex', definition: WORDS },
} as const;
const NAMES = ['sum', 'words'] as const;

const chatTools = NAMES.map((name) => ({
  type: 'custom' as const,
  custom: { name, format: { type: 'grammar' as const, grammar: FORMATS[name] } },
}));
const responsesTools = NAMES.map((name) => ({
  type: 'custom' as const,
  name,
  format: { type: 'grammar' as const, ...FORMATS[name] },
}));

describe.each(['hermes', 'qwen3_coder', 'glm45'])('%s', (toolCallParser) => {
  let demo: DemoServer;
  let openai: OpenAI;
  beforeAll(async () => {
    demo = await startDemoServer({ serve: { toolCallParser } });
    openai = new OpenAI({ baseURL: `${demo.httpUrl}/v1`, apiKey: 'none', maxRetries: 0 });
  });
  afterAll(() => demo.close());

  test('a call that is required has an input of its format, for each of several answers', async () => {
    let endedCount = 0;
    for (const seed of [1, 2, 3]) {
      const { choices } = await openai.chat.completions.create({
        model,
        messages: [{ role: 'user', content: 'Add two numbers.' }],
        tools: chatTools,
        tool_choice: 'required',
        parallel_tool_calls: false,
        temperature: 1.5,
        n: 6,
        max_tokens: 200,
        seed,
      });
      for (const { message, finish_reason: finish } of choices) {
        const [call, ...others] = message.tool_calls ?? [];
        expect([message.content, others]).toEqual([null, []]);
        if (call?.type !== 'custom') throw new Error('there is no call of a custom tool');
        if (finish === 'length') continue;
        endedCount++;
        expect(call.custom.input).toMatch(JUDGES[call.custom.name]!);
      }
    }
    expect(endedCount).toBeGreaterThan(3);
  });

  test.each(NAMES)('a stream of Responses calls %s, and its deltas add up', async (name) => {
    const stream = await openai.responses.create({
      model,
      input: 'Add two numbers.',
      tools: responsesTools,
      tool_choice: { type: 'custom', name },
      parallel_tool_calls: false,
      ...{ seed: 4 },
      temperature: 1.5,
      max_output_tokens: 200,
      stream: true,
    });
    let input = '';
    let last: OpenAI.Responses.ResponseStreamEvent | undefined;
    for await (const event of stream) {
      last = event;
      if (event.type === 'response.custom_tool_call_input.delta') input += event.delta;
    }
    if (last?.type !== 'response.completed' && last?.type !== 'response.incomplete')
      throw new Error(`The last event is ${last?.type}.`);
    const [item] = last.response.output;
    expect(item).toMatchObject({ type: 'custom_tool_call', name, input });
    if (last.type === 'response.completed') expect(input).toMatch(JUDGES[name]!);
  });

  test('a format with a mistake is refused, with the name of the tool and the place', async () => {
    const grammar = { syntax: 'lark' as const, definition: 'start: "a"\n%ignore " "' };
    const error = await openai.chat.completions
      .create({
        model,
        messages: [{ role: 'user', content: 'Hi' }],
        tools: [{ type: 'custom', custom: { name: 'odd', format: { type: 'grammar', grammar } } }],
      })
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      status: 400,
      message: expect.stringMatching(/format of the tool 'odd' is refused: Line 2 .*%ignore/) as string,
    });
  });
});
