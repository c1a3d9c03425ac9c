/**
 * Terms: what a text may still look like, as values that are equal when their numbers are. A term is made of bytes,
 * sequences, choices, repetitions, calls of rules, and the two operations of regular languages, `both` and `not`. Sequences
 * lean to the right, so the rest of a sequence is the stack of a pushdown automaton, and a call pushes on it.
 */
export type Term = number;

/** Placeholder: not known yet. */
export const UNKNOWN: Term = 0;
/** Matches nothing. */
export const NOTHING: Term = 1;
/** Matches the empty text. */
export const EMPTY: Term = 2;
/** Matches every text. */
export const ALL: Term = 3;

export const KIND = {
  CONSTANT: 0,
  BYTES: 1,
  SEQUENCE: 2,
  CHOICE: 3,
  REPEAT: 4,
  RULE: 5,
  BOTH: 6,
  NOT: 7,
  START: 8,
  TEXT: 9,
} as const;
type Kind = (typeof KIND)[keyof typeof KIND];

/** [rules] whether each matches the empty text, and anything at all. */
export interface RuleFacts {
  readonly matchesEmpty: readonly boolean[];
  readonly hasEnd: readonly boolean[];
}

/** Makes terms and simplifies them. */
export class Terms {
  readonly kinds: Kind[] = [];
  /** Members by kind: set of bytes; head and tail; list; part and bounds; rule; text and offset. */
  readonly firsts: number[] = [];
  readonly seconds: number[] = [];
  readonly maxima: number[] = [];
  readonly lists: (readonly Term[] | undefined)[] = [];
  readonly matchesEmpty: boolean[] = [];
  readonly byteSets: Uint32Array[] = [];
  readonly texts: Uint8Array[] = [];
  readonly #textIds = new Map<string, number>();
  readonly #known = new Map<string, Term>();
  readonly #sequences = new Map<number, Term>();
  readonly #rules: RuleFacts;

  constructor(rules: RuleFacts) {
    this.#rules = rules;
    for (const matchesEmpty of [false, false, true, true]) this.#add(KIND.CONSTANT, 0, 0, { matchesEmpty });
  }

  get count(): number {
    return this.kinds.length;
  }

  /** One byte of a set, given as ranges. */
  bytes(ranges: readonly (readonly [first: number, last: number])[]): Term {
    const set = new Uint32Array(8);
    for (const [first, last] of ranges)
      for (let byte = first; byte <= last; byte++) set[byte >> 5]! |= 1 << (byte & 31);
    return this.byteSet(set);
  }

  /** One byte of a set. @param set 256 bits */
  byteSet(set: Uint32Array): Term {
    return this.#once(`b${set.join()}`, () => {
      this.byteSets.push(set);
      return this.#add(KIND.BYTES, this.byteSets.length - 1, 0, { matchesEmpty: false });
    });
  }

  /** Bytes one after the other. Those that a text has not come to yet take no terms. */
  text(bytes: Uint8Array): Term {
    const key = Buffer.from(bytes).toString('latin1');
    let id = this.#textIds.get(key);
    if (id === undefined) this.#textIds.set(key, (id = this.texts.push(bytes) - 1));
    return this.#textFrom(id, 0);
  }

  /** The rest of a text behind its first byte. */
  textRest(term: Term): Term {
    return this.#textFrom(this.firsts[term]!, this.seconds[term]! + 1);
  }

  #textFrom(id: number, offset: number): Term {
    const bytes = this.texts[id]!;
    if (offset >= bytes.length) return EMPTY;
    if (offset === bytes.length - 1) return this.bytes([[bytes[offset]!, bytes[offset]!]]);
    return this.#once(`t${id},${offset}`, () => this.#add(KIND.TEXT, id, offset, { matchesEmpty: false }));
  }

  /** The byte with which all texts of a term begin, if it is a text or a byte that can be but one. */
  firstByte(term: Term): number | undefined {
    if (this.kinds[term] !== KIND.TEXT) return this.onlyByte(term);
    return this.texts[this.firsts[term]!]![this.seconds[term]!];
  }

  /** The bytes that a term begins with, if it is one byte of a set or has one in front. */
  headBytes(term: Term): Uint32Array | undefined {
    const head = this.kinds[term] === KIND.SEQUENCE ? this.firsts[term]! : term;
    return this.kinds[head] === KIND.BYTES ? this.byteSets[this.firsts[head]!] : undefined;
  }

  /** The byte that a term is, if it can be but one. */
  onlyByte(term: Term): number | undefined {
    if (this.kinds[term] !== KIND.BYTES) return undefined;
    let only: number | undefined;
    for (const [word, bits] of this.byteSets[this.firsts[term]!]!.entries()) {
      if (bits === 0) continue;
      if (only !== undefined || (bits & (bits - 1)) !== 0) return undefined;
      only = word * 32 + 31 - Math.clz32(bits);
    }
    return only;
  }

  sequence(head: Term, tail: Term): Term {
    if (head === NOTHING || tail === NOTHING) return NOTHING;
    if (head === EMPTY) return tail;
    if (tail === EMPTY || (head === ALL && tail === ALL)) return head;
    if (this.kinds[head] !== KIND.SEQUENCE) return this.#pair(head, tail);
    // A literal can have as many parts as a stack has no room for.
    const parts: Term[] = [];
    let last = head;
    for (; this.kinds[last] === KIND.SEQUENCE; last = this.seconds[last]!) parts.push(this.firsts[last]!);
    return parts.reduceRight((rest, part) => this.#pair(part, rest), this.#pair(last, tail));
  }

  /** A head that is no sequence, and what comes behind it. */
  #pair(head: Term, tail: Term): Term {
    const key = head * 2 ** 26 + tail;
    let term = this.#sequences.get(key);
    if (term === undefined) {
      const matchesEmpty = this.matchesEmpty[head]! && this.matchesEmpty[tail]!;
      this.#sequences.set(key, (term = this.#add(KIND.SEQUENCE, head, tail, { matchesEmpty })));
    }
    return term;
  }

  choice(parts: readonly Term[]): Term {
    const some = parts.filter((part) => part !== NOTHING);
    if (some.length <= 1) return some[0] ?? NOTHING;
    const kept = this.#flat(some, KIND.CHOICE);
    if (kept.includes(ALL)) return ALL;
    if (kept.length === 1) return kept[0]!;
    return this.#once(`c${kept.join()}`, () => {
      const matchesEmpty = kept.some((part) => this.matchesEmpty[part]);
      return this.#add(KIND.CHOICE, 0, 0, { matchesEmpty, list: kept });
    });
  }

  repeat(part: Term, min: number, max: number): Term {
    if (part === NOTHING || part === EMPTY || max === 0) return part === NOTHING && min > 0 ? NOTHING : EMPTY;
    const least = this.matchesEmpty[part] ? 0 : min;
    if (least === 1 && max === 1) return part;
    return this.#once(`r${part},${least},${max}`, () =>
      this.#add(KIND.REPEAT, part, least, { matchesEmpty: least === 0, max }),
    );
  }

  rule(rule: number): Term {
    if (!this.#rules.hasEnd[rule]) return NOTHING;
    return this.#once(`u${rule}`, () =>
      this.#add(KIND.RULE, rule, 0, { matchesEmpty: this.#rules.matchesEmpty[rule]! }),
    );
  }

  not(part: Term): Term {
    if (part === NOTHING) return ALL;
    if (part === ALL) return NOTHING;
    if (this.kinds[part] === KIND.NOT) return this.firsts[part]!;
    return this.#once(`n${part}`, () =>
      this.#add(KIND.NOT, part, 0, { matchesEmpty: !this.matchesEmpty[part]! }),
    );
  }

  /** Texts that all parts match. What is left may match nothing without being {@link NOTHING}. */
  both(parts: readonly Term[]): Term {
    const kept = this.#flat(parts, KIND.BOTH).filter((part) => part !== ALL);
    if (kept.includes(NOTHING)) return NOTHING;
    if (kept.includes(EMPTY)) return kept.every((part) => this.matchesEmpty[part]) ? EMPTY : NOTHING;
    if (kept.length <= 1) return kept[0] ?? ALL;
    return this.#once(`a${kept.join()}`, () => {
      const matchesEmpty = kept.every((part) => this.matchesEmpty[part]);
      return this.#add(KIND.BOTH, 0, 0, { matchesEmpty, list: kept });
    });
  }

  /** `term`, before which up to `count` spaces may stand that do not count. */
  start(term: Term, count: number): Term {
    if (count === 0 || term === NOTHING) return term;
    return this.#once(`s${term},${count}`, () =>
      this.#add(KIND.START, term, count, { matchesEmpty: this.matchesEmpty[term]! }),
    );
  }

  /** Parts of parts of the same kind, ascending, each once. */
  #flat(parts: readonly Term[], kind: Kind): Term[] {
    const flat: Term[] = [];
    let isAscending = true;
    const add = (part: Term): void => {
      if (flat.length > 0 && part <= flat.at(-1)!) isAscending = false;
      flat.push(part);
    };
    for (const part of parts)
      if (this.kinds[part] === kind) for (const inner of this.lists[part]!) add(inner);
      else add(part);
    if (isAscending) return flat;
    flat.sort((a, b) => a - b);
    return flat.filter((part, i) => part !== flat[i - 1]);
  }

  #once(key: string, make: () => Term): Term {
    let term = this.#known.get(key);
    if (term === undefined) this.#known.set(key, (term = make()));
    return term;
  }

  #add(
    kind: Kind,
    first: number,
    second: number,
    other: { readonly matchesEmpty: boolean; readonly max?: number; readonly list?: readonly Term[] },
  ): Term {
    this.firsts.push(first);
    this.seconds.push(second);
    this.maxima.push(other.max ?? 0);
    this.lists.push(other.list);
    this.matchesEmpty.push(other.matchesEmpty);
    return this.kinds.push(kind) - 1;
  }
}
