import { codePoints, complement } from '../code-points.js';
import type { Grammar } from '../../../core/constraint.js';
import { GrammarBuilder, type NodeId } from '../grammar-builder.js';
import { constraintError, GRAMMAR_LIMITS } from '../limits.js';
import { regexNode } from '../regex/regex-node.js';
import { withBothCases } from '../regex/character-sets.js';
import { COMMON_TERMINALS } from './common-terminals.js';
import { type EbnfToken, ebnfTokens, isGbnf } from './tokens.js';
import { unescapeEbnf } from './unescape.js';

interface Rule {
  readonly rule: number;
  readonly node: NodeId;
  definedAt: number | undefined;
  readonly usedAt: number;
}

/**
 * Parses a context-free grammar in GBNF (`root ::= ...`) or in Lark's notation (`start: ...`). Of Lark, what both have:
 * rules and terminals, strings and ranges of characters, regular expressions, groups, repetition, imports of its common terminals, and
 * aliases, which say nothing about texts; no templates, other imports or ignored tokens.
 * @throws {AloftError} REQUEST_INVALID naming line or rule
 */
export function parseGrammar(source: string): Grammar {
  return new GrammarParser(source).parse();
}

class GrammarParser {
  readonly #builder = new GrammarBuilder();
  readonly #tokens: readonly EbnfToken[];
  readonly #isGbnf: boolean;
  readonly #rules = new Map<string, Rule>();
  #at = 0;
  #depth = 0;

  constructor(source: string) {
    this.#tokens = ebnfTokens(source);
    this.#isGbnf = isGbnf(source);
  }

  parse(): Grammar {
    while (this.#next.type !== 'end') this.#rule();
    for (const [name, { definedAt, usedAt }] of this.#rules)
      if (definedAt === undefined)
        throw constraintError(`Line ${usedAt} of the grammar uses the rule '${name}', which is not defined.`);
    const root = this.#isGbnf ? 'root' : 'start';
    const rule = this.#rules.get(root);
    if (rule === undefined)
      throw constraintError(`The grammar has no rule '${root}', with which an answer begins; add it.`);
    return this.#builder.build(rule.node);
  }

  get #next(): EbnfToken {
    return this.#tokens[this.#at]!;
  }

  get #definition(): string {
    return this.#isGbnf ? '::=' : ':';
  }

  #isSign(text: string): boolean {
    return this.#next.type === 'sign' && this.#next.text === text;
  }

  #take(text: string): boolean {
    if (!this.#isSign(text)) return false;
    this.#at++;
    return true;
  }

  #fault(sentence: string, { line } = this.#next) {
    return constraintError(`Line ${line} of the grammar: ${sentence}`);
  }

  #rule(): void {
    const token = this.#next;
    if (token.type === 'directive') return this.#import(token);
    if (token.type !== 'name')
      throw this.#fault(`a rule begins with its name, not with ${JSON.stringify(token.text)}.`);
    this.#at++;
    const name = plainName(token.text);
    if (this.#next.text.startsWith('{')) throw this.#fault('templates are not supported.');
    if (!this.#take(this.#definition))
      throw this.#fault(`'${this.#definition}' is missing behind the name '${name}'.`);
    const rule = this.#definedRule(name, token);
    this.#builder.define(rule.rule, this.#choice());
  }

  #definedRule(name: string, token: EbnfToken): Rule {
    const rule = this.#ruleOf(name, token.line);
    if (rule.definedAt !== undefined)
      throw this.#fault(`the rule '${name}' is defined twice, first in line ${rule.definedAt}.`, token);
    rule.definedAt = token.line;
    return rule;
  }

  /** Imports of Lark's own terminals: `%import common.INT`, `%import common.INT -> NUMBER`, `%import common (INT, WS)`. */
  #import(token: EbnfToken): void {
    this.#at++;
    const [, one, alias, several] = IMPORT.exec(token.text) ?? [];
    if (one === undefined && several === undefined)
      throw this.#fault(`${token.text.split(/\s/)[0]} is not supported here; write the rule out.`, token);
    const names = one === undefined ? several!.split(',').map((name) => name.trim()) : [one];
    for (const name of names) {
      const pattern = COMMON_TERMINALS.get(name);
      if (pattern === undefined)
        throw this.#fault(`common.${name} is not known; write the terminal out.`, token);
      const options = { where: `terminal common.${name}`, isSearch: false } as const;
      const characters = (set: readonly number[]) => this.#builder.characters(set);
      const rule = this.#definedRule(alias ?? name, token);
      this.#builder.define(rule.rule, regexNode(this.#builder, pattern, { ...options, characters }));
    }
  }

  #ruleOf(name: string, usedAt: number): Rule {
    let rule = this.#rules.get(name);
    if (rule === undefined)
      this.#rules.set(name, (rule = { ...this.#builder.declare(name), definedAt: undefined, usedAt }));
    return rule;
  }

  #choice(): NodeId {
    if (++this.#depth > GRAMMAR_LIMITS.depth)
      throw this.#fault(`more than ${GRAMMAR_LIMITS.depth} groups are nested; simplify it.`);
    const ways = [this.#sequence()];
    while (this.#take('|')) ways.push(this.#sequence());
    this.#depth--;
    return this.#builder.choice(...ways);
  }

  #sequence(): NodeId {
    const parts: NodeId[] = [];
    for (;;) {
      if (!this.#isGbnf && this.#take('->')) return this.#alias(parts);
      const part = this.#startsRule() ? undefined : this.#part();
      if (part === undefined) return this.#builder.sequence(...parts);
      parts.push(this.#repeated(part));
    }
  }

  /** The name of an alternative, which matters to Lark's trees alone. */
  #alias(parts: readonly NodeId[]): NodeId {
    if (this.#next.type !== 'name') throw this.#fault(`a name is missing behind '->'.`);
    this.#at++;
    return this.#builder.sequence(...parts);
  }

  /** Whether the next token is the name of a rule that is defined here. */
  #startsRule(): boolean {
    const following = this.#tokens[this.#at + 1];
    return this.#next.type === 'name' && following?.type === 'sign' && following.text === this.#definition;
  }

  #part(): NodeId | undefined {
    const token = this.#next;
    if (this.#isSign('(') || this.#isSign('[')) return this.#group();
    if (this.#isGbnf && this.#isSign('.')) {
      this.#at++;
      return this.#builder.characters(complement([]));
    }
    if (!['name', 'string', 'class', 'regex'].includes(token.type)) return undefined;
    this.#at++;
    switch (token.type) {
      case 'name':
        return this.#ruleOf(plainName(token.text), token.line).node;
      case 'string':
        return !this.#isGbnf && this.#take('..') ? this.#range(token) : this.#string(token);
      case 'class':
        return this.#class(token);
      default:
        return this.#regex(token);
    }
  }

  #group(): NodeId {
    const isOptional = this.#next.text === '[';
    this.#at++;
    const node = this.#choice();
    if (!this.#take(isOptional ? ']' : ')'))
      throw this.#fault(`the group is not closed before ${JSON.stringify(this.#next.text)}.`);
    return isOptional ? this.#builder.optional(node) : node;
  }

  /** One character between two: `"a".."z"`. */
  #range(first: EbnfToken): NodeId {
    const last = this.#next;
    const points = [first, last].map(({ type, text }) => {
      const [character, ...others] = type === 'string' ? unescapeEbnf(text.slice(1, -1)) : '';
      return others.length === 0 ? character?.codePointAt(0) : undefined;
    });
    const [from, to] = points;
    if (from === undefined || to === undefined || from > to)
      throw this.#fault(
        `the range ${first.text}..${last.text} is not one from a character to a later one.`,
        first,
      );
    this.#at++;
    return this.#builder.characters(codePoints([[from, to]]));
  }

  #repeated(part: NodeId): NodeId {
    const builder = this.#builder;
    let node = part;
    for (;;) {
      if (this.#take('*')) node = builder.repeat(node, 0, Infinity);
      else if (this.#take('+')) node = builder.repeat(node, 1, Infinity);
      else if (this.#take('?')) node = builder.optional(node);
      else if (this.#next.type === 'bounds') node = this.#bounded(node, this.#tokens[this.#at++]!);
      else return node;
    }
  }

  #bounded(node: NodeId, token: EbnfToken): NodeId {
    const [first = '', second] = token.text.replaceAll(/[{}~\s]/g, '').split(/,|\.\./);
    const min = Number(first);
    const max = second === undefined ? min : second === '' ? undefined : Number(second);
    if (max !== undefined && max < min)
      throw this.#fault(`the bounds ${token.text} are the wrong way round.`, token);
    return this.#builder.repeat(node, min, max ?? Infinity);
  }

  #string(token: EbnfToken): NodeId {
    const ignoresCase = token.text.endsWith('i');
    const text = unescapeEbnf(token.text.slice(1, ignoresCase ? -2 : -1));
    if (!ignoresCase) return this.#builder.text(text);
    const letters = Array.from(text, (character) => {
      const point = character.codePointAt(0)!;
      return this.#builder.characters(withBothCases([point, point]));
    });
    return this.#builder.sequence(...letters);
  }

  #class(token: EbnfToken): NodeId {
    const isNegated = token.text.startsWith('[^');
    const characters = Array.from(classCharacters(token.text.slice(isNegated ? 2 : 1, -1)));
    const ranges: [number, number][] = [];
    for (let i = 0; i < characters.length; i++) {
      const { point } = characters[i]!;
      const last = characters[i + 2];
      if (characters[i + 1]?.isDash && last !== undefined) {
        if (last.point < point)
          throw this.#fault(`the class ${token.text} has a range the wrong way round.`, token);
        ranges.push([point, last.point]);
        i += 2;
      } else ranges.push([point, point]);
    }
    const set = codePoints(ranges);
    return this.#builder.characters(isNegated ? complement(set) : set);
  }

  #regex(token: EbnfToken): NodeId {
    const end = token.text.lastIndexOf('/');
    const flags = token.text.slice(end + 1);
    const unknown = Array.from(flags).find((flag) => !'isu'.includes(flag));
    if (unknown !== undefined)
      throw this.#fault(`the flag '${unknown}' of a regular expression is not supported.`, token);
    return regexNode(this.#builder, token.text.slice(1, end).replaceAll(String.raw`\/`, '/'), {
      where: `regular expression in line ${token.line} of the grammar`,
      isSearch: false,
      ignoresCase: flags.includes('i'),
      dotMatchesAll: flags.includes('s'),
      characters: (set) => this.#builder.characters(set),
    });
  }
}

const IMPORT = /^%import\s+common\s*(?:\.\s*(\w+)\s*(?:->\s*(\w+)\s*)?|\(([\w\s,]+)\)\s*)(?:\/\/.*)?$/;

/** Lark marks rules with `?` and `!`, which matter to its trees alone. */
const plainName = (text: string): string => text.replace(/^[?!]+/, '');

function* classCharacters(source: string): Iterable<{ readonly point: number; readonly isDash: boolean }> {
  for (const [text] of source.matchAll(/\\x[0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\U[0-9a-fA-F]{8}|\\.|./gsu)) {
    yield { point: unescapeEbnf(text).codePointAt(0)!, isDash: text === '-' };
  }
}
