/**
 * Measures how long the chat templates of the oracle take to compile and to render, with a conversation that calls tools.
 *
 *   node dist/text/jinja/template.bench.js [json_file]
 *
 * Prints each template's source length, microseconds to compile, and microseconds to render (median and 99th percentile);
 * writes the same to the file.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { PythonError } from './python-error.js';
import { Template } from './template.js';
import { writeBenchRecord } from '../testing/bench-record.js';

const FOLDER = fileURLToPath(new URL('../../../oracle/scripts/jinja/', import.meta.url));
const CONVERSATION = 'call';
const ROUNDS = 2000;
const COMPILE_ROUNDS = 50;

interface Row {
  readonly template: string;
  readonly characters: number;
  readonly compileUs: number;
  readonly renderUs: number;
  readonly renderP99Us: number;
}

const conversations = JSON.parse(readFileSync(`${FOLDER}conversations.json`, 'utf8')) as Record<
  string,
  object
>;
const variables = {
  tools: null,
  documents: null,
  bos_token: '<s>',
  eos_token: '</s>',
  ...conversations[CONVERSATION],
};

/** Microseconds of each of many runs, in ascending order. */
function timesUs(rounds: number, run: () => void): number[] {
  const times = Array.from({ length: rounds }, () => {
    const start = performance.now();
    run();
    return (performance.now() - start) * 1000;
  });
  return times.toSorted((a, b) => a - b);
}

const at = (sorted: readonly number[], share: number): number =>
  Math.round(sorted[Math.floor(share * (sorted.length - 1))]! * 10) / 10;

/** Undefined for a template that refuses the conversation. */
function measure(name: string): Row | undefined {
  const source = readFileSync(`${FOLDER}templates/${name}`, 'utf8');
  const template = new Template(source);
  try {
    template.render(variables);
  } catch (error) {
    if (error instanceof PythonError) return undefined;
    throw error;
  }
  timesUs(ROUNDS, () => template.render(variables));
  const render = timesUs(ROUNDS, () => template.render(variables));
  const compile = timesUs(COMPILE_ROUNDS, () => new Template(source));
  return {
    template: name.replace('.jinja', ''),
    characters: source.length,
    compileUs: at(compile, 0.5),
    renderUs: at(render, 0.5),
    renderP99Us: at(render, 0.99),
  };
}

const rows = readdirSync(`${FOLDER}templates`)
  .map(measure)
  .filter((row) => row !== undefined)
  .toSorted((a, b) => b.characters - a.characters);
console.table(rows);
const [, , file] = process.argv;
if (file !== undefined)
  writeBenchRecord(file, 'dist/text/jinja/template.bench.js', { conversation: CONVERSATION, rows });
