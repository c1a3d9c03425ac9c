/** Grammars as two arrays: a grammar of 200,000 nodes goes from thread to thread without being copied node by node. */
import type { Grammar, GrammarNode, PackedGrammar } from '../../core/constraint.js';

const TYPES = ['empty', 'text', 'characters', 'sequence', 'choice', 'repeat', 'rule', 'both', 'not'] as const;
const TYPE_CODES = new Map(TYPES.map((type, code) => [type, code]));
/** Stands for a bound that is infinite. */
const NO_BOUND = -1;

export function packGrammar({ nodes, rules, root }: Grammar): PackedGrammar {
  const texts = new TextList();
  const codes: number[] = [root, rules.length];
  for (const { name, node } of rules) codes.push(texts.add(name), node);
  for (const node of nodes) packNode(node, codes, texts);
  const shared = new Int32Array(new SharedArrayBuffer(4 * codes.length));
  shared.set(codes);
  return { nodeCount: nodes.length, codes: shared, texts: texts.all };
}

export function unpackGrammar({ nodeCount, codes, texts }: PackedGrammar): Grammar {
  const reader = new CodeReader(codes);
  const root = reader.next();
  const rules = Array.from({ length: reader.next() }, () => ({
    name: texts[reader.next()]!,
    node: reader.next(),
  }));
  return { nodes: Array.from({ length: nodeCount }, () => unpackNode(reader, texts)), rules, root };
}

function packNode(node: GrammarNode, codes: number[], texts: TextList): void {
  codes.push(TYPE_CODES.get(node.type)!);
  switch (node.type) {
    case 'empty':
      break;
    case 'text':
      codes.push(texts.add(node.text));
      break;
    case 'characters':
      pushList(codes, node.ranges);
      break;
    case 'repeat':
      codes.push(node.part, node.min, node.max === Infinity ? NO_BOUND : node.max);
      break;
    case 'rule':
      codes.push(node.rule);
      break;
    case 'not':
      codes.push(node.part);
      break;
    case 'sequence':
    case 'choice':
    case 'both':
      pushList(codes, node.parts);
  }
}

function pushList(codes: number[], list: readonly number[]): void {
  codes.push(list.length);
  for (const item of list) codes.push(item);
}

function unpackNode(reader: CodeReader, texts: readonly string[]): GrammarNode {
  const type = TYPES[reader.next()]!;
  switch (type) {
    case 'empty':
      return { type };
    case 'text':
      return { type, text: texts[reader.next()]! };
    case 'characters':
      return { type, ranges: reader.list() };
    case 'repeat': {
      const [part, min, max] = [reader.next(), reader.next(), reader.next()];
      return { type, part, min, max: max === NO_BOUND ? Infinity : max };
    }
    case 'rule':
      return { type, rule: reader.next() };
    case 'not':
      return { type, part: reader.next() };
    case 'sequence':
    case 'choice':
    case 'both':
      return { type, parts: reader.list() };
  }
}

class CodeReader {
  readonly #codes: Int32Array;
  #at = 0;

  constructor(codes: Int32Array) {
    this.#codes = codes;
  }

  next(): number {
    return this.#codes[this.#at++]!;
  }

  list(): number[] {
    const length = this.next();
    const start = this.#at;
    this.#at += length;
    return Array.from(this.#codes.subarray(start, this.#at));
  }
}

/** Texts, each once. */
class TextList {
  readonly all: string[] = [];
  readonly #ids = new Map<string, number>();

  add(text: string): number {
    let id = this.#ids.get(text);
    if (id === undefined) this.#ids.set(text, (id = this.all.push(text) - 1));
    return id;
  }
}
