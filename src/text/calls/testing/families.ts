/** Outputs as the models of each family write them, of our own making, with what a reader must find in them. */
import type { Tool } from '../../../core/conversation.js';

/** An answer put together. */
export interface FoundAnswer {
  readonly thought: string;
  readonly text: string;
  readonly calls: readonly FoundCall[];
}

export interface FoundCall {
  readonly name: string;
  /** Text of the arguments. */
  readonly arguments: string;
  readonly isComplete: boolean;
}

export interface FamilyCase {
  readonly format: string;
  readonly what: string;
  readonly output: string;
  readonly text: string;
  readonly calls: readonly FoundCall[];
}

export const TOOLS: readonly Tool[] = [
  {
    name: 'weather',
    parameters: {
      type: 'object',
      properties: { city: { type: 'string' }, days: { type: 'integer' } },
      required: ['city'],
    },
    isStrict: false,
  },
  { name: 'clock', parameters: { type: 'object', properties: {} }, isStrict: false },
];

const PARIS = '{"city": "Paris", "days": 2}';
const KYOTO = '{"city": "京都 </tool_call> \\"{[\\ud83d\\ude00😀"}';
const CUT = '{"city": "Par';
const BROKEN = '{city: Paris]}';

const whole = (args: string, name = 'weather'): FoundCall => ({ name, arguments: args, isComplete: true });
const part = (args: string, name = 'weather'): FoundCall => ({ name, arguments: args, isComplete: false });

/** A family in which a call is some text around JSON. */
interface JsonFamily {
  readonly format: string;
  readonly call: (name: string, args: string) => string;
  /** Calls put together. */
  readonly join: (calls: readonly string[]) => string;
  /** Text before a call; families in which a call is the whole answer have none. */
  readonly before?: (text: string) => string;
}

const hermes = (name: string, args: string): string =>
  `<tool_call>\n{"name": "${name}", "arguments": ${args}}\n</tool_call>`;

const JSON_FAMILIES: readonly JsonFamily[] = [
  { format: 'hermes', call: hermes, join: (calls) => calls.join('\n'), before: (text) => `${text}\n` },
  {
    format: 'llama3_json',
    call: (name, args) => `{"name": "${name}", "parameters": ${args}}`,
    join: (calls) => calls.join('; '),
    before: (text) => `${text}<|python_tag|>`,
  },
  {
    format: 'mistral',
    call: (name, args) => `{"name": "${name}", "arguments": ${args}}`,
    join: (calls) => `[TOOL_CALLS][${calls.join(', ')}]`,
    before: (text) => text,
  },
  {
    format: 'mistral_args',
    call: (name, args) => `[TOOL_CALLS]${name}[ARGS]${args}`,
    join: (calls) => calls.join(''),
    before: (text) => text,
  },
  {
    format: 'deepseek_v3',
    call: (name, args) =>
      `<｜tool▁call▁begin｜>function<｜tool▁sep｜>${name}\n\`\`\`json\n${args}\n\`\`\`<｜tool▁call▁end｜>`,
    join: (calls) => `<｜tool▁calls▁begin｜>${calls.join('\n')}<｜tool▁calls▁end｜>`,
    before: (text) => text,
  },
  {
    format: 'deepseek_v31',
    call: (name, args) => `<｜tool▁call▁begin｜>${name}<｜tool▁sep｜>${args}<｜tool▁call▁end｜>`,
    join: (calls) => `<｜tool▁calls▁begin｜>${calls.join('')}<｜tool▁calls▁end｜>`,
    before: (text) => text,
  },
  {
    format: 'functionary',
    call: (name, args) => `<function=${name}>${args}</function>`,
    join: (calls) => calls.join(''),
    before: (text) => text,
  },
  {
    format: 'functionary_v3.2',
    call: (name, args) => `${name}\n${args}`,
    join: (calls) => calls.join('>>>'),
    before: (text) => `all\n${text}>>>`,
  },
  {
    format: 'functionary_v2',
    call: (name, args) => `${name}\n<|content|>${args}`,
    join: (calls) => calls.join('\n<|from|>assistant\n<|recipient|>'),
    before: (text) => `all\n<|content|>${text}\n<|from|>assistant\n<|recipient|>`,
  },
];

const TEXT = 'Let me see: 1 < 2, [a], `x`.';

/** All cases of a family whose arguments are JSON. */
function jsonCases({ format, call, join, before }: JsonFamily): FamilyCase[] {
  const cut = join([call('weather', CUT)]);
  const cutAt = cut.indexOf(CUT) + CUT.length;
  const cases: FamilyCase[] = [
    { format, what: 'a call', output: join([call('weather', PARIS)]), text: '', calls: [whole(PARIS)] },
    {
      format,
      what: 'a call without arguments',
      output: join([call('clock', '{}')]),
      text: '',
      calls: [whole('{}', 'clock')],
    },
    {
      format,
      what: 'parallel calls',
      output: join([call('weather', PARIS), call('clock', '{}'), call('weather', KYOTO)]),
      text: '',
      calls: [whole(PARIS), whole('{}', 'clock'), whole(KYOTO)],
    },
    { format, what: 'unicode', output: join([call('weather', KYOTO)]), text: '', calls: [whole(KYOTO)] },
    { format, what: 'a call cut by length', output: cut.slice(0, cutAt), text: '', calls: [part(CUT)] },
    {
      format,
      what: 'broken JSON',
      output: join([call('weather', BROKEN)]),
      text: '',
      calls: [whole(BROKEN)],
    },
  ];
  if (before === undefined) return cases;
  const output = before(TEXT) + join([call('weather', PARIS)]);
  return [...cases, { format, what: 'text before a call', output, text: TEXT, calls: [whole(PARIS)] }];
}

const glm = (name: string, args: Readonly<Record<string, string>>): string =>
  `<tool_call>${name}\n${Object.entries(args)
    .map(([key, value]) => `<arg_key>${key}</arg_key>\n<arg_value>${value}</arg_value>\n`)
    .join('')}</tool_call>`;

const coder = (name: string, args: Readonly<Record<string, string>>): string =>
  `<tool_call>\n<function=${name}>\n${Object.entries(args)
    .map(([key, value]) => `<parameter=${key}>\n${value}\n</parameter>\n`)
    .join('')}</function>\n</tool_call>`;

/** Families whose arguments stand between tags. */
const TAGGED = [
  { format: 'glm45', call: glm, cut: '<tool_call>weather\n<arg_key>city</arg_key>\n<arg_value>Par' },
  {
    format: 'qwen3_coder',
    call: coder,
    cut: '<tool_call>\n<function=weather>\n<parameter=city>\nPar',
  },
].flatMap(({ format, call, cut }): FamilyCase[] => {
  const paris = call('weather', { city: 'Paris', days: '2' });
  const quoted = call('weather', { city: 'a "b"\n\\ 京都 😀 < c', days: 'two' });
  const quotedArgs = `{"city": ${JSON.stringify('a "b"\n\\ 京都 😀 < c')}, "days": "two"}`;
  return [
    { format, what: 'a call', output: paris, text: '', calls: [whole(PARIS)] },
    {
      format,
      what: 'a call without arguments',
      output: call('clock', {}),
      text: '',
      calls: [whole('{}', 'clock')],
    },
    {
      format,
      what: 'parallel calls',
      output: `${paris}\n${call('clock', {})}`,
      text: '',
      calls: [whole(PARIS), whole('{}', 'clock')],
    },
    { format, what: 'unicode, and broken JSON', output: quoted, text: '', calls: [whole(quotedArgs)] },
    { format, what: 'a call cut by length', output: cut, text: '', calls: [part(CUT)] },
    { format, what: 'text before a call', output: `${TEXT}\n${paris}`, text: TEXT, calls: [whole(PARIS)] },
  ];
});

/** Python of a call, and the JSON that it becomes. */
const PYTHON = [
  ['a call', 'weather(city="Paris", days=2)', PARIS],
  ['spaces and single quotes', "weather( city = 'Paris' ,\n days=2, )", PARIS],
  [
    'constants',
    'weather(city=None, days=True, a=False, b=null)',
    '{"city": null, "days": true, "a": false, "b": null}',
  ],
  [
    'numbers',
    'weather(a=-1.5e3, b=1_000, c=.5, d=0x1F, e=+7)',
    '{"a": -1.5e3, "b": 1000, "c": 0.5, "d": 31, "e": 7}',
  ],
  [
    'lists, tuples and dictionaries',
    "weather(a=[1, 'x', [ ]], b=(1,), c={'k': {2: \"v\"}, 'l': []})",
    '{"a": [1, "x", []], "b": [1], "c": {"k": {"2": "v"}, "l": []}}',
  ],
  [
    'unicode and escapes',
    String.raw`weather(city='京都 😀 it\'s "so" \x41\u00e9\U0001f600\n\d)]')`,
    String.raw`{"city": "京都 😀 it's \"so\" Aé😀\n\\d)]"}`,
  ],
  [
    'half characters in escapes',
    String.raw`weather(city="\ud83d\ude00")`,
    String.raw`{"city": "\ud83d\ude00"}`,
  ],
].map(([what, call, args]) => ({ what: what!, call: call!, args: args! }));

const PYTHONIC: readonly FamilyCase[] = [
  ...PYTHON.map(({ what, call, args }) => ({
    format: 'pythonic',
    what,
    output: `[${call}]`,
    text: '',
    calls: [whole(args)],
  })),
  ...[
    { what: 'a call without arguments', output: '[clock()]', text: '', calls: [whole('{}', 'clock')] },
    {
      what: 'parallel calls',
      output: `[${PYTHON.map(({ call }) => call).join(', ')}, clock() ]`,
      text: '',
      calls: [...PYTHON.map(({ args }) => whole(args)), whole('{}', 'clock')],
    },
    {
      what: 'text before a call, and between control tokens',
      output: `${TEXT} <|python_start|>[weather(city="Paris", days=2)]<|python_end|>`,
      text: TEXT,
      calls: [whole(PARIS)],
    },
    {
      what: 'brackets that are no calls',
      output: 'See [1, 2], [weather] and [sun(1)], [weather(city="Paris", days=2), x]',
      text: 'See [1, 2], [weather] and [sun(1)],, x]',
      calls: [whole(PARIS)],
    },
    { what: 'a call cut by length', output: '[weather(city="Par', text: '', calls: [part(CUT)] },
    {
      what: 'what is no Python',
      output: '[weather(city: Paris]), clock()]',
      text: '',
      calls: [whole('{"city": Paris]'), whole('{}', 'clock')],
    },
    {
      what: 'a word without quotes',
      output: '[weather(city=Paris)]',
      text: '',
      calls: [whole('{"city": Paris')],
    },
  ].map((one) => ({ format: 'pythonic', ...one })),
];

const OTHERS: readonly FamilyCase[] = [
  {
    format: 'functionary_v2',
    what: 'a text alone, with its end',
    output: 'all\n<|content|>The end.<|stop|>',
    text: 'The end.',
    calls: [],
  },
  {
    format: 'functionary_v2',
    what: 'no recipient',
    output: 'The end.\nOf all.',
    text: 'The end.\nOf all.',
    calls: [],
  },
  {
    format: 'functionary_v2',
    what: 'an object that breaks off at the next message',
    output: `weather\n<|content|>{"city": 1\n<|from|>assistant\n<|recipient|>clock\n<|content|>{}`,
    text: '',
    calls: [part('{"city": 1\n'), whole('{}', 'clock')],
  },
  { format: 'glm4', what: 'a call', output: `weather\n${PARIS}`, text: '', calls: [whole(PARIS)] },
  { format: 'glm4', what: 'unicode', output: `weather\n${KYOTO}`, text: '', calls: [whole(KYOTO)] },
  { format: 'glm4', what: 'a call cut by length', output: `weather\n${CUT}`, text: '', calls: [part(CUT)] },
  { format: 'glm4', what: 'text', output: `weather is fine\n{x}`, text: 'weather is fine\n{x}', calls: [] },
  {
    format: 'hermes',
    what: 'no JSON at all',
    output: 'a <tool_call>nothing</tool_call> b',
    text: 'a <tool_call>nothing</tool_call> b',
    calls: [],
  },
  {
    format: 'hermes',
    what: 'arguments before the name, and as a text',
    output: `<tool_call>{"arguments": ${JSON.stringify(PARIS)}, "id": 1, "name": "weather"}</tool_call>`,
    text: '',
    calls: [whole(PARIS)],
  },
  {
    format: 'hermes',
    what: 'an object that breaks off at the end tag',
    output: `<tool_call>{"name": "weather", "arguments": {"city": 1</tool_call> so`,
    text: 'so',
    calls: [part('{"city": 1')],
  },
  {
    format: 'hermes',
    what: 'two objects within one pair of tags, no end tag',
    output: `<tool_call>{"name": "clock"}\n{"name": "weather", "arguments": ${PARIS}}`,
    text: '',
    calls: [whole('{}', 'clock'), whole(PARIS)],
  },
  {
    format: 'llama3_json',
    what: 'JSON that names no tool',
    output: ' {"name": "Bob", "parameters": {}}',
    text: ' {"name": "Bob", "parameters": {}}',
    calls: [],
  },
  {
    format: 'llama3_json',
    what: 'text before a call, without the tag, and other JSON',
    output: `So {x} and {"name": "Bob"} and {"a": {"name": "weather"}}: {"name": "weather", "parameters": ${PARIS}}`,
    text: 'So {x} and {"name": "Bob"} and {"a": {"name": "weather"}}:',
    calls: [whole(PARIS)],
  },
  {
    format: 'llama3_json',
    what: 'code behind the tag',
    output: '<|python_tag|>print(1)\n',
    text: 'print(1)\n',
    calls: [],
  },
  {
    format: 'llama3_json',
    what: 'a type before the name',
    output: `{"type": "function", "name": "weather", "parameters": ${PARIS}}`,
    text: '',
    calls: [whole(PARIS)],
  },
  {
    format: 'mistral_args',
    what: 'an id',
    output: `[TOOL_CALLS]weather[CALL_ID]abc[ARGS]${PARIS}`,
    text: '',
    calls: [whole(PARIS)],
  },
  {
    format: 'functionary_v3.2',
    what: 'a text alone',
    output: 'all\nThe end.\n',
    text: 'The end.\n',
    calls: [],
  },
  {
    format: 'glm45',
    what: 'tags without line breaks',
    output: '<tool_call>weather<arg_key>city</arg_key><arg_value>Paris</arg_value></tool_call>',
    text: '',
    calls: [whole('{"city": "Paris"}')],
  },
];

export const FAMILY_CASES: readonly FamilyCase[] = [
  ...JSON_FAMILIES.flatMap(jsonCases),
  ...TAGGED,
  ...PYTHONIC,
  ...OTHERS,
];
