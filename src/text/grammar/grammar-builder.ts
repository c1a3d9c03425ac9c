import type { Grammar, GrammarNode } from '../../core/constraint.js';
import type { CodePoints } from './code-points.js';
import { constraintError, GRAMMAR_LIMITS } from './limits.js';

/** Number of a node. */
export type NodeId = number;

/** A node that is text. */
export type GrammarLeaf = Extract<GrammarNode, { readonly type: 'text' | 'characters' }>;

/** Makes the nodes of a grammar. Equal nodes are one, and simple ones are simplified. */
export class GrammarBuilder {
  readonly empty: NodeId;
  /** Matches nothing. */
  readonly nothing: NodeId;
  readonly #nodes: GrammarNode[] = [];
  readonly #rules: { name: string; node: NodeId }[] = [];
  readonly #known = new Map<string, NodeId>();

  constructor() {
    this.empty = this.#node({ type: 'empty' });
    this.nothing = this.#node({ type: 'choice', parts: [] });
  }

  text(text: string): NodeId {
    return text === '' ? this.empty : this.#node({ type: 'text', text });
  }

  characters(ranges: CodePoints): NodeId {
    return ranges.length === 0 ? this.nothing : this.#node({ type: 'characters', ranges });
  }

  sequence(...parts: readonly NodeId[]): NodeId {
    const kept = parts.filter((part) => part !== this.empty);
    if (kept.includes(this.nothing)) return this.nothing;
    if (kept.length === 0) return this.empty;
    return kept.length === 1 ? kept[0]! : this.#node({ type: 'sequence', parts: kept });
  }

  choice(...parts: readonly NodeId[]): NodeId {
    const kept = [...new Set(parts)].filter((part) => part !== this.nothing);
    if (kept.length === 0) return this.nothing;
    return kept.length === 1 ? kept[0]! : this.#node({ type: 'choice', parts: kept });
  }

  /** @throws {AloftError} REQUEST_INVALID when a bound is too large */
  repeat(part: NodeId, min: number, max: number): NodeId {
    const bound = Math.max(min, Number.isFinite(max) ? max : 0);
    if (bound > GRAMMAR_LIMITS.repetitions)
      throw constraintError(
        `A repetition of ${bound} times is too large; at most ${GRAMMAR_LIMITS.repetitions} are possible.`,
      );
    if (min > max || (part === this.nothing && min > 0)) return this.nothing;
    if (max === 0 || part === this.empty || part === this.nothing) return this.empty;
    return min === 1 && max === 1 ? part : this.#node({ type: 'repeat', part, min, max });
  }

  optional(part: NodeId): NodeId {
    return this.choice(this.empty, part);
  }

  both(...parts: readonly NodeId[]): NodeId {
    const kept = [...new Set(parts)];
    if (kept.includes(this.nothing)) return this.nothing;
    return kept.length === 1 ? kept[0]! : this.#node({ type: 'both', parts: kept });
  }

  /** Texts of `part` that `excluded` does not match. */
  without(part: NodeId, excluded: NodeId): NodeId {
    if (excluded === this.nothing) return part;
    return this.both(part, this.#node({ type: 'not', part: excluded }));
  }

  /** Any of these texts, sharing their beginnings. */
  texts(texts: Iterable<string>): NodeId {
    return this.#sharedTexts([...new Set(texts)].toSorted(), 0);
  }

  /** A rule whose node is given later by {@link define}. */
  declare(name: string): { readonly rule: number; readonly node: NodeId } {
    if (this.#rules.length >= GRAMMAR_LIMITS.rules)
      throw constraintError(
        `The constraint needs more than ${GRAMMAR_LIMITS.rules} rules; use a smaller one.`,
      );
    const rule = this.#rules.push({ name, node: this.nothing }) - 1;
    return { rule, node: this.#node({ type: 'rule', rule }) };
  }

  define(rule: number, node: NodeId): void {
    this.#rules[rule]!.node = node;
  }

  /**
   * Copies another grammar.
   * @param leaf makes the nodes of texts and characters
   * @returns its root
   */
  include({ nodes, rules, root }: Grammar, leaf = (node: GrammarLeaf): NodeId => this.#node(node)): NodeId {
    const declared = rules.map(({ name }) => this.declare(name));
    const copies: NodeId[] = [];
    const of = (part: NodeId): NodeId => copies[part]!;
    for (const node of nodes) {
      if ('parts' in node) copies.push(this.#node({ ...node, parts: node.parts.map(of) }));
      else if ('part' in node) copies.push(this.#node({ ...node, part: of(node.part) }));
      else if (node.type === 'rule') copies.push(declared[node.rule]!.node);
      else copies.push(node.type === 'empty' ? this.empty : leaf(node));
    }
    for (const [i, { rule }] of declared.entries()) this.define(rule, of(rules[i]!.node));
    return of(root);
  }

  build(root: NodeId): Grammar {
    return { nodes: this.#nodes, rules: this.#rules, root };
  }

  /** @param texts sorted, without repetition, equal in the first `from` UTF-16 units */
  #sharedTexts(texts: readonly string[], from: number): NodeId {
    if (texts.length === 0) return this.nothing;
    if (texts.length === 1) return this.text(texts[0]!.slice(from));
    const last = texts.at(-1)!;
    let shared = from;
    while (shared < texts[0]!.length && texts[0]![shared] === last[shared]) shared++;
    // A cut between the halves of a surrogate pair would leave half characters.
    if (shared > from && isHighSurrogate(last.charCodeAt(shared - 1))) shared--;
    const branches: NodeId[] = [];
    let start = 0;
    for (let i = 1; i <= texts.length; i++) {
      const first = texts[start]!;
      if (
        i < texts.length &&
        first.length > shared &&
        characterAt(texts[i]!, shared) === characterAt(first, shared)
      )
        continue;
      const group = texts.slice(start, i);
      branches.push(group.length === 1 ? this.text(first.slice(shared)) : this.#sharedTexts(group, shared));
      start = i;
    }
    return this.sequence(this.text(last.slice(from, shared)), this.choice(...branches));
  }

  #node(node: GrammarNode): NodeId {
    const key = keyOf(node);
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    if (this.#nodes.length >= GRAMMAR_LIMITS.nodes)
      throw constraintError(
        `The constraint needs more than ${GRAMMAR_LIMITS.nodes} nodes; use a smaller one.`,
      );
    const id = this.#nodes.push(node) - 1;
    this.#known.set(key, id);
    return id;
  }
}

/** Equal for equal nodes. */
function keyOf(node: GrammarNode): string {
  switch (node.type) {
    case 'empty':
      return 'empty';
    case 'text':
      return `text ${node.text}`;
    case 'characters':
      return `characters ${node.ranges.join()}`;
    case 'repeat':
      return `repeat ${node.part} ${node.min} ${node.max}`;
    case 'rule':
      return `rule ${node.rule}`;
    case 'not':
      return `not ${node.part}`;
    case 'sequence':
    case 'choice':
    case 'both':
      return `${node.type} ${node.parts.join()}`;
  }
}

const isHighSurrogate = (unit: number): boolean => unit >= 0xd800 && unit <= 0xdbff;
const characterAt = (text: string, index: number): number | undefined => text.codePointAt(index);
