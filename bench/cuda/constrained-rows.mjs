/**
 * Cost of constraints in a step, from a bundle (scripts/bundle.mjs): 64 rows without a constraint, 64 with one, and half of each.
 *
 *   <bundle>/node <bundle>/app/bench/cuda/constrained-rows.mjs [--out DIR] [--work DIR] [--engine int8 | fp16] [--engine_dir DIR]
 *     [--rows 64] [--tokens 192] [--rounds 5] [--seconds 300] [--cuda-library-path FOLDERS] [--device cpu]
 *
 * The engine has LLaMA-2-7B's shape and random weights; one that stands in the work folder, where acceptance.mjs builds the same,
 * is taken as it is. With it a run takes less than a minute. Constrained rows write lists of JSON objects under eight schemas, too
 * long to end; all rows have the same prompts and lengths, and are sampled in the same way. A step's time is that from the
 * results of the step before to its own, at full batches without prompts: every row takes part in every one of them. The first round fills the caches of masks; a figure is
 * the least of the others, as a disturbance only ever takes time. `--device cpu` rehearses with the demo model.
 *
 * The record goes to DIR/constrained-rows-*.json. Exit status 1 when a step of constrained rows takes over 2% more than one of
 * free rows, or when free rows beside constrained ones wait over 2% longer for a token than among free ones; times of a CPU, which
 * computes steps and masks with the same cores, are not judged.
 */
import { existsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { LLM } from '../../dist/index.js';
import { machineRecord } from '../../dist/tools/bench/machine.js';
import { readJson } from './acceptance/json.mjs';
import { fileNameOf, machineOf, queryDriver } from './acceptance/run-record.mjs';
import { createSession } from './acceptance/session.mjs';
import { build, INT8 } from './acceptance/speed.mjs';
import { writeWideTokenizer } from './acceptance/wide-tokenizer.mjs';

const { values: flags } = parseArgs({
  options: {
    out: { type: 'string', default: 'constrained-rows' },
    work: { type: 'string', default: join(tmpdir(), 'aloft-acceptance') },
    engine: { type: 'string', default: 'int8' },
    engine_dir: { type: 'string' },
    rows: { type: 'string', default: '64' },
    tokens: { type: 'string', default: '192' },
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '300' },
    device: { type: 'string', default: 'cuda' },
    'cuda-library-path': { type: 'string' },
  },
});
const MOST_COST = 0.02;
const PROMPT_TOKENS = 16;
const session = createSession(flags, fileURLToPath(new URL('../..', import.meta.url)));
const DEMO = join(session.app, 'models/demo');
const rows = Number(flags.rows);

/** Values of objects as tools have them: texts, free and bounded, numbers, enums, lists, objects in objects. */
const VALUES = [
  { type: 'string' },
  { type: 'string', maxLength: 12 },
  { type: 'integer', minimum: 0, maximum: 5000 },
  { type: 'number' },
  { enum: ['low', 'medium', 'high'] },
  { type: 'array', items: { type: 'string', maxLength: 8 }, minItems: 1, maxItems: 3 },
  { type: 'boolean' },
  { type: ['string', 'null'], format: 'date' },
];

/** A list of 1,000 objects, whose members begin with another value for each schema. */
function listSchema(first) {
  const names = ['title', 'short_name', 'count', 'score', 'urgency', 'tags', 'done', 'due'];
  const values = names.map((name, i) => [name, VALUES[(first + i) % VALUES.length]]);
  const inner = { type: 'object', properties: { x: VALUES[1], y: VALUES[2] }, required: ['x'] };
  const properties = { ...Object.fromEntries(values), place: inner };
  const required = [...names, 'place'];
  return { type: 'array', minItems: 1000, items: { type: 'object', properties, required } };
}

const CONSTRAINTS = VALUES.map((_, i) => ({ type: 'json_schema', schema: listSchema(i) }));

async function engineDirectory() {
  if (flags.engine_dir !== undefined) return flags.engine_dir;
  if (flags.device !== 'cuda') {
    const limits = ['--max_batch_size', flags.rows, '--max_input_len', '64', '--max_output_len', '512'];
    const model = ['--model_dir', DEMO, '--output_dir', session.work('demo-rows')];
    await session.aloft(['build', '--force', ...model, ...limits], 120);
    return session.work('demo-rows');
  }
  const folder = session.work(flags.engine);
  if (!existsSync(join(folder, 'config.json')))
    session.log(`${await build(session, flags.engine, flags.engine === 'int8' ? INT8 : [])}\n`);
  return folder;
}

const isConstrained = {
  free: () => false,
  constrained: () => true,
  mixed: (row) => row % 2 === 1,
};

/** Answers all rows at once. @returns statistics of the steps, in their order */
async function stepsOf(llm, arm) {
  const steps = [];
  const stop = llm.batcher.onStep((stats) => steps.push(stats));
  const answers = Array.from({ length: rows }, async (_, row) => {
    const tokenIds = Array.from({ length: PROMPT_TOKENS }, (__, i) => 300 + ((row * 31 + i * 7) % 900));
    const constraint = isConstrained[arm](row) ? CONSTRAINTS[row % CONSTRAINTS.length] : undefined;
    const { finishReason } = await llm.complete({
      prompt: { type: 'tokens', tokenIds },
      maxOutputTokens: Number(flags.tokens),
      temperature: 1,
      seed: row,
      ignoreEos: true,
      constraint,
    });
    if (finishReason !== 'length') throw new Error(`an answer of ${arm} rows ended with ${finishReason}`);
  });
  await Promise.all(answers);
  stop();
  return steps;
}

const meanOf = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
const round = (value) => Math.round(value * 10_000) / 10_000;

/** Milliseconds of steps in which every row takes part and no prompt is read. */
function timesOf(steps, arm) {
  const isWhole = ({ prefillRowCount, decodeRowCount }) => prefillRowCount === 0 && decodeRowCount === rows;
  const whole = steps.filter((step, i) => i > 0 && isWhole(step) && isWhole(steps[i - 1]));
  if (whole.length < 8) throw new Error(`only ${whole.length} steps of ${arm} rows were whole`);
  const before = new Map(steps.map((step) => [step.stepId + 1, step.timeMs]));
  const times = whole.map(({ stepId, timeMs }) => timeMs - before.get(stepId)).toSorted((a, b) => a - b);
  const mean = (member) => round(meanOf(whole.map((step) => step[member])));
  const at = (share) => round(times[Math.floor(share * (times.length - 1))]);
  return {
    steps: whole.length,
    meanMs: round(meanOf(times)),
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    deviceMs: mean('deviceMs'),
    idleMs: mean('idleMs'),
    hostMs: mean('hostMs'),
  };
}

const directory = await engineDirectory();
const startedMs = performance.now();
const { builder_config: config } = readJson(join(directory, 'config.json'));
const tokenizerDirectory = session.work('wide-tokenizer');
writeWideTokenizer(DEMO, tokenizerDirectory, config.vocab_size);
const libraryPath = session.libraryPath === undefined ? {} : { cudaLibraryPath: session.libraryPath };
const llm = await LLM.load(directory, { tokenizerDirectory, ...libraryPath });
const rounds = [];
try {
  for (let count = 0; count <= Number(flags.rounds); count++) {
    const arms = Object.keys(isConstrained);
    const times = {};
    for (const arm of count % 2 === 0 ? arms : arms.toReversed())
      times[arm] = timesOf(await stepsOf(llm, arm), arm);
    rounds.push(times);
    const texts = arms.map((arm) => `${arm} ${times[arm].meanMs} ms (idle ${times[arm].idleMs})`);
    session.log(`${count === 0 ? 'first round' : `round ${count}`}: ${texts.join(', ')}\n`);
  }
} finally {
  await llm.close();
}
const [firstRound, ...others] = rounds;
const least = (arm, member) => Math.min(...others.map((times) => times[arm][member]));
const costOf = (arm, member) => round(least(arm, member) / least('free', member) - 1);
const cost = {
  constrained: { mean: costOf('constrained', 'meanMs'), p50: costOf('constrained', 'p50Ms') },
  freeBesideConstrained: { mean: costOf('mixed', 'meanMs'), p50: costOf('mixed', 'p50Ms') },
};
const { commit, ...record } = machineRecord([]);
const devices = await session.aloft(['devices', ...session.libraryFlags], 30);
const result = {
  commit,
  machine: machineOf({ record, devices, smi: queryDriver() }),
  command: `node bench/cuda/constrained-rows.mjs --engine ${flags.engine} --rows ${rows} --tokens ${flags.tokens} --rounds ${flags.rounds} --device ${flags.device}`,
  date: record.date,
  vocabulary: config.vocab_size,
  seconds: round((performance.now() - startedMs) / 1000),
  cost,
  firstRound,
  rounds: others,
};
const file = session.out(`constrained-rows-${fileNameOf(result)}`);
writeFileSync(file, `${JSON.stringify(result, undefined, 2)}\n`);
const percent = (share) => `${(100 * share).toFixed(2)}%`;
session.log(
  `a step of ${rows} constrained rows costs ${percent(cost.constrained.mean)} more than a free one\n`,
);
session.log(`free rows beside constrained ones: ${percent(cost.freeBesideConstrained.mean)} a token\n`);
session.log(`record: ${file}\n`);
const isTooMuch = Object.values(cost).some(({ mean }) => mean > MOST_COST);
if (flags.device === 'cuda' && isTooMuch) process.exitCode = 1;
