import type { Automaton } from '../automaton/automaton.js';
import { NOTHING, type Term, UNKNOWN } from '../automaton/terms.js';
import { type ByteRanges, utf8Ranges } from '../automaton/utf8-ranges.js';
import { type CodePoints, pairsOf } from '../code-points.js';

/** Number of characters of a set that may follow in any order. */
export interface FreeRun {
  /** Infinity: as many as a caller asks about. */
  readonly length: number;
  /** Whether no text of the set is longer. */
  readonly isLongest: boolean;
  /** [characters] the one state behind so many, the last also behind more; undefined where which characters they are matters. */
  readonly states: readonly Term[] | undefined;
}

const NONE: FreeRun = { length: 0, isLongest: false, states: undefined };

interface Step {
  readonly next: readonly Term[];
  /** Whether some character cannot follow. */
  readonly hasDead: boolean;
}

/** Finds from which states texts of a set of characters can go on freely. */
export class FreeRuns {
  readonly #automaton: Automaton;
  readonly #sequences: readonly ByteRanges[];
  readonly #steps = new Map<Term, Step>();

  constructor(automaton: Automaton, characters: CodePoints) {
    this.#automaton = automaton;
    this.#sequences = pairsOf(characters).flatMap(([first, last]) => utf8Ranges(first, last));
  }

  /** @param enough length behind which it does not matter */
  of(state: Term, enough: number): FreeRun {
    if (!this.#mayBegin(state)) return NONE;
    let front: ReadonlySet<Term> = new Set([state]);
    const states: Term[] = [state];
    let isSingle = true;
    for (let length = 0; length <= enough; length++) {
      const next = new Set<Term>();
      let hasDead = false;
      for (const at of front) {
        const step = this.#step(at);
        hasDead ||= step.hasDead;
        for (const term of step.next) next.add(term);
      }
      if (hasDead) return { length, isLongest: next.size === 0, states: isSingle ? states : undefined };
      if (next.size === front.size && [...next].every((term) => front.has(term))) break;
      isSingle &&= next.size === 1;
      if (isSingle) states.push([...next][0]!);
      front = next;
    }
    return { length: Infinity, isLongest: true, states: isSingle ? states : undefined };
  }

  /** False only if some character cannot follow; most states show it with one byte. */
  #mayBegin(state: Term): boolean {
    return this.#sequences.every(([range]) => this.#automaton.next(state, range![0]) !== NOTHING);
  }

  /** States after one character. */
  #step(state: Term): Step {
    let step = this.#steps.get(state);
    if (step === undefined) this.#steps.set(state, (step = this.#compute(state)));
    return step;
  }

  #compute(state: Term): Step {
    const next = new Set<Term>();
    let hasDead = false;
    for (const ranges of this.#sequences) {
      let front = new Set([state]);
      for (const [first, last] of ranges) {
        const reached = new Set<Term>();
        for (const at of front) this.#addNext(at, [first, last], reached);
        hasDead = reached.delete(NOTHING) || hasDead;
        front = reached;
      }
      for (const term of front) next.add(term);
    }
    return { next: [...next], hasDead };
  }

  /** Neighbouring bytes mostly lead to one state. */
  #addNext(state: Term, [first, last]: readonly [number, number], reached: Set<Term>): void {
    let before: Term = UNKNOWN;
    for (let byte = first; byte <= last; byte++) {
      const next = this.#automaton.next(state, byte);
      if (next !== before) reached.add(next);
      before = next;
    }
  }
}
