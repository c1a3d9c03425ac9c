import type { AST } from '@eslint-community/regexpp';
import { ALL_CHARACTERS, type CodePoints, codePoints, complement, union } from '../code-points.js';
import type { GrammarBuilder, NodeId } from '../grammar-builder.js';
import { constraintError } from '../limits.js';
import { namedSet, type SetFlags, withBothCases } from './character-sets.js';
import { parsePattern } from './parse-pattern.js';

export interface RegexOptions extends Partial<SetFlags> {
  /** Words that name the pattern in messages: `regex`, or a place in a schema. */
  readonly where: string;
  /** True if the pattern may match a part of the text; otherwise it matches from end to end. */
  readonly isSearch: boolean;
  /** The node of one character of a set, as it is written in the text. */
  readonly characters: (set: CodePoints) => NodeId;
}

/**
 * The texts that a regular expression matches.
 * @throws {AloftError} REQUEST_INVALID for what no finite automaton can match, for lookbehind, word boundaries, and lookahead inside a group
 */
export function regexNode(builder: GrammarBuilder, pattern: string, options: RegexOptions): NodeId {
  return new RegexCompiler(builder, options).compile(parsePattern(pattern, options.where));
}

class RegexCompiler {
  readonly #builder: GrammarBuilder;
  readonly #options: RegexOptions;
  readonly #flags: SetFlags;
  readonly #sets = new Map<string, CodePoints>();

  constructor(builder: GrammarBuilder, options: RegexOptions) {
    const { ignoresCase = false, dotMatchesAll = false } = options;
    this.#builder = builder;
    this.#options = options;
    this.#flags = { ignoresCase, dotMatchesAll };
  }

  compile(pattern: AST.Pattern): NodeId {
    const alternatives = pattern.alternatives.flatMap(({ elements }) => edgeForms(elements));
    return this.#builder.choice(...alternatives.map((elements) => this.#whole(elements)));
  }

  /** An alternative of the whole pattern, with what may stand around it. */
  #whole(elements: readonly AST.Element[]): NodeId {
    let start = 0;
    let end = elements.length;
    while (start < end && isEdge(elements[start], 'start')) start++;
    while (end > start && isEdge(elements[end - 1], 'end')) end--;
    const { isSearch } = this.#options;
    const ending = isSearch && end === elements.length ? this.#anything : this.#builder.empty;
    return this.#builder.sequence(
      isSearch && start === 0 ? this.#anything : this.#builder.empty,
      this.#upToEnd(elements.slice(start, end), ending),
    );
  }

  get #anything(): NodeId {
    return this.#builder.repeat(this.#options.characters(ALL_CHARACTERS), 0, Infinity);
  }

  /** Elements and all that comes behind them; a lookahead among them is a second form of the rest. */
  #upToEnd(elements: readonly AST.Element[], ending: NodeId): NodeId {
    const index = elements.findIndex(isLookahead);
    const ahead = elements[index];
    if (ahead === undefined || !isLookahead(ahead))
      return this.#builder.sequence(this.#sequence(elements), ending);
    const rest = this.#upToEnd(elements.slice(index + 1), ending);
    const form = this.#builder.choice(...ahead.alternatives.map((one) => this.#beginning(one.elements)));
    return this.#builder.sequence(
      this.#sequence(elements.slice(0, index)),
      ahead.negate ? this.#builder.without(rest, form) : this.#builder.both(rest, form),
    );
  }

  /** Texts that begin with the elements; those that are them, if an end follows. */
  #beginning(elements: readonly AST.Element[]): NodeId {
    const endsText = isEdge(elements.at(-1), 'end');
    return this.#builder.sequence(
      this.#sequence(endsText ? elements.slice(0, -1) : elements),
      endsText ? this.#builder.empty : this.#anything,
    );
  }

  #sequence(elements: readonly AST.Element[]): NodeId {
    return this.#builder.sequence(...elements.map((element) => this.#element(element)));
  }

  #element(element: AST.Element): NodeId {
    switch (element.type) {
      case 'Character':
        return this.#set([element.value, element.value]);
      case 'CharacterSet':
        return this.#set(this.#named(element));
      case 'CharacterClass':
        return this.#set(this.#classOf(element));
      case 'Group':
        if (element.modifiers !== null) throw this.#refusal('Modifiers of a group', element);
        return this.#alternatives(element.alternatives);
      case 'CapturingGroup':
        return this.#alternatives(element.alternatives);
      case 'Quantifier':
        if (element.element.type === 'Assertion') throw this.#refusal('A repeated assertion', element);
        return this.#builder.repeat(this.#element(element.element), element.min, element.max);
      case 'Backreference':
        throw this.#refusal('A backreference', element);
      case 'Assertion':
        throw this.#refusal(ASSERTIONS[element.kind], element);
      default:
        throw this.#refusal('A set of strings', element);
    }
  }

  #alternatives(alternatives: readonly AST.Alternative[]): NodeId {
    return this.#builder.choice(...alternatives.map(({ elements }) => this.#sequence(elements)));
  }

  #classOf({ elements, negate }: AST.CharacterClass): CodePoints {
    const set = union(
      ...elements.map((element) => {
        if (element.type === 'Character') return [element.value, element.value];
        if (element.type === 'CharacterClassRange') return [element.min.value, element.max.value];
        if (element.type === 'CharacterSet') return this.#named(element);
        throw this.#refusal('A set of sets', element);
      }),
    );
    return negate ? complement(this.#cased(set)) : set;
  }

  #named(element: AST.CharacterSet): CodePoints {
    let set = this.#sets.get(element.raw);
    if (set === undefined) this.#sets.set(element.raw, (set = namedSet(element, this.#flags)));
    return set;
  }

  #set(set: CodePoints): NodeId {
    const clean = codePoints(set.length === 2 ? [[set[0]!, set[1]!]] : []);
    return this.#options.characters(this.#cased(set.length === 2 ? clean : set));
  }

  #cased(set: CodePoints): CodePoints {
    return this.#flags.ignoresCase ? withBothCases(set) : set;
  }

  #refusal(what: string, { raw, start }: AST.Node) {
    return constraintError(
      `${what} (${raw} at character ${start}) of the ${this.#options.where} is not supported; write the pattern without it.`,
    );
  }
}

const ASSERTIONS: Readonly<Record<AST.Assertion['kind'], string>> = {
  start: 'A start ^ elsewhere than at the start',
  end: 'An end $ elsewhere than at the end',
  word: 'A word boundary',
  lookahead: 'A lookahead inside a group',
  lookbehind: 'A lookbehind',
};

function isEdge(element: AST.Element | undefined, kind: 'start' | 'end'): boolean {
  return element?.type === 'Assertion' && element.kind === kind;
}

function isLookahead(element: AST.Element): element is AST.LookaheadAssertion {
  return element.type === 'Assertion' && element.kind === 'lookahead';
}

/** Alternatives that differ in `^` and `$` at their edges: groups there that hold any are taken apart. */
function edgeForms(elements: readonly AST.Element[]): readonly (readonly AST.Element[])[] {
  for (const index of new Set([0, elements.length - 1])) {
    const group = elements[index];
    const isGroup = group?.type === 'CapturingGroup' || (group?.type === 'Group' && group.modifiers === null);
    if (!isGroup || !/[$^]/.test(group.raw.replaceAll(/\\.|\[\^?(?:\\.|[^\]])*\]/gs, ''))) continue;
    return group.alternatives.flatMap((alternative) =>
      edgeForms([...elements.slice(0, index), ...alternative.elements, ...elements.slice(index + 1)]),
    );
  }
  return [elements];
}
