import type { Grammar } from '../../../core/constraint.js';
import { emptyRules, endingRules } from '../check-grammar.js';
import { constraintError, GRAMMAR_LIMITS } from '../limits.js';
import { TermMaker } from './term-maker.js';
import { ALL, EMPTY, KIND, NOTHING, type Term, Terms, UNKNOWN } from './terms.js';

const SPACE = 0x20;
/** Kinds of terms whose derivatives are computed again: that is one comparison. */
const CHEAP: ReadonlySet<number> = new Set([
  KIND.BYTES,
  KIND.TEXT,
  KIND.CONSTANT,
  KIND.SEQUENCE,
  KIND.REPEAT,
]);
/** Parts of a choice that are passed over in the time of a step. */
const SKIPS_OF_STEP = 8;
/** Deepest nesting of calls without a byte between them. */
const MAX_DEPTH = 400;
/** Rows of transitions that are kept: 1 KB each. */
const MAX_ROWS = 8192;

/**
 * The automaton of a grammar. Its states are terms; the state after a byte is the derivative of a term by it (Brzozowski
 * 1964, with calls of rules as in Might, Darais and Spiewak 2011). States are made when a text first comes to them, so a
 * grammar with bounds in the thousands costs only what is visited. No state but {@link NOTHING} is without an end.
 */
export class Automaton {
  readonly terms: Terms;
  /** State before the first byte. */
  readonly start: Term;
  readonly #maker: TermMaker;
  /** [rows, 256] states by byte. */
  #table = new Int32Array(256 * 64);
  /** [terms] row of each; 0 where it has none. */
  #rows = new Int32Array(1024);
  #rowCount = 1;
  /** Whether a `both` matches anything, where that is known. */
  readonly #isLive = new Map<Term, boolean>();
  #workLeft: number = GRAMMAR_LIMITS.checkWork;
  #depth = 0;
  /** Sets of bytes for the searches of states that wait for each other. */
  readonly #alikes: Uint32Array[] = [];
  #openFinds = 0;

  /** @param grammar one that {@link checkGrammar} accepts and whose nodes `both` all match something */
  constructor(grammar: Grammar) {
    this.terms = new Terms({ matchesEmpty: emptyRules(grammar), hasEnd: endingRules(grammar) });
    this.#maker = new TermMaker(grammar, this.terms);
    this.start = this.#maker.term(grammar.root);
  }

  /** Whether a text matches the node. @throws {AloftError} REQUEST_INVALID when finding out takes too long */
  isSatisfiable(node: number): boolean {
    return this.#hasEnd(this.#maker.term(node));
  }

  /** Allows `work` steps from here on. */
  allow(work: number): void {
    this.#workLeft = work;
    this.#depth = 0;
    this.#openFinds = 0;
  }

  /** Whether so many terms were made that a new automaton should take over. */
  get isFull(): boolean {
    return this.terms.count > GRAMMAR_LIMITS.terms;
  }

  isAccepting(state: Term): boolean {
    return this.terms.matchesEmpty[state]!;
  }

  /** The term for which a call of a rule stands. */
  ruleBody(rule: number): Term {
    return this.#maker.rule(rule);
  }

  /** The state after a byte. @throws {AloftError} REQUEST_INVALID when the work that was allowed is done */
  next(state: Term, byte: number): Term {
    const row = this.#rows[state];
    // The row 0, which no state has, knows nothing.
    return (row !== undefined && this.#table[row * 256 + byte]) || this.#find(state, byte);
  }

  #find(state: Term, byte: number): Term {
    const alike = (this.#alikes[this.#openFinds] ??= new Uint32Array(8)).fill(0xffffffff);
    this.#openFinds++;
    const next = this.#derive(state, byte, alike);
    this.#openFinds--;
    const start = (this.#rows[state] || this.#addRow(state)) * 256;
    for (let word = 0; word < 8; word++)
      for (let bits = alike[word]!; bits !== 0; bits &= bits - 1)
        this.#table[start + word * 32 + 31 - Math.clz32(bits & -bits)] = next;
    return next;
  }

  /** Keeps of `alike` only bytes of which it is known that they lead to the same state as `byte`. */
  #narrow(alike: Uint32Array, state: Term, byte: number): void {
    const start = (this.#rows[state] ?? 0) * 256;
    const next = start === 0 ? UNKNOWN : this.#table[start + byte]!;
    if (next === UNKNOWN) {
      alike.fill(0);
      alike[byte >> 5]! |= 1 << (byte & 31);
      return;
    }
    for (let word = 0; word < 8; word++) {
      let kept = 0;
      for (let bits = alike[word]!; bits !== 0; bits &= bits - 1) {
        const bit = bits & -bits;
        if (this.#table[start + word * 32 + 31 - Math.clz32(bit)] === next) kept |= bit;
      }
      alike[word] = kept;
    }
  }

  #addRow(state: Term): number {
    if (this.#rowCount >= MAX_ROWS) {
      this.#rowCount = 1;
      this.#rows.fill(0);
      this.#table.fill(UNKNOWN);
    }
    const row = this.#rowCount++;
    if (state >= this.#rows.length) this.#rows = grown(this.#rows, state + 1);
    if ((row + 1) * 256 > this.#table.length) this.#table = grown(this.#table, (row + 1) * 256);
    this.#rows[state] = row;
    return row;
  }

  /** @throws {AloftError} REQUEST_INVALID when the work that was allowed is done */
  spend(work: number): void {
    this.#workLeft -= work;
    if (this.#workLeft < 0)
      throw constraintError(
        'The constraint is too large or too ambiguous to follow within the bounds of this server; simplify it.',
      );
  }

  /** @param alike bytes, of which those stay whose derivative is the same */
  #derive(state: Term, byte: number, alike: Uint32Array): Term {
    this.spend(1);
    if (++this.#depth > MAX_DEPTH)
      throw constraintError(`The constraint nests more than ${MAX_DEPTH} calls; simplify it.`);
    const next = this.#derivative(state, byte, alike);
    this.#depth--;
    return next;
  }

  #derivative(state: Term, byte: number, alike: Uint32Array): Term {
    const { terms } = this;
    const first = terms.firsts[state]!;
    switch (terms.kinds[state]!) {
      case KIND.CONSTANT:
        return state === ALL ? ALL : NOTHING;
      case KIND.BYTES: {
        const set = terms.byteSets[first]!;
        const isIn = (set[byte >> 5]! >>> (byte & 31)) & 1;
        for (let word = 0; word < 8; word++) alike[word]! &= isIn ? set[word]! : ~set[word]!;
        return isIn ? EMPTY : NOTHING;
      }
      case KIND.TEXT: {
        const own = terms.firstByte(state)!;
        const [word, bit] = [own >> 5, 1 << (own & 31)];
        if (byte !== own) {
          alike[word]! &= ~bit;
          return NOTHING;
        }
        alike.fill(0);
        alike[word] = bit;
        return terms.textRest(state);
      }
      case KIND.SEQUENCE: {
        const tail = terms.seconds[state]!;
        const moved = terms.sequence(this.#part(first, byte, alike), tail);
        return terms.matchesEmpty[first] ? terms.choice([moved, this.#part(tail, byte, alike)]) : moved;
      }
      case KIND.CHOICE: {
        const list = terms.lists[state]!;
        this.spend(Math.ceil(list.length / SKIPS_OF_STEP));
        const taken = list.filter((part) => !this.#isApart(part, byte, alike));
        return terms.choice(taken.map((part) => this.#part(part, byte, alike)));
      }
      case KIND.REPEAT: {
        const min = terms.seconds[state]!;
        const rest = terms.repeat(first, Math.max(0, min - 1), terms.maxima[state]! - 1);
        return terms.sequence(this.#part(first, byte, alike), rest);
      }
      case KIND.RULE:
        return this.#kept(this.#maker.rule(first), byte, alike);
      case KIND.BOTH: {
        const list = terms.lists[state]!;
        this.spend(list.length);
        const both = terms.both(list.map((part) => this.#kept(part, byte, alike)));
        return this.#hasEnd(both) ? both : NOTHING;
      }
      case KIND.NOT:
        return terms.not(this.#kept(first, byte, alike));
      case KIND.START: {
        const isSpace = byte === SPACE;
        alike.fill(0);
        alike[byte >> 5]! |= 1 << (byte & 31);
        return isSpace ? terms.start(first, terms.seconds[state]! - 1) : this.next(first, byte);
      }
    }
  }

  /** Whether a part begins with other bytes than this one, as far as one look tells. @param alike loses those bytes, if so */
  #isApart(part: Term, byte: number, alike: Uint32Array): boolean {
    const set = this.terms.headBytes(part);
    if (set === undefined || ((set[byte >> 5]! >>> (byte & 31)) & 1) === 1) return false;
    for (let word = 0; word < 8; word++) alike[word]! &= ~set[word]!;
    return true;
  }

  /** The derivative of a part: kept where it is shared by many states, computed again where that is one comparison. */
  #part(part: Term, byte: number, alike: Uint32Array): Term {
    const kind = this.terms.kinds[part]!;
    return CHEAP.has(kind) ? this.#derive(part, byte, alike) : this.#kept(part, byte, alike);
  }

  #kept(part: Term, byte: number, alike: Uint32Array): Term {
    const next = this.next(part, byte);
    this.#narrow(alike, part, byte);
    return next;
  }

  /** Whether anything matches a term: for `both`, by a search for an end, breadth first. */
  #hasEnd(term: Term): boolean {
    const { terms } = this;
    if (terms.kinds[term] !== KIND.BOTH) return term !== NOTHING;
    const known = this.#isLive.get(term);
    if (known !== undefined) return known;
    const parents = new Map<Term, Term>([[term, UNKNOWN]]);
    for (const [at] of parents) {
      if (terms.matchesEmpty[at] || terms.kinds[at] !== KIND.BOTH || this.#isLive.get(at) === true) {
        for (let live = at; live !== UNKNOWN; live = parents.get(live)!) this.#isLive.set(live, true);
        return true;
      }
      const reached = new Set<Term>();
      const list = terms.lists[at]!;
      const left = new Uint32Array(8).fill(0xffffffff);
      for (let byte = 0; byte < 256; byte++) {
        if (((left[byte >> 5]! >>> (byte & 31)) & 1) === 0) continue;
        const alike = left.slice();
        this.spend(list.length);
        reached.add(terms.both(list.map((part) => this.#kept(part, byte, alike))));
        for (let word = 0; word < 8; word++) left[word]! &= ~alike[word]!;
      }
      for (const next of reached)
        if (next !== NOTHING && this.#isLive.get(next) !== false && !parents.has(next)) parents.set(next, at);
    }
    for (const dead of parents.keys()) this.#isLive.set(dead, false);
    return false;
  }
}

function grown(array: Int32Array, length: number): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(Math.max(length, 2 * array.length));
  larger.set(array);
  return larger;
}
