/**
 * Time of compilations and of masks over the schemas of the tests and 128,256 tokens:
 *   node dist/text/grammar/token-masks.bench.js [FILE]
 *
 * Every mask counts, those of new states included. A pass starts with empty caches and follows the same random answers, so a
 * mask has a time in each pass. `first pass` is that of a process whose code is not compiled yet; `each alone` empties the
 * caches before each schema, as if it were the first one that a tokenizer meets. The others are the minimum of several
 * passes, since other programs run on the machine.
 */
import type { Grammar, TokenVocabulary } from '../../core/constraint.js';
import { compileConstraint } from './compile-constraint.js';
import { packGrammar } from './packed-grammar.js';
import { CASE_SCHEMAS } from './testing/case-schemas.js';
import { largeVocabulary } from './testing/large-vocabulary.js';
import { publishedVocabulary } from './testing/published-vocabulary.js';
import { randomSource } from './testing/random-texts.js';
import { SharedAutomaton, TokenMatcher } from './token-matcher.js';
import { LexemeTokenCache } from './vocabulary/lexeme-tokens.js';
import { writeBenchRecord } from '../testing/bench-record.js';

const ANSWERS = 2;
const MAX_TOKENS = 120;
const PASSES = 9;

/** Picks one of the tokens that a mask allows; the end of a string, list or object more often than others. */
function chooser(tokens: TokenVocabulary, random: () => number): (bits: Int32Array) => number {
  const { tokenOffsets, tokenBytes, vocabulary } = tokens;
  const ends = Array.from({ length: vocabulary }, (_, id) => id).filter(
    (id) =>
      tokenOffsets[id + 1]! - tokenOffsets[id]! === 1 &&
      [0x22, 0x7d, 0x5d].includes(tokenBytes[tokenOffsets[id]!]!),
  );
  const isAllowed = (bits: Int32Array, id: number): boolean => ((bits[id >> 5]! >>> (id & 31)) & 1) === 1;
  return (bits) => {
    for (const id of ends) if (isAllowed(bits, id) && random() < 0.15) return id;
    const start = Math.floor(random() * vocabulary);
    for (let i = 0; i < vocabulary; i++) {
      const id = (start + i) % vocabulary;
      if (isAllowed(bits, id)) return id;
    }
    return -1;
  };
}

/** Milliseconds of the masks of answers to all grammars, caches empty at first. */
function passMs(tokens: TokenVocabulary, grammars: readonly Grammar[], isAlone: boolean): number[] {
  const random = randomSource(1);
  const choose = chooser(tokens, random);
  const times: number[] = [];
  let lexemes = new LexemeTokenCache(tokens);
  for (const grammar of grammars) {
    if (isAlone) lexemes = new LexemeTokenCache(tokens);
    const constraint = {
      key: 'bench',
      grammar: packGrammar(grammar),
      tokens,
      droppedSpaces: 0,
      startsText: false,
    };
    const automaton = new SharedAutomaton(constraint, lexemes);
    for (let i = 0; i < ANSWERS; i++) {
      const matcher = new TokenMatcher(automaton, constraint);
      for (let count = 0; count < MAX_TOKENS && !matcher.isComplete; count++) {
        const startMs = performance.now();
        const { bits } = matcher.mask();
        times.push(performance.now() - startMs);
        if (matcher.isAccepting && random() < 0.2) break;
        const id = choose(bits);
        if (id < 0) break;
        matcher.accept(id);
      }
    }
  }
  return times;
}

function summary(vocabulary: string, what: string, timesMs: readonly number[]) {
  const sorted = timesMs.toSorted((a, b) => a - b);
  const at = (share: number): number => round(sorted[Math.floor(share * (sorted.length - 1))]! * 1000);
  return {
    vocabulary,
    what,
    masks: sorted.length,
    meanUs: round((sorted.reduce((sum, ms) => sum + ms, 0) / sorted.length) * 1000),
    p50Us: at(0.5),
    p99Us: at(0.99),
    p999Us: at(0.999),
    largestUs: at(1),
  };
}

const round = (value: number): number => Math.round(value * 10) / 10;
const least = (passes: readonly (readonly number[])[]): number[] =>
  passes[0]!.map((_, i) => Math.min(...passes.map((times) => times[i]!)));

const compileMs: number[] = [];
const grammars = CASE_SCHEMAS.map((schema) => {
  const startMs = performance.now();
  const grammar = compileConstraint({ type: 'json_schema', schema });
  compileMs.push(performance.now() - startMs);
  return grammar;
});
const rows = Object.entries({ published: publishedVocabulary, 'made of syllables': largeVocabulary }).flatMap(
  ([name, make]) => {
    const tokens = make();
    const first = passMs(tokens, grammars, false);
    const passes = Array.from({ length: PASSES }, () => passMs(tokens, grammars, false));
    const alone = Array.from({ length: PASSES }, () => passMs(tokens, grammars, true));
    return [
      summary(name, 'first pass', first),
      summary(name, 'all schemas', least(passes)),
      summary(name, 'each alone', least(alone)),
    ];
  },
);
console.table(rows);
const sortedMs = compileMs.toSorted((a, b) => a - b);
const compile = {
  schemas: sortedMs.length,
  p50Ms: round(sortedMs[sortedMs.length >> 1]!),
  largestMs: round(sortedMs.at(-1)!),
};
console.log(JSON.stringify(compile));
const [, , file] = process.argv;
if (file !== undefined) writeBenchRecord(file, 'dist/text/grammar/token-masks.bench.js', { compile, rows });
