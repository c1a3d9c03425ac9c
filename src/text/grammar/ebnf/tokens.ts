import { checkSourceLength, constraintError } from '../limits.js';

/** A piece of a grammar's source. */
export interface EbnfToken {
  readonly type: 'name' | 'string' | 'class' | 'regex' | 'sign' | 'bounds' | 'directive' | 'end';
  readonly text: string;
  readonly line: number;
}

/** Signs, longest first. */
const PATTERNS: readonly (readonly [EbnfToken['type'], RegExp])[] = [
  ['directive', /%[a-zA-Z]+[^\n]*/y],
  ['name', /[A-Za-z_][A-Za-z0-9_-]*/y],
  ['string', /"(?:\\.|[^"\\\n])*"i?/y],
  ['class', /\[\^?(?:\\.|[^\]\\\n])*\]/y],
  ['regex', /\/(?![/*])(?:\\.|[^/\\\n])+\/[a-z]*/y],
  ['bounds', /\{\s*(?:\d+\s*(?:,\s*\d*\s*)?|,\s*\d+\s*)\}|~\s*\d+(?:\s*\.\.\s*\d+)?/y],
  ['sign', /::=|\.\.|->|[:|()[\]*+?.]/y],
];
/** Lark's marks before the name of a rule that is defined. */
const MARKED_NAME = /[?!]+[A-Za-z_][A-Za-z0-9_]*/y;
const GAP = /(?:[ \t\r]+|\n|#[^\n]*|\/\/[^\n]*)/y;

/** Whether a grammar is written in GBNF; in Lark's notation otherwise. */
export const isGbnf = (source: string): boolean => /^[ \t]*[A-Za-z_][\w-]*\s*::=/m.test(source);

/** Cuts a grammar into tokens. @throws {AloftError} REQUEST_INVALID naming the line */
export function ebnfTokens(source: string): readonly EbnfToken[] {
  checkSourceLength('grammar', source);
  // In Lark's notation brackets hold an optional group, in GBNF a class of characters.
  const known = isGbnf(source) ? PATTERNS : PATTERNS.filter(([type]) => type !== 'class');
  const tokens: EbnfToken[] = [];
  let [at, line, lastLine] = [0, 1, 0];
  while (at < source.length) {
    GAP.lastIndex = at;
    const gap = GAP.exec(source)?.[0];
    if (gap !== undefined) {
      at += gap.length;
      if (gap === '\n') line++;
      continue;
    }
    const patterns = line === lastLine ? known : [['name', MARKED_NAME] as const, ...known];
    const found = patterns
      .map(([type, pattern]) => {
        pattern.lastIndex = at;
        return { type, text: pattern.exec(source)?.[0] };
      })
      .find(({ text }) => text !== undefined);
    if (found?.text === undefined)
      throw constraintError(
        `Line ${line} of the grammar is not understood from ${JSON.stringify(source.slice(at, at + 20))} on.`,
      );
    tokens.push({ type: found.type, text: found.text, line });
    at += found.text.length;
    lastLine = line;
  }
  return [...tokens, { type: 'end', text: '', line }];
}
