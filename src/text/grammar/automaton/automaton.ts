import type { Grammar } from '../../../core/constraint.js';
import { emptyRules, endingRules } from '../check-grammar.js';
import { constraintError, GRAMMAR_LIMITS } from '../limits.js';
import { byteClasses } from './byte-classes.js';
import { TermMaker } from './term-maker.js';
import { ALL, EMPTY, KIND, NOTHING, type Term, Terms, UNKNOWN } from './terms.js';

const SPACE = 0x20;
/** Deepest nesting of calls without a byte between them. */
const MAX_DEPTH = 1500;
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
  /** One byte of each class: the grammar does not distinguish bytes of the same. */
  readonly #classes: readonly number[];
  /** Whether a `both` matches anything, where that is known. */
  readonly #isLive = new Map<Term, boolean>();
  #workLeft: number = GRAMMAR_LIMITS.checkWork;
  #depth = 0;

  /** @param grammar one that {@link checkGrammar} accepts and whose nodes `both` all match something */
  constructor(grammar: Grammar) {
    this.terms = new Terms({ matchesEmpty: emptyRules(grammar), hasEnd: endingRules(grammar) });
    this.#maker = new TermMaker(grammar, this.terms);
    this.#classes = byteClasses(grammar);
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
  }

  /** Whether so many terms were made that a new automaton should take over. */
  get isFull(): boolean {
    return this.terms.count > GRAMMAR_LIMITS.terms;
  }

  isAccepting(state: Term): boolean {
    return this.terms.matchesEmpty[state]!;
  }

  /** The state after a byte. @throws {AloftError} REQUEST_INVALID when the work that was allowed is done */
  next(state: Term, byte: number): Term {
    const row = this.#rows[state] || this.#addRow(state);
    const known = this.#table[row * 256 + byte]!;
    if (known !== UNKNOWN) return known;
    const next = this.#derive(state, byte);
    // The rows may have been dropped in between.
    const place = this.#rows[state] || this.#addRow(state);
    this.#table[place * 256 + byte] = next;
    return next;
  }

  /** Number of plain characters that may follow in any order, as far as the state shows it. */
  plainRun(state: Term): number {
    const { kinds, firsts, lists, maxima } = this.terms;
    switch (kinds[state]) {
      case KIND.REPEAT:
        return this.#maker.matchesPlain(firsts[state]!) ? maxima[state]! : 0;
      case KIND.SEQUENCE:
        return this.plainRun(firsts[state]!);
      case KIND.CHOICE:
        return Math.max(...lists[state]!.map((part) => this.plainRun(part)));
      default:
        return 0;
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

  #spend(work: number): void {
    this.#workLeft -= work;
    if (this.#workLeft < 0)
      throw constraintError(
        'The constraint is too large or too ambiguous to follow within the bounds of this server; simplify it.',
      );
  }

  #derive(state: Term, byte: number): Term {
    this.#spend(1);
    if (++this.#depth > MAX_DEPTH)
      throw constraintError(`The constraint nests more than ${MAX_DEPTH} calls; simplify it.`);
    const next = this.#derivative(state, byte);
    this.#depth--;
    return next;
  }

  #derivative(state: Term, byte: number): Term {
    const { terms } = this;
    const first = terms.firsts[state]!;
    switch (terms.kinds[state]!) {
      case KIND.CONSTANT:
        return state === ALL ? ALL : NOTHING;
      case KIND.BYTES:
        return (terms.byteSets[first]![byte >> 5]! >>> (byte & 31)) & 1 ? EMPTY : NOTHING;
      case KIND.SEQUENCE: {
        const tail = terms.seconds[state]!;
        const moved = terms.sequence(this.#part(first, byte), tail);
        return terms.matchesEmpty[first] ? terms.choice([moved, this.#part(tail, byte)]) : moved;
      }
      case KIND.CHOICE: {
        const list = terms.lists[state]!;
        this.#spend(list.length);
        return terms.choice(list.map((part) => this.#part(part, byte)));
      }
      case KIND.REPEAT: {
        const min = terms.seconds[state]!;
        const rest = terms.repeat(first, Math.max(0, min - 1), terms.maxima[state]! - 1);
        return terms.sequence(this.#part(first, byte), rest);
      }
      case KIND.RULE:
        return this.next(this.#maker.rule(first), byte);
      case KIND.BOTH: {
        const both = terms.both(terms.lists[state]!.map((part) => this.next(part, byte)));
        return this.#hasEnd(both) ? both : NOTHING;
      }
      case KIND.NOT:
        return terms.not(this.next(first, byte));
      case KIND.START: {
        const count = terms.seconds[state]!;
        return byte === SPACE ? terms.start(first, count - 1) : this.next(first, byte);
      }
    }
  }

  /** The derivative of a part: kept where it is shared by many states, computed again where that is one comparison. */
  #part(part: Term, byte: number): Term {
    const kind = this.terms.kinds[part]!;
    const isCheap =
      kind === KIND.BYTES || kind === KIND.CONSTANT || kind === KIND.SEQUENCE || kind === KIND.REPEAT;
    return isCheap ? this.#derive(part, byte) : this.next(part, byte);
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
      for (const byte of this.#classes)
        reached.add(terms.both(terms.lists[at]!.map((part) => this.next(part, byte))));
      this.#spend(reached.size);
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
