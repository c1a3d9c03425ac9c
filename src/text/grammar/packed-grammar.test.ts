import { expect, it } from 'vitest';
import { compileConstraint } from './compile-constraint.js';
import { packGrammar, unpackGrammar } from './packed-grammar.js';
import { CASE_SCHEMAS } from './testing/case-schemas.js';

it('gives back the grammar that was packed', () => {
  const grammars = [
    ...CASE_SCHEMAS.slice(0, 120).map((schema) => compileConstraint({ type: 'json_schema', schema })),
    compileConstraint({ type: 'regex', pattern: '(?!ab)[a-c]{2,}é?' }),
    compileConstraint({ type: 'grammar', grammar: 'root ::= "{" (root | [^}"]{0,4}) "}"' }),
  ];
  const types = new Set(grammars.flatMap(({ nodes }) => nodes.map(({ type }) => type)));
  expect(types.size).toBe(9);
  for (const grammar of grammars)
    expect(unpackGrammar(structuredClone(packGrammar(grammar)))).toEqual(grammar);
});
