/**
 * Trial of a tokenizer's regular expressions in a process of its own. The library's engine backtracks, and beyond its limit it does
 * not fail but ends the process: a text of 41 letters against `(a+)+$` did. A checkpoint brings its patterns, and users bring texts.
 */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { AloftError } from '../../core/errors.js';
import { type HfTokenizerJson, isRecord } from './hf-json.js';

const PROGRAM = fileURLToPath(new URL('./pattern-trial-process.js', import.meta.url));

/** The trial takes a tenth of a second; a pattern that needs so long holds up every request. */
const LIMIT_MS = 20_000;

/**
 * Tries the patterns of a tokenizer, if it has any, on texts that make expressions backtrack.
 * @throws {AloftError} TOKENIZER_INVALID when they end the process, or take too long
 */
export async function tryPatterns(json: HfTokenizerJson, path: string): Promise<void> {
  const { normalizer, pre_tokenizer: preTokenizer } = json;
  if (!hasPattern(normalizer) && !hasPattern(preTokenizer)) return;
  const outcome = await runTrial(JSON.stringify(partsAlone(normalizer, preTokenizer)));
  if (outcome === undefined) return;
  const message = `${path} has a regular expression that ${outcome} on a text of a few thousand characters; use the tokenizer of the model's publisher.`;
  throw new AloftError('TOKENIZER_INVALID', message);
}

function hasPattern(component: unknown): boolean {
  if (Array.isArray(component)) return component.some(hasPattern);
  if (!isRecord(component)) return false;
  return typeof component['Regex'] === 'string' || Object.values(component).some(hasPattern);
}

/** The stages with patterns over a vocabulary of nothing, which is read in no time. */
function partsAlone(normalizer: unknown, preTokenizer: unknown) {
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: [],
    normalizer,
    pre_tokenizer: preTokenizer,
    post_processor: null,
    decoder: null,
    model: { type: 'WordLevel', vocab: { unknown: 0 }, unk_token: 'unknown' },
  };
}

/** @returns what went wrong, as the rest of a sentence */
async function runTrial(tokenizer: string): Promise<string | undefined> {
  return await new Promise((resolve) => {
    const child = spawn(process.execPath, [PROGRAM], { stdio: ['pipe', 'ignore', 'ignore'] });
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      child.kill('SIGKILL');
    }, LIMIT_MS);
    const end = (outcome: string | undefined) => {
      clearTimeout(timer);
      resolve(outcome);
    };
    child.on('error', () => end('cannot be tried'));
    child.on('exit', (status) =>
      end(status === 0 ? undefined : isLate ? 'takes too long' : 'ends the process of its engine'),
    );
    // A child that has died does not read; its exit says so.
    child.stdin.on('error', () => undefined);
    child.stdin.end(tokenizer);
  });
}
