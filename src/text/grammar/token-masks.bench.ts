/** node dist/text/grammar/token-masks.bench.js: time of compilations and masks over the test schemas and 128,256 tokens. */
import { compileConstraint } from './compile-constraint.js';
import { randomSource } from './testing/random-texts.js';
import { SCHEMAS } from './testing/schemas.js';
import { largeVocabulary } from './testing/large-vocabulary.js';
import { LexemeTokenCache } from './vocabulary/lexeme-tokens.js';
import { SharedAutomaton, TokenMatcher } from './token-matcher.js';

const ANSWERS = 4;
const MAX_TOKENS = 120;

const tokens = largeVocabulary();
const lexemes = new LexemeTokenCache(tokens);
const random = randomSource(1);
const compileMs: number[] = [];
const maskMs: number[] = [];

/** One of the tokens that a mask allows; the end of a string, list or object more often than others. */
function choose(bits: Int32Array): number {
  for (const byte of [0x22, 0x7d, 0x5d])
    if ((bits[byte >> 5]! >>> (byte & 31)) & 1 && random() < 0.15) return byte;
  const start = Math.floor(random() * tokens.vocabulary);
  for (let i = 0; i < tokens.vocabulary; i++) {
    const id = (start + i) % tokens.vocabulary;
    if ((bits[id >> 5]! >>> (id & 31)) & 1) return id;
  }
  return -1;
}

/** Time of the mask behind each token of an answer, the mask of the start included. */
function answer(matcher: TokenMatcher): void {
  for (let count = 0; count < MAX_TOKENS && !matcher.isComplete; count++) {
    const startMs = performance.now();
    const mask = matcher.mask();
    maskMs.push(performance.now() - startMs);
    if (matcher.isAccepting && random() < 0.2) return;
    const id = choose(mask.bits);
    if (id < 0) return;
    matcher.accept(id);
  }
}

for (const [, schema] of SCHEMAS) {
  const startMs = performance.now();
  const grammar = compileConstraint({ type: 'json_schema', schema });
  compileMs.push(performance.now() - startMs);
  const constraint = { key: 'bench', grammar, tokens, droppedSpaces: 0, startsText: false };
  const automaton = new SharedAutomaton(constraint, lexemes);
  for (let i = 0; i < ANSWERS; i++) answer(new TokenMatcher(automaton, constraint));
}

const rank = (values: readonly number[], share: number): string =>
  values.toSorted((a, b) => a - b)[Math.floor(share * (values.length - 1))]!.toFixed(3);
const mean = maskMs.reduce((sum, ms) => sum + ms, 0) / maskMs.length;
console.log(
  `compile: p50 ${rank(compileMs, 0.5)} ms, largest ${rank(compileMs, 1)} ms of ${compileMs.length} schemas`,
);
console.log(
  `masks: mean ${(mean * 1000).toFixed(1)} us, p50 ${rank(maskMs, 0.5)} ms, p99 ${rank(maskMs, 0.99)} ms, ` +
    `p99.9 ${rank(maskMs, 0.999)} ms, largest ${rank(maskMs, 1)} ms of ${maskMs.length}`,
);
