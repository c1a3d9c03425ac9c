import { describe, expect, it } from 'vitest';
import { Automaton } from '../automaton/automaton.js';
import { compileConstraint } from '../compile-constraint.js';
import { matches, randomText, randomSource } from '../testing/random-texts.js';
import { FIELD_SCHEMAS } from '../testing/field-schemas.js';
import { randomSchema } from '../testing/random-schemas.js';
import { SCHEMAS } from '../testing/schemas.js';
import { schemaFault } from '../testing/validators.js';

/** A text of a schema; undefined where the schema is refused because there is none. */
function numberText(schema: unknown, seed: number): string | undefined {
  try {
    return randomText(new Automaton(compile(schema)), randomSource(seed))?.toString();
  } catch (error) {
    expect(String(error)).toMatch(/cannot be satisfied/);
    return undefined;
  }
}

const compile = (schema: unknown) => compileConstraint({ type: 'json_schema', schema });

describe('JSON schemas', () => {
  it.each([...SCHEMAS, ...FIELD_SCHEMAS])('%s: every text is valid', (_, schema) => {
    const automaton = new Automaton(compile(schema));
    const faultOf = schemaFault(schema);
    const random = randomSource(3);
    let ended = 0;
    for (let i = 0; i < 5; i++) {
      const text = randomText(automaton, random)?.toString();
      if (text === undefined) continue;
      ended++;
      const fault = faultOf(JSON.parse(text));
      if (fault !== undefined) expect.fail(`${text}: ${fault}`);
    }
    expect(ended).toBeGreaterThan(0);
  });

  it('every text of random schemas is valid', () => {
    let ended = 0;
    for (let seed = 1; seed <= 60; seed++) {
      const schema = randomSchema(randomSource(seed));
      const text = randomText(new Automaton(compile(schema)), randomSource(seed))?.toString();
      if (text === undefined) continue;
      ended++;
      const fault = schemaFault(schema)(JSON.parse(text));
      if (fault !== undefined) expect.fail(`${JSON.stringify(schema)}: ${text}: ${fault}`);
    }
    expect(ended).toBeGreaterThan(40);
  });

  it('numbers within bounds of any size are within them, or there are none', () => {
    const random = randomSource(5);
    const bound = () => (random() < 0.5 ? -1 : 1) * 10 ** (random() * 325 - 20);
    let ended = 0;
    for (let i = 0; i < 300; i++) {
      const [minimum, maximum] = [bound(), bound()].toSorted((a, b) => a - b);
      const schema = {
        type: 'number',
        ...(random() < 0.7 ? { [random() < 0.5 ? 'minimum' : 'exclusiveMinimum']: minimum } : {}),
        ...(random() < 0.7 ? { [random() < 0.5 ? 'maximum' : 'exclusiveMaximum']: maximum } : {}),
      };
      const text = numberText(schema, i);
      if (text === undefined) continue;
      ended++;
      const fault = schemaFault(schema)(JSON.parse(text));
      if (fault !== undefined) expect.fail(`${JSON.stringify(schema)}: ${text}: ${fault}`);
    }
    expect(ended).toBeGreaterThan(100);
  });

  it('bounds of many digits take no more nodes than digits', () => {
    const { nodes } = compile({ type: 'integer', minimum: 1, maximum: Number.MAX_SAFE_INTEGER });
    expect(nodes.length).toBeLessThan(250);
  });

  it.each<[string, unknown, readonly unknown[], readonly unknown[]]>([
    [
      'an enum behind allOf beside other keywords',
      {
        $defs: { color: { enum: ['red', 'green'], type: 'string' } },
        allOf: [{ $ref: '#/$defs/color' }],
        maxLength: 4,
        description: 'paint',
      },
      ['red'],
      ['green', 'blue', 1],
    ],
    [
      'a union behind allOf',
      { allOf: [{ anyOf: [{ type: 'integer' }, { type: 'string' }] }], minLength: 2, minimum: 5 },
      [7, 'ab'],
      [3, 'a', null],
    ],
    [
      'integers',
      { type: 'integer', minimum: -12, exclusiveMaximum: 205 },
      [-12, 0, 9, 99, 204],
      [-13, 205, 1000],
    ],
    ['numbers', { type: 'number', minimum: -0.5, maximum: 2.25 }, [-0.5, 0, 1.75, 2, 2.25], [-0.51, 2.26, 3]],
    [
      'numbers below a bound that no safe number reaches',
      { type: 'number', minimum: 0, maximum: Number.MAX_VALUE },
      [0, 0.5, 12_345_678, 999_999_999.5],
      [-1, '1'],
    ],
    ['open numbers', { type: 'number', exclusiveMinimum: 0 }, [0.1, 7, 12.5], [0, -1]],
    ['multiples', { multipleOf: 7, minimum: 10, type: 'integer' }, [14, 21, 700], [7, 15, 701]],
    ['lengths', { type: 'string', minLength: 2, maxLength: 3 }, ['ab', '漢字x', '\n"'], ['a', 'abcd']],
    ['patterns', { type: 'string', pattern: 'b"' }, ['b"', 'ab"c'], ['b', 'ab']],
    [
      'references by the name of the document',
      {
        $id: 'https://example.com/a',
        $ref: 'https://example.com/a#/components/schemas/secret',
        components: { schemas: { secret: { type: 'string', format: 'password', maxLength: 2 } } },
      },
      ['', 'ab'],
      ['abc', 1],
    ],
    [
      'tuples as older drafts write them',
      {
        type: 'array',
        items: [{ type: 'integer' }, { type: 'string' }],
        additionalItems: { type: 'null' },
        minItems: 2,
      },
      [
        [1, 'x'],
        [1, 'x', null],
      ],
      [[1], ['x', 1], [1, 'x', 2]],
    ],
    [
      'patterns of names over which an engine of regular expressions would sit for ever',
      {
        type: 'object',
        properties: { [`${'a'.repeat(40)}!`]: { type: 'null' } },
        patternProperties: { '^(a+)+$': { type: 'integer' } },
        additionalProperties: false,
      },
      [{}, { [`${'a'.repeat(40)}!`]: null }, { aa: 1 }],
      [{ b: 1 }, { aa: null }],
    ],
    [
      'tuples',
      { prefixItems: [{ type: 'integer' }, { type: 'string' }], items: false, minItems: 1, type: 'array' },
      [[1], [1, 'x']],
      [[], ['x'], [1, 'x', 2]],
    ],
    [
      'members',
      {
        type: 'object',
        properties: { a: { type: 'integer' } },
        required: ['a'],
        additionalProperties: { type: 'null' },
      },
      [{ a: 1 }, { a: 1, z: null }],
      [{}, { a: 'x' }, { a: 1, z: 2 }],
    ],
    [
      'pattern members',
      { type: 'object', patternProperties: { '^n_': { type: 'integer' } }, additionalProperties: false },
      [{}, { n_1: 5 }],
      [{ n_1: 'x' }, { m: 5 }],
    ],
    [
      'members of fifty patterns',
      {
        type: 'object',
        patternProperties: Object.fromEntries(
          Array.from({ length: 50 }, (_, i) => [`^k${i}_`, { type: i % 2 === 0 ? 'integer' : 'string' }]),
        ),
        additionalProperties: false,
      },
      [{}, { k0_: 1, k49_a: 'x' }, { k10_: 2, k1_: 'y' }],
      [{ k50_: 1 }, { k1_: 2 }, { k10_: 'y' }],
    ],
    [
      'counts',
      { type: 'object', additionalProperties: { type: 'integer' }, minProperties: 1, maxProperties: 2 },
      [{ a: 1 }, { a: 1, b: 2 }],
      [{}, { a: 1, b: 2, c: 3 }],
    ],
    ['names', { type: 'object', propertyNames: { pattern: '^[a-c]$' } }, [{ a: 1 }], [{ d: 1 }]],
    ['any type without a type', { minimum: 3 }, [3, 'x', null, [1]], [2]],
    [
      'all of several',
      {
        allOf: [
          { type: 'object', properties: { a: { type: 'integer' } } },
          { properties: { a: { minimum: 5 } }, required: ['a'] },
        ],
      },
      [{ a: 5 }],
      [{ a: 4 }, {}],
    ],
    [
      'enums with bounds',
      { enum: [1, 5, 'x', null], type: ['integer', 'null'], minimum: 2 },
      [5, null],
      [1, 'x'],
    ],
  ])('%s', (_, schema, valid, invalid) => {
    const grammar = compile(schema);
    for (const value of valid)
      expect([value, matches(grammar, JSON.stringify(value))]).toEqual([value, true]);
    for (const value of invalid)
      expect([value, matches(grammar, JSON.stringify(value))]).toEqual([value, false]);
  });

  it('does not let a name be written in a second spelling', () => {
    const grammar = compile({ type: 'object', properties: { a: { type: 'integer' } } });
    expect([matches(grammar, '{"a":1}'), matches(grammar, String.raw`{"\u0061":"x"}`)]).toEqual([
      true,
      false,
    ]);
  });

  it.each<[string, unknown, RegExp]>([
    [
      'a keyword',
      { properties: { a: { type: 'array', contains: {} } } },
      /at #\/properties\/a\/contains: the keyword contains/,
    ],
    ['a negation', { not: {} }, /at #\/not: the keyword not/],
    ['a format', { type: 'string', format: 'iri' }, /at #\/format: the format "iri"/],
    [
      'a lookahead',
      { type: 'string', pattern: '(?:(?=a)b)*' },
      /A lookahead .* of the pattern at #\/pattern/,
    ],
    ['a backreference', { type: 'string', pattern: '(a)\\1' }, /A backreference/],
    [
      'a foreign reference',
      { $ref: 'https://example.com/x' },
      /at #\/\$ref: only references that start with #/,
    ],
    ['a reference to nothing', { $ref: '#/$defs/x' }, /nothing is at #\/\$defs\/x/],
    ['a circle of references', { $ref: '#' }, /leads back to itself without an end/],
    [
      'recursion without end',
      { type: 'object', properties: { a: { $ref: '#' } }, required: ['a'] },
      /'#' calls itself without an end/,
    ],
    [
      'types that exclude each other',
      { allOf: [{ type: 'string' }, { type: 'null' }] },
      /no text matches it/,
    ],
    [
      'a pattern that no length fits',
      { type: 'string', pattern: '^a{5}$', maxLength: 4 },
      /cannot be satisfied/,
    ],
    [
      'patterns that exclude each other',
      { allOf: [{ pattern: '^a' }, { pattern: '^b' }], type: 'string' },
      /cannot be satisfied/,
    ],
    [
      'branches that may both hold',
      { oneOf: [{ type: 'integer' }, { type: 'number' }] },
      /branches 0 and 1 at once/,
    ],
    [
      'fractions of multiples',
      { type: 'number', multipleOf: 0.01 },
      /multipleOf is a whole number from 1 to 1000/,
    ],
    ['a wrong type', { type: 'text' }, /type is one or several of/],
    ['a wrong bound', { minLength: -1, type: 'string' }, /minLength is a whole number/],
    ['no schema', 3, /a schema is an object, true or false/],
    [
      'too many values',
      { enum: Array.from({ length: 100_000 }, (_, i) => i) },
      /100000 values, and 10000 are possible|has \d+ characters/,
    ],
    ['a megabyte', { description: 'x'.repeat(1 << 20) }, /has 1048\d+ characters, and 400000 are possible/],
    [
      'deep nesting',
      Array.from({ length: 400 }).reduce<unknown>((items) => ({ type: 'array', items }), {}),
      /nests more than 200 schemas/,
    ],
  ])('refuses %s', (_, schema, message) => {
    expect(() => compile(schema)).toThrow(message);
  });
});
