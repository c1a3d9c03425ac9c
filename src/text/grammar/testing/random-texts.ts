/** Random texts of a grammar, for tests and benchmarks. */
import type { Grammar } from '../../../core/constraint.js';
import { Automaton } from '../automaton/automaton.js';
import { NOTHING } from '../automaton/terms.js';
import { GRAMMAR_LIMITS } from '../limits.js';

/** Numbers from 0 to 1 that a seed decides. */
export function randomSource(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/**
 * Bytes of a text that the grammar matches; undefined when it did not end in time.
 * @param ends characters that come more often: those of strings, lists and objects, so that most texts end
 */
export function randomText(
  automaton: Automaton,
  random: () => number,
  maxBytes = 400,
  ends = '"]}',
): Buffer | undefined {
  const endBytes = Buffer.from(ends);
  const bytes: number[] = [];
  let state = automaton.start;
  while (bytes.length < maxBytes) {
    automaton.allow(GRAMMAR_LIMITS.maskWork);
    const next = Array.from({ length: 256 }, (_, byte) => byte).filter(
      (byte) => automaton.next(state, byte) !== NOTHING,
    );
    if (automaton.isAccepting(state) && (next.length === 0 || random() < 0.3)) return Buffer.from(bytes);
    const ending = next.filter((byte) => endBytes.includes(byte));
    const from = ending.length > 0 && random() < 0.4 ? ending : next;
    const byte = from[Math.floor(random() * from.length)]!;
    bytes.push(byte);
    state = automaton.next(state, byte);
  }
  return undefined;
}

/** Whether a grammar matches a text. */
export function matches(grammar: Grammar, text: string): boolean {
  const automaton = new Automaton(grammar);
  let state = automaton.start;
  for (const byte of Buffer.from(text)) state = automaton.next(state, byte);
  return automaton.isAccepting(state);
}
