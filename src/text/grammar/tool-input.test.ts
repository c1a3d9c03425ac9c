import { describe, expect, test } from 'vitest';
import type { ToolInput } from '../../core/constraint.js';
import { Automaton } from './automaton/automaton.js';
import { compileConstraint } from './compile-constraint.js';
import { INPUT_FORMS, PATCH_GRAMMAR } from './testing/input-forms.js';
import { matches, randomSource, randomText } from './testing/random-texts.js';

const MARK = '</parameter>';
const MAX_BYTES = 1000;
/** Characters that end strings and lines, also where they are spelled. */
const ENDS = '"]}\n\\n';
const random = randomSource(5);

const inputOf = (form: ToolInput['form'], writtenAs: ToolInput['writtenAs'] = 'object'): ToolInput => ({
  type: 'tool_input',
  tool: 'patch',
  form,
  writtenAs,
});

describe.each(INPUT_FORMS)('$what', ({ form, isInput }) => {
  const reads = (written: string, writtenAs: ToolInput['writtenAs']): string => {
    if (typeof writtenAs === 'object') return written;
    const value = JSON.parse(written) as unknown;
    if (writtenAs === 'string') return value as string;
    expect(Object.keys(value as object)).toEqual(['input']);
    return (value as { input: string }).input;
  };

  test.each<[string, ToolInput['writtenAs']]>([
    ['an object', 'object'],
    ['a string', 'string'],
    ['itself', { without: MARK }],
  ])('as %s: what may be written is an input', (_, writtenAs) => {
    const automaton = new Automaton(compileConstraint(inputOf(form, writtenAs)));
    let endedCount = 0;
    for (let i = 0; i < 60; i++) {
      const written = randomText(automaton, random, MAX_BYTES, ENDS)?.toString('utf8');
      if (written === undefined) continue;
      endedCount++;
      const text = reads(written, writtenAs);
      expect(typeof text).toBe('string');
      expect(isInput(text), JSON.stringify(text)).toBe(true);
      if (typeof writtenAs === 'object') expect(text).not.toContain(MARK);
    }
    expect(endedCount).toBeGreaterThan(5);
  });

  test('every input can be written, and no other text', () => {
    const object = compileConstraint(inputOf(form));
    const texts = [
      ...Array.from({ length: 50 }, () => {
        const bare =
          form === undefined ? undefined : randomText(new Automaton(compileConstraint(form)), random);
        return bare?.toString('utf8') ?? '\u{1f600}"\\\n\u0001';
      }),
      '',
      '*** Begin Patch\n*** Delete File: "a\\b"\n*** End Patch',
      '12th "\u2028"\t\\\u0001',
      '12th "a"\t\\x',
      '(("a\\)\n)',
      '())',
      '<a>\n',
      '<a b',
    ];
    for (const input of texts)
      expect([input, matches(object, JSON.stringify({ input }))]).toEqual([input, isInput(input)]);
  });
});

test('any text may be spelled in any way that JSON has, and nothing else is a member', () => {
  const grammar = compileConstraint(inputOf(undefined));
  for (const json of ['{"input":"\\u0041\\/"}', '{ "input" : "" }', '{"input": "\\ud83d\\ude00"}'])
    expect([json, matches(grammar, json)]).toEqual([json, true]);
  for (const json of ['{}', '{"input": 1}', '{"input": "a\nb"}', '{"input": "a", "b": 1}', '{"Input": ""}'])
    expect([json, matches(grammar, json)]).toEqual([json, false]);
});

test('a mark is nowhere in a bare text, and grammars that cannot write it may be recursive', () => {
  const any = compileConstraint(inputOf({ type: 'regex', pattern: '[^]*' }, { without: MARK }));
  for (const text of ['', '<', '</parameter', `${MARK.slice(0, -1)}<`, 'a<b>c</b>'])
    expect([text, matches(any, text)]).toEqual([text, true]);
  for (const text of [MARK, `a${MARK}`, `${MARK}\n`, `<${MARK}>`])
    expect([text, matches(any, text)]).toEqual([text, false]);
});

test.each<[string, ToolInput['form'], ToolInput['writtenAs'], RegExp]>([
  [
    'a grammar with a mistake',
    { type: 'grammar', grammar: `${PATCH_GRAMMAR}%ignore " "` },
    'object',
    /^The format of the tool 'patch' is refused: Line \d+ of the grammar: %ignore is not supported/,
  ],
  [
    'a pattern with a mistake',
    { type: 'regex', pattern: '(' },
    'string',
    /^The format of the tool 'patch' is refused/,
  ],
  [
    'a rule without an end',
    { type: 'grammar', grammar: 'start: "a" | b\nb: "c" b' },
    'object',
    /'b'.* has no end/,
  ],
  [
    'a text that has the mark',
    { type: 'regex', pattern: `a${MARK}` },
    { without: MARK },
    /cannot be satisfied/,
  ],
  [
    'a recursive grammar that may write the mark',
    { type: 'grammar', grammar: 'start: "<" start? ">"' },
    { without: MARK },
    /Rule 'start' is recursive/,
  ],
])('%s is refused, with the name of the tool', (_, form, writtenAs, message) => {
  expect(() => compileConstraint(inputOf(form, writtenAs))).toThrow(message);
  expect(() => compileConstraint(inputOf(form, writtenAs))).toThrow("tool 'patch'");
});
