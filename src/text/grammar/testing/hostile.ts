/** Constraints that must be refused at once, with the words that each refusal must have. */
import type { Constraint } from '../../../core/constraint.js';

const schema = (value: unknown): Constraint => ({ type: 'json_schema', schema: value });
const grammar = (text: string): Constraint => ({ type: 'grammar', grammar: text });
const letters = (count: number): string[] => Array.from({ length: count }, (_, i) => `value ${i}`);
const ENDLESS = {
  $defs: { node: { type: 'object', properties: { next: { $ref: '#/$defs/node' } }, required: ['next'] } },
  $ref: '#/$defs/node',
};
/** Each of these alone is small; texts that match all must remember a part of all. */
const TANGLED = Array.from({ length: 12 }, (_, i) => ({ pattern: `a.{${40 + i}}b.{${30 + i}}c` }));

export const HOSTILE: readonly (readonly [name: string, constraint: Constraint, message: RegExp])[] = [
  [
    'an unsupported keyword',
    schema({ properties: { a: { type: 'array', contains: {} } } }),
    /#\/properties\/a\/contains: the keyword contains/,
  ],
  [
    'bounds without a number between',
    schema({ type: 'integer', minimum: 5, maximum: 3 }),
    /cannot be satisfied/,
  ],
  ['two constants at once', schema({ allOf: [{ const: 1 }, { const: 2 }] }), /cannot be satisfied/],
  [
    'patterns without a common text',
    schema({ type: 'string', allOf: [{ pattern: '^a+$' }, { pattern: '^b+$' }] }),
    /cannot be satisfied/,
  ],
  [
    'patterns with too many states in common',
    schema({ type: 'string', allOf: TANGLED, maxLength: 100 }),
    /too large or too ambiguous|cannot be satisfied/,
  ],
  ['a reference to itself', schema({ $ref: '#' }), /leads back to itself/],
  ['recursion without an end', schema(ENDLESS), /calls itself without an end/],
  [
    'an enum of 100,000 strings',
    schema({ enum: letters(100_000) }),
    /characters, and .* are possible|100000 values/,
  ],
  [
    'a schema of 1 MB',
    schema({ type: 'string', description: 'x'.repeat(1_000_000) }),
    /characters, and .* are possible/,
  ],
  [
    'a schema of 1,000 levels',
    schema(JSON.parse('{"items":'.repeat(1000) + '{}' + '}'.repeat(1000))),
    /nests? more than|more than 64 levels/,
  ],
  ['a backreference', { type: 'regex', pattern: '(a)\\1' }, /A backreference/],
  [
    'a repetition of a billion',
    { type: 'regex', pattern: 'a{1000000000}' },
    /repetition of 1000000000 times/,
  ],
  ['left recursion', grammar('root ::= root "a" | "b"'), /left-recursive/],
  ['an undefined rule', grammar('root ::= missing'), /uses the rule 'missing'/],
  ['a rule without an end', grammar('root ::= "(" root ")"'), /calls itself without an end/],
  [
    'a choice of 100,000 texts',
    { type: 'choice', choices: letters(100_000) },
    /characters, and .* are possible|100000 texts/,
  ],
];
