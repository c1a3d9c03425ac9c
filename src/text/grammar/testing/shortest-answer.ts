/** Finds an answer that begins with a text, so that judges of whole answers can judge a beginning. */
import type { Grammar } from '../../../core/constraint.js';
import { Automaton } from '../automaton/automaton.js';
import { ALL, EMPTY, KIND, NOTHING, type Term } from '../automaton/terms.js';

/** Steps of the search. */
const SEARCH_WORK = 50_000_000;

/** An answer that begins with a text, shortest rest first; undefined if there is none. */
export function completed(grammar: Grammar, text: string): string | undefined {
  const automaton = new Automaton(grammar);
  automaton.allow(SEARCH_WORK);
  const lengthOf = shortestLengths(grammar, automaton);
  const begun = Buffer.from(text);
  const start = begun.reduce((state, byte) => automaton.next(state, byte), automaton.start);
  const from = new Map<Term, { readonly state: Term; readonly byte: number } | undefined>([
    [start, undefined],
  ]);
  /** [length of the rest] states to go on from; the nearest to an end come first. */
  const open: Term[][] = [];
  const add = (state: Term): void => void (open[lengthOf(state)] ??= []).push(state);
  if (start !== NOTHING) add(start);
  for (let near = nearest(open); near !== undefined; near = nearest(open)) {
    const state = near.pop()!;
    if (automaton.isAccepting(state)) return Buffer.concat([begun, pathTo(state, from)]).toString();
    for (let byte = 255; byte >= 0; byte--) {
      const next = automaton.next(state, byte);
      if (next === NOTHING || from.has(next)) continue;
      from.set(next, { state, byte });
      add(next);
    }
  }
  return undefined;
}

const nearest = (open: readonly (Term[] | undefined)[]): Term[] | undefined =>
  open.find((states) => states !== undefined && states.length > 0);

function pathTo(
  state: Term,
  from: ReadonlyMap<Term, { readonly state: Term; readonly byte: number } | undefined>,
): Buffer {
  const bytes: number[] = [];
  for (let way = from.get(state); way !== undefined; way = from.get(way.state)) bytes.push(way.byte);
  return Buffer.from(bytes.toReversed());
}

/** Length of the shortest text of a term, bytes; with `both`, of none that is longer. */
function shortestLengths(grammar: Grammar, automaton: Automaton): (term: Term) => number {
  const ruleLengths = grammar.rules.map(() => Infinity);
  let known = new Map<Term, number>();
  const lengthOf = (term: Term): number => {
    let length = known.get(term);
    if (length === undefined) known.set(term, (length = compute(term)));
    return length;
  };
  const compute = (term: Term): number => {
    const { kinds, firsts, seconds, lists } = automaton.terms;
    const first = firsts[term]!;
    switch (kinds[term]!) {
      case KIND.CONSTANT:
        return term === EMPTY || term === ALL ? 0 : Infinity;
      case KIND.BYTES:
        return 1;
      case KIND.TEXT:
        return automaton.terms.texts[first]!.length - seconds[term]!;
      case KIND.SEQUENCE:
        return lengthOf(first) + lengthOf(seconds[term]!);
      case KIND.CHOICE:
        return Math.min(...lists[term]!.map(lengthOf));
      case KIND.REPEAT:
        return seconds[term] === 0 ? 0 : seconds[term]! * lengthOf(first);
      case KIND.RULE:
        return ruleLengths[first]!;
      case KIND.BOTH:
        return Math.max(...lists[term]!.map(lengthOf));
      default:
        return 0;
    }
  };
  for (let isNew = true; isNew;) {
    isNew = false;
    for (const rule of grammar.rules.keys()) {
      const length = lengthOf(automaton.ruleBody(rule));
      isNew ||= length < ruleLengths[rule]!;
      ruleLengths[rule] = length;
    }
    known = new Map();
  }
  return lengthOf;
}
