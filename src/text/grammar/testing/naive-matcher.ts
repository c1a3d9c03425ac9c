/**
 * A matcher of grammars for tests, byte by byte and as simple as it can be: it keeps every way in which a text can have
 * been read, each as a list of what must still come. It shares no code with the automaton.
 */
import type { Grammar } from '../../../core/constraint.js';

/** What must come next, then the rest. */
interface Way {
  readonly id: number;
  readonly item: Item;
  readonly rest: Way | undefined;
}

type Item =
  | { readonly kind: 'node'; readonly id: number }
  | { readonly kind: 'again'; readonly id: number; readonly count: number }
  | { readonly kind: 'bytes'; readonly bytes: readonly number[] }
  /** Bytes of a character so far. */
  | { readonly kind: 'character'; readonly ranges: readonly number[]; readonly begun: readonly number[] }
  | { readonly kind: 'both'; readonly id: number; readonly parts: readonly (readonly (Way | undefined)[])[] };

/** Ways in which a text can go on; undefined is a way that is at its end. */
export type Ways = readonly (Way | undefined)[];

/** Searches for an end give up after so many texts. */
const SEARCH_LIMIT = 400;

export class NaiveMatcher {
  readonly #grammar: Grammar;
  /** Bytes with which texts of the tests are made. */
  readonly #alphabet: readonly number[];
  readonly #ways = new Map<string, Way>();

  constructor(grammar: Grammar, alphabet: readonly number[]) {
    this.#grammar = grammar;
    this.#alphabet = alphabet;
  }

  get start(): Ways {
    return this.#opened([this.#way({ kind: 'node', id: this.#grammar.root }, undefined)]);
  }

  isAccepting(ways: Ways): boolean {
    return ways.includes(undefined);
  }

  /** The ways that are left after a byte; none when the text cannot go on so. */
  step(ways: Ways, byte: number): Ways {
    return this.#opened(ways.flatMap((way) => (way === undefined ? [] : this.#eat(way, byte))));
  }

  /** Equal ways are one. */
  #way(item: Item, rest: Way | undefined): Way {
    const parts = item.kind === 'both' ? idsOf(item.parts) : JSON.stringify(item);
    const key = `${item.kind} ${'id' in item ? item.id : ''} ${parts} ${rest?.id ?? ''}`;
    let way = this.#ways.get(key);
    if (way === undefined) this.#ways.set(key, (way = { id: this.#ways.size, item, rest }));
    return way;
  }

  /** Takes apart what begins ways until each begins with bytes. */
  #opened(ways: Ways): Ways {
    const found = new Set<Way | undefined>();
    const open = new Set(ways);
    for (const way of open) {
      const isNode = way !== undefined && (way.item.kind === 'node' || way.item.kind === 'again');
      if (isNode) for (const next of this.#open(way)) open.add(next);
      else {
        found.add(way);
        if (way?.item.kind === 'both' && this.#bothAccepts(way.item)) open.add(way.rest);
      }
    }
    return [...found];
  }

  #open({ item, rest }: Way): Ways {
    const push = (next: Item): Way => this.#way(next, rest);
    if (item.kind === 'again') {
      const node = this.#grammar.nodes[item.id]!;
      if (node.type !== 'repeat') throw new Error('only repetitions go on');
      const more = this.#way({ kind: 'node', id: node.part }, push({ ...item, count: item.count + 1 }));
      return [
        ...(item.count >= node.min ? [rest] : []),
        ...(item.count < Math.min(node.max, 300) ? [more] : []),
      ];
    }
    if (item.kind !== 'node') return [];
    const node = this.#grammar.nodes[item.id]!;
    switch (node.type) {
      case 'empty':
        return [rest];
      case 'text':
        return [push({ kind: 'bytes', bytes: [...Buffer.from(node.text)] })];
      case 'characters':
        return [push({ kind: 'character', ranges: node.ranges, begun: [] })];
      case 'sequence':
        return [
          node.parts.reduceRight<Way | undefined>((left, id) => this.#way({ kind: 'node', id }, left), rest),
        ];
      case 'choice':
        return node.parts.map((id) => push({ kind: 'node', id }));
      case 'repeat':
        return [push({ kind: 'again', id: item.id, count: 0 })];
      case 'rule':
        return [push({ kind: 'node', id: this.#grammar.rules[node.rule]!.node })];
      case 'both': {
        const parts = node.parts.map((id) =>
          this.#opened([this.#way({ kind: 'node', id: this.#positive(id) }, undefined)]),
        );
        const both = { kind: 'both', id: item.id, parts } as const;
        return this.#hasEnd(both) ? [push(both)] : [];
      }
      case 'not':
        throw new Error('a `not` stands inside a `both`');
    }
  }

  #positive(id: number): number {
    const node = this.#grammar.nodes[id]!;
    return node.type === 'not' ? node.part : id;
  }

  #eat({ item, rest }: Way, byte: number): Ways {
    if (item.kind === 'bytes') {
      const [first, ...others] = item.bytes;
      if (first !== byte) return [];
      return [others.length === 0 ? rest : this.#way({ kind: 'bytes', bytes: others }, rest)];
    }
    if (item.kind === 'character') {
      const begun = [...item.begun, byte];
      const fits = fitOf(begun, item.ranges);
      if (fits === 'no') return [];
      return [fits === 'whole' ? rest : this.#way({ ...item, begun }, rest)];
    }
    if (item.kind !== 'both') return [];
    const next = { ...item, parts: item.parts.map((ways) => this.step(ways, byte)) };
    return this.#hasEnd(next) ? [this.#way(next, rest)] : [];
  }

  #bothAccepts({ id, parts }: Extract<Item, { kind: 'both' }>): boolean {
    const node = this.#grammar.nodes[id]!;
    return (
      node.type === 'both' &&
      node.parts.every(
        (part, i) => this.isAccepting(parts[i]!) === (this.#grammar.nodes[part]!.type !== 'not'),
      )
    );
  }

  /** Whether some text of the alphabet ends a `both`. */
  #hasEnd(first: Extract<Item, { kind: 'both' }>): boolean {
    const seen = new Map([[idsOf(first.parts), first]]);
    for (const [, item] of seen) {
      if (this.#bothAccepts(item)) return true;
      if (seen.size > SEARCH_LIMIT) throw new Error('the search for an end took too long for a test');
      for (const byte of this.#alphabet) {
        const next = { ...item, parts: item.parts.map((ways) => this.step(ways, byte)) };
        const key = idsOf(next.parts);
        if (!seen.has(key)) seen.set(key, next);
      }
    }
    return false;
  }
}

const idsOf = (parts: readonly Ways[]): string =>
  parts.map((ways) => ways.map((way) => way?.id ?? 'end').join()).join(';');

/** Whether bytes are a character of a set, or may become one. */
function fitOf(bytes: readonly number[], ranges: readonly number[]): 'whole' | 'begun' | 'no' {
  const lead = bytes[0]!;
  const length =
    lead < 0x80
      ? 1
      : lead >= 0xc2 && lead < 0xe0
        ? 2
        : lead >= 0xe0 && lead < 0xf0
          ? 3
          : lead >= 0xf0 && lead < 0xf5
            ? 4
            : 0;
  if (length === 0 || bytes.length > length || bytes.slice(1).some((byte) => byte < 0x80 || byte > 0xbf))
    return 'no';
  const value = (tail: readonly number[]): number =>
    tail.reduce((sum, byte) => sum * 64 + (byte & 63), length === 1 ? lead : lead & (0x7f >> length));
  const missing = length - bytes.length;
  const smallest = Math.max(
    value([...bytes.slice(1), ...Array<number>(missing).fill(0x80)]),
    [0, 0, 0x80, 0x800, 0x10000][length]!,
  );
  const largest = Math.min(value([...bytes.slice(1), ...Array<number>(missing).fill(0xbf)]), 0x10ffff);
  for (let i = 0; i < ranges.length; i += 2)
    if (ranges[i]! <= largest && ranges[i + 1]! >= smallest && smallest <= largest)
      return missing === 0 ? 'whole' : 'begun';
  return 'no';
}
