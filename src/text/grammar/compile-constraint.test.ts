import { describe, expect, it } from 'vitest';
import { compileConstraint } from './compile-constraint.js';
import { matches } from './testing/random-texts.js';

describe('compileConstraint', () => {
  it('takes the texts of a choice, however they begin', () => {
    const grammar = compileConstraint({ type: 'choice', choices: ['a', 'ab', '😀', '😁', 'abc', 'b'] });
    for (const text of ['a', 'ab', 'abc', 'b', '😀', '😁']) expect(matches(grammar, text)).toBe(true);
    for (const text of ['', 'ac', 'abcd', '😂']) expect(matches(grammar, text)).toBe(false);
  });

  it('takes any object, nested as deep as it likes', () => {
    const grammar = compileConstraint({ type: 'json_object' });
    const deep = JSON.stringify(
      Array.from({ length: 50 }).reduce<unknown>((inner) => ({ a: [inner, 1.5e3, null] }), 'é"'),
    );
    expect(matches(grammar, deep)).toBe(true);
    expect(matches(grammar, JSON.stringify({ a: { b: [true, {}] } }, null, 2))).toBe(true);
    for (const text of ['[]', '1', '{"a":01}', '{"a":"\\ud800"}', '{,}', '{"a" 1}'])
      expect(matches(grammar, text)).toBe(false);
  });

  it('begins a structure where a trigger stands, and nowhere else', () => {
    const grammar = compileConstraint({
      type: 'structural_tag',
      structures: [
        { begin: '<call=add>', schema: { type: 'array', items: { type: 'integer' } }, end: '</call>' },
        {
          begin: '<call=now>',
          schema: { $ref: '#/$defs/none', $defs: { none: { type: 'null' } } },
          end: '</call>',
        },
      ],
      triggers: ['<call='],
    });
    for (const text of ['', 'a < b', 'x<call=add>[1, 2]</call> and <call=now>null</call>', '<call'])
      expect([text, matches(grammar, text)]).toEqual([text, true]);
    for (const text of ['<call=', '<call=add>x</call>', '<call=now>[1]</call>', 'a<call=no>'])
      expect([text, matches(grammar, text)]).toEqual([text, false]);
  });

  it.each<[string, Parameters<typeof compileConstraint>[0], RegExp]>([
    ['an empty choice', { type: 'choice', choices: [] }, /The choice is empty/],
    [
      'a long choice',
      { type: 'choice', choices: Array.from({ length: 100_000 }, String) },
      /100000 texts, and 10000/,
    ],
    [
      'a structure without a trigger',
      { type: 'structural_tag', structures: [{ begin: '<a>', schema: {}, end: '' }], triggers: ['<b'] },
      /has no trigger/,
    ],
    [
      'a trigger without a structure',
      { type: 'structural_tag', structures: [{ begin: '<a>', schema: {}, end: '' }], triggers: ['<a', '<b'] },
      /begins no structure/,
    ],
    [
      'an empty trigger',
      { type: 'structural_tag', structures: [{ begin: '<a>', schema: {}, end: '' }], triggers: [''] },
      /is empty/,
    ],
    ['no structures', { type: 'structural_tag', structures: [], triggers: ['<'] }, /at least one structure/],
  ])('refuses %s', (_, constraint, message) => {
    expect(() => compileConstraint(constraint)).toThrow(message);
  });
});
