import type { Automaton } from '../automaton/automaton.js';
import { EMPTY, KIND, type Term, type Terms } from '../automaton/terms.js';

/** Size of a lexeme's part at most, and of one that calls rules. */
const MAX_SIZE = 2000;
const MAX_CALLING_SIZE = 100;
/** Parts of a sequence that a lexeme takes at most, and levels of a term. */
const MAX_PARTS = 8;
const MAX_DEPTH = 300;

/** Beginning of a state that can be followed without what comes behind it. */
export interface Lexeme {
  /** Among the terms that automata share. */
  readonly term: Term;
  /** Term of the automaton that comes behind it. */
  readonly rest: Term;
  /** Whether it can be followed in the middle of a run of characters: it does not end with a byte of its own. */
  readonly isOpen: boolean;
}

interface Copy {
  readonly term: Term;
  readonly size: number;
  readonly callsRules: boolean;
}

/** Reads lexemes off the states of an automaton into terms that all automata of a tokenizer share, so that equal ones are one. */
export class LexemeReader {
  readonly #automaton: Automaton;
  readonly #shared: Terms;
  readonly #longest: number;
  readonly #copies = new Map<Term, Copy>();
  /** Copies whose bounds are those of the grammar. */
  readonly #exactCopies = new Map<Term, Copy>();
  readonly #parts = new Map<Term, Copy | undefined>();
  readonly #lexemes = new Map<Term, Lexeme | undefined>();
  readonly #openRules = new Set<number>();
  #depth = 0;
  #isExact = false;
  /** Terms that the copy that is being made may still have, and how many from the first call of a rule on. */
  #left = 0;
  #callingSize = 0;

  /** @param longest bytes of the longest token; bounds of repetitions that it cannot reach are all the same */
  constructor(automaton: Automaton, shared: Terms, longest: number) {
    this.#automaton = automaton;
    this.#shared = shared;
    this.#longest = longest;
  }

  /** The whole of a state; undefined if it is too large. */
  whole(state: Term): Lexeme | undefined {
    const copy = this.#within(MAX_SIZE, MAX_SIZE, state);
    return copy && { term: copy.term, rest: EMPTY, isOpen: true };
  }

  /** The lexeme that a state begins with: up to a byte that can be but one, or to a part that calls rules. */
  first(state: Term): Lexeme | undefined {
    if (this.#lexemes.has(state)) return this.#lexemes.get(state);
    const lexeme = this.#first(state);
    this.#lexemes.set(state, lexeme);
    return lexeme;
  }

  #first(state: Term): Lexeme | undefined {
    const { kinds, firsts, seconds } = this.#automaton.terms;
    const parts: Term[] = [];
    let rest = state;
    let isOpen = true;
    while (isOpen && rest !== EMPTY && parts.length < MAX_PARTS) {
      const isSequence = kinds[rest] === KIND.SEQUENCE;
      const part = isSequence ? firsts[rest]! : rest;
      if (kinds[part] === KIND.TEXT) {
        const { terms } = this.#automaton;
        const byte = terms.firstByte(part)!;
        parts.push(this.#shared.bytes([[byte, byte]]));
        rest = terms.sequence(terms.textRest(part), isSequence ? seconds[rest]! : EMPTY);
        isOpen = false;
        break;
      }
      const copy = this.#part(part);
      if (copy === undefined) break;
      parts.push(copy.term);
      rest = isSequence ? seconds[rest]! : EMPTY;
      isOpen = this.#automaton.terms.onlyByte(part) === undefined;
    }
    if (parts.length === 0) return undefined;
    return {
      term: parts.reduceRight((tail, part) => this.#shared.sequence(part, tail), EMPTY),
      rest,
      isOpen,
    };
  }

  /** A part of a sequence; of those that call rules only small repetitions, such as of the characters of a string. */
  #part(part: Term): Copy | undefined {
    if (this.#parts.has(part)) return this.#parts.get(part);
    const isRepeat = this.#automaton.terms.kinds[part] === KIND.REPEAT;
    const copy = this.#within(MAX_SIZE, isRepeat ? MAX_CALLING_SIZE : 0, part);
    this.#parts.set(part, copy);
    return copy;
  }

  /** A copy that makes so many terms at most, and fewer once it has called a rule. */
  #within(size: number, callingSize: number, term: Term): Copy | undefined {
    this.#left = size;
    this.#callingSize = callingSize;
    return this.#copy(term);
  }

  /** The same term among the shared ones, calls replaced by what they stand for; undefined with recursion or if it is too large. */
  #copy(term: Term): Copy | undefined {
    const copies = this.#isExact ? this.#exactCopies : this.#copies;
    const known = copies.get(term);
    if (known !== undefined) {
      if (known.callsRules) this.#left = Math.min(this.#left, this.#callingSize);
      this.#left -= known.size;
      return this.#left < 0 ? undefined : known;
    }
    if (this.#depth >= MAX_DEPTH || --this.#left < 0) return undefined;
    this.#depth++;
    const copy = this.#make(term);
    this.#depth--;
    if (copy !== undefined) copies.set(term, copy);
    return copy;
  }

  #make(term: Term): Copy | undefined {
    const { terms } = this.#automaton;
    const shared = this.#shared;
    const first = terms.firsts[term]!;
    const of = (parts: readonly Term[], join: (copies: readonly Term[]) => Term): Copy | undefined => {
      const copies: Copy[] = [];
      for (const part of parts) {
        const copy = this.#copy(part);
        if (copy === undefined) return undefined;
        copies.push(copy);
      }
      return {
        term: join(copies.map((copy) => copy.term)),
        size: copies.reduce((sum, { size }) => sum + size, 1),
        callsRules: copies.some(({ callsRules }) => callsRules),
      };
    };
    switch (terms.kinds[term]!) {
      case KIND.CONSTANT:
        return { term, size: 1, callsRules: false };
      case KIND.BYTES:
        return { term: shared.byteSet(terms.byteSets[first]!), size: 1, callsRules: false };
      case KIND.TEXT: {
        const text = terms.texts[first]!.subarray(terms.seconds[term]);
        return { term: shared.text(text), size: text.length, callsRules: false };
      }
      case KIND.SEQUENCE:
        return of([first, terms.seconds[term]!], ([head, tail]) => shared.sequence(head!, tail!));
      case KIND.CHOICE:
        return of(terms.lists[term]!, (parts) => shared.choice(parts));
      case KIND.REPEAT:
        return of([first], ([part]) => this.#repeat(part!, terms.seconds[term]!, terms.maxima[term]!));
      case KIND.BOTH:
        return this.#exactly(() => of(terms.lists[term]!, (parts) => shared.both(parts)));
      case KIND.NOT:
        return this.#exactly(() => of([first], ([part]) => shared.not(part!)));
      case KIND.START:
        return undefined;
      case KIND.RULE: {
        if (this.#openRules.has(first)) return undefined;
        this.#left = Math.min(this.#left, this.#callingSize);
        if (this.#left <= 0) return undefined;
        this.#openRules.add(first);
        const body = this.#copy(this.#automaton.ruleBody(first));
        this.#openRules.delete(first);
        return body && { ...body, callsRules: true };
      }
    }
  }

  /** A repetition that no token tells from the one that is asked for: each time takes a byte at least. */
  #repeat(part: Term, min: number, max: number): Term {
    if (this.#isExact) return this.#shared.repeat(part, min, max);
    return this.#shared.repeat(part, Math.min(min, this.#longest + 1), max > this.#longest ? Infinity : max);
  }

  /** Keeps bounds as they are: whether several terms match the same text can depend on those far behind a token. */
  #exactly<T>(make: () => T): T {
    const before = this.#isExact;
    this.#isExact = true;
    const made = make();
    this.#isExact = before;
    return made;
  }
}
