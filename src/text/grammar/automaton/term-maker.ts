import type { Grammar } from '../../../core/constraint.js';
import { pairsOf } from '../code-points.js';
import { EMPTY, type Term, type Terms } from './terms.js';
import { type ByteRanges, utf8Ranges } from './utf8-ranges.js';

/** Turns nodes of a grammar into terms, each when it is first asked for. */
export class TermMaker {
  readonly #grammar: Grammar;
  readonly #terms: Terms;
  readonly #made = new Map<number, Term>();

  constructor(grammar: Grammar, terms: Terms) {
    this.#grammar = grammar;
    this.#terms = terms;
  }

  rule(rule: number): Term {
    return this.term(this.#grammar.rules[rule]!.node);
  }

  term(node: number): Term {
    let term = this.#made.get(node);
    if (term === undefined) this.#made.set(node, (term = this.#make(node)));
    return term;
  }

  #make(id: number): Term {
    const node = this.#grammar.nodes[id]!;
    const terms = this.#terms;
    const parts = (ids: readonly number[]): Term[] => ids.map((part) => this.term(part));
    switch (node.type) {
      case 'empty':
        return EMPTY;
      case 'text':
        return terms.text(Buffer.from(node.text));
      case 'characters':
        return this.#byteTree(pairsOf(node.ranges).flatMap(([first, last]) => utf8Ranges(first, last)));
      case 'sequence':
        return parts(node.parts).reduceRight((tail, head) => terms.sequence(head, tail), EMPTY);
      case 'choice':
        return terms.choice(parts(node.parts));
      case 'repeat':
        return terms.repeat(this.term(node.part), node.min, node.max);
      case 'rule':
        return terms.rule(node.rule);
      case 'both':
        return terms.both(parts(node.parts));
      case 'not':
        return terms.not(this.term(node.part));
    }
  }

  /** Any of several sequences of byte ranges, whose first ranges are equal or apart. */
  #byteTree(sequences: readonly ByteRanges[]): Term {
    const last = sequences.filter(({ length }) => length === 1).map(([range]) => range!);
    const tails = new Map<string, { readonly range: ByteRanges[number]; readonly rests: ByteRanges[] }>();
    for (const [range, ...rest] of sequences) {
      if (rest.length === 0) continue;
      const key = range!.join();
      if (!tails.has(key)) tails.set(key, { range: range!, rests: [] });
      tails.get(key)!.rests.push(rest);
    }
    const terms = this.#terms;
    return terms.choice([
      ...(last.length > 0 ? [terms.bytes(last)] : []),
      ...Array.from(tails.values(), ({ range, rests }) =>
        terms.sequence(terms.bytes([range]), this.#byteTree(rests)),
      ),
    ]);
  }
}
