/**
 * A recogniser of GBNF for tests, which shares nothing with the compiler: it reads the grammar by recursive descent, into
 * plain productions, and recognises texts character by character (Earley 1970).
 */

/** A set of characters, or the number of a symbol that has productions. */
type Part = ((character: string) => boolean) | number;

interface Item {
  readonly symbol: number;
  readonly production: readonly Part[];
  readonly dot: number;
  readonly origin: number;
}

export class ReferenceGrammar {
  /** [symbols] the productions of each. */
  readonly #symbols: Part[][][] = [];
  readonly #names = new Map<string, number>();
  readonly #source: string;
  #at = 0;

  constructor(source: string) {
    this.#source = source;
    while (this.#skip() < source.length) {
      const name = this.#match(/[a-z]+/y)!;
      this.#match(/\s*::=/y);
      this.#symbols[this.#symbol(name)]!.push(...this.#alternatives());
    }
  }

  /** Whether a text is of the grammar, or at least the beginning of one that may be. */
  judge(text: string): 'whole' | 'beginning' | 'wrong' {
    const root = this.#symbol('root');
    let items = this.#closed([
      this.#symbols[root]!.map((production) => ({ symbol: root, production, dot: 0, origin: 0 })),
    ]);
    const columns = [items];
    for (const character of text) {
      const moved = items
        .filter(({ production, dot }) => {
          const part = production[dot];
          return typeof part === 'function' && part(character);
        })
        .map((item) => ({ ...item, dot: item.dot + 1 }));
      items = this.#closed([...columns, moved]);
      columns.push(items);
      if (items.length === 0) return 'wrong';
    }
    const isWhole = items.some(
      ({ symbol, production, dot, origin }) => symbol === root && origin === 0 && dot === production.length,
    );
    return isWhole ? 'whole' : 'beginning';
  }

  /** The last column with all that follows from its items. */
  #closed(columns: readonly (readonly Item[])[]): Item[] {
    const here = columns.length - 1;
    const items = [...columns[here]!];
    const seen = new Set(items.map(keyOf));
    const add = (item: Item): void => {
      if (seen.has(keyOf(item))) return;
      seen.add(keyOf(item));
      items.push(item);
    };
    // Symbols that end where they begin must be finished for items that come later, too: so until nothing is new.
    for (let before = -1; before < items.length;) {
      before = items.length;
      for (let i = 0; i < items.length; i++) {
        const { symbol, production, dot, origin } = items[i]!;
        const part = production[dot];
        if (typeof part === 'number')
          for (const next of this.#symbols[part]!)
            add({ symbol: part, production: next, dot: 0, origin: here });
        if (dot < production.length) continue;
        for (const waiting of origin === here ? [...items] : columns[origin]!)
          if (waiting.production[waiting.dot] === symbol) add({ ...waiting, dot: waiting.dot + 1 });
      }
    }
    return items;
  }

  #symbol(name: string): number {
    let symbol = this.#names.get(name);
    if (symbol === undefined) this.#names.set(name, (symbol = this.#symbols.push([]) - 1));
    return symbol;
  }

  #skip(): number {
    this.#match(/(?:\s|#.*)*/y);
    return this.#at;
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#source)?.[0];
    this.#at += found?.length ?? 0;
    return found;
  }

  #alternatives(): Part[][] {
    const productions = [this.#sequence()];
    while (this.#match(/\s*\|/y) !== undefined) productions.push(this.#sequence());
    return productions;
  }

  #sequence(): Part[] {
    const parts: Part[] = [];
    for (;;) {
      const one = this.#part();
      if (one === undefined) return parts;
      parts.push(...this.#repeated(one));
    }
  }

  #part(): Part[] | undefined {
    this.#match(/[ \t]*/y);
    if (this.#match(/\(/y) !== undefined) {
      const group = this.#symbols.push([]) - 1;
      this.#symbols[group] = this.#alternatives();
      this.#match(/\s*\)/y);
      return [group];
    }
    const text = this.#match(/"(?:\\.|[^"\\])*"/y);
    if (text !== undefined)
      return [...charactersOf(text.slice(1, -1))].map((one) => (character) => character === one);
    const set = this.#match(/\[(?:\\.|[^\]\\])*\]/y);
    if (set !== undefined) return [setOf(set.slice(1, -1))];
    if (this.#match(/\./y) !== undefined) return [() => true];
    const name = this.#match(/[a-z]+(?!\s*::=|[a-z])/y);
    return name === undefined ? undefined : [this.#symbol(name)];
  }

  #repeated(parts: Part[]): Part[] {
    const sign = this.#match(/[*+?]|\{\d+(?:,\d+)?\}/y);
    if (sign === undefined) return parts;
    const symbol = this.#symbols.push([]) - 1;
    const [min = 0, max = min] = sign.startsWith('{')
      ? sign.slice(1, -1).split(',').map(Number)
      : [sign === '+' ? 1 : 0];
    const counts = Array.from({ length: max - min + 1 }, (_, i) =>
      Array.from({ length: min + i }, () => parts).flat(),
    );
    if (sign.startsWith('{')) this.#symbols[symbol] = counts;
    else if (sign === '?') this.#symbols[symbol] = [[], parts];
    else this.#symbols[symbol] = [sign === '*' ? [] : parts, [symbol, ...parts]];
    return [symbol];
  }
}

const numbers = new WeakMap<readonly Part[], number>();
let lastNumber = 0;

function keyOf({ symbol, production, dot, origin }: Item): string {
  let number = numbers.get(production);
  if (number === undefined) numbers.set(production, (number = ++lastNumber));
  return `${symbol} ${number} ${dot} ${origin}`;
}

function charactersOf(source: string): string[] {
  return [...source.matchAll(/\\x(..)|\\(.)|([\s\S])/gu)].map(([, hex, escaped, plain]) => {
    if (hex !== undefined) return String.fromCodePoint(Number.parseInt(hex, 16));
    return plain ?? { n: '\n', t: '\t' }[escaped!] ?? escaped!;
  });
}

function setOf(source: string): (character: string) => boolean {
  const isNegated = source.startsWith('^');
  const ranges = [
    ...source.slice(isNegated ? 1 : 0).matchAll(/(\\x..|\\.|[^\\])(?:-(\\x..|\\.|[^\\]))?/gu),
  ].map(([, first, last]) => {
    const from = charactersOf(first!)[0]!;
    return [from, last === undefined ? from : charactersOf(last)[0]!] as const;
  });
  const point = (text: string): number => text.codePointAt(0)!;
  return (character) =>
    ranges.some(([from, to]) => point(character) >= point(from) && point(character) <= point(to)) !==
    isNegated;
}
