/**
 * Cost of constraints in a step, from a bundle (scripts/bundle.mjs): 64 rows without a constraint, 64 with one, and half of each.
 *
 *   <bundle>/node <bundle>/app/bench/cuda/constrained-rows.mjs [--out DIR] [--work DIR] [--engine int8 | fp16] [--engine_dir DIR]
 *     [--rows 64] [--tokens 64] [--rounds 60] [--seconds 300] [--cuda-library-path FOLDERS] [--device cpu]
 *
 * The engine has LLaMA-2-7B's shape and random weights; one that stands in the work folder, where acceptance.mjs builds the same,
 * is taken as it is. With it a run takes about a minute. Constrained rows write lists of JSON objects under eight schemas, too
 * long to end; all rows have the same prompts and lengths, and are sampled in the same way. A step's time is that from the
 * results of the step before to its own, at full batches without prompts: every row takes part in every one of them.
 *
 * A GPU's clock drifts by more than what is looked for. So the three kinds take turns in many short rounds, in every order
 * equally often, and a kind is compared with the free rows of its own round. A figure is the median of these differences, and the
 * median of endlessly many rounds lies in the interval beside it with a probability of 95%, whatever their distribution. The
 * first round, which fills the caches of masks, does not count. `--device cpu` rehearses with the demo model.
 *
 * The record goes to DIR/constrained-rows-*.json. Exit status 1 when a step of constrained rows takes over 2% more than one of
 * free rows, or when free rows beside constrained ones wait over 0.5% longer for a token than among free ones; times of a CPU, which
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
    tokens: { type: 'string', default: '64' },
    rounds: { type: 'string', default: '60' },
    seconds: { type: 'string', default: '300' },
    device: { type: 'string', default: 'cuda' },
    'cuda-library-path': { type: 'string' },
  },
});
/** Largest share of a step of free rows by which another kind of step may take longer. */
const MOST_COST = { constrained: 0.02, mixed: 0.005 };
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

/** Every order in which the kinds can follow each other. */
const ORDERS = Object.keys(isConstrained).flatMap((first, i, arms) => {
  const [second, third] = arms.toSpliced(i, 1);
  return [
    [first, second, third],
    [first, third, second],
  ];
});

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

/** Means of steps in which every row takes part and no prompt is read. */
function meansOf(steps, arm) {
  const isWhole = ({ prefillRowCount, decodeRowCount }) => prefillRowCount === 0 && decodeRowCount === rows;
  const whole = steps.filter((step, i) => i > 0 && isWhole(step) && isWhole(steps[i - 1]));
  if (whole.length < 8) throw new Error(`only ${whole.length} steps of ${arm} rows were whole`);
  const before = new Map(steps.map((step) => [step.stepId + 1, step.timeMs]));
  const mean = (member) => round(meanOf(whole.map((step) => step[member])));
  return {
    steps: whole.length,
    meanMs: round(meanOf(whole.map(({ stepId, timeMs }) => timeMs - before.get(stepId)))),
    deviceMs: mean('deviceMs'),
    idleMs: mean('idleMs'),
    hostMs: mean('hostMs'),
  };
}

/** Median, and the values between which the median of all rounds lies with 95%: their ranks follow from a coin's throws. */
function medianOf(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  const median = (sorted[Math.floor(middle)] + sorted[Math.ceil(middle)]) / 2;
  const reach = Math.ceil(0.98 * Math.sqrt(sorted.length));
  const at = (rank) => sorted[Math.min(sorted.length - 1, Math.max(0, rank))];
  return {
    median: round(median),
    low: round(at(Math.floor(middle) - reach)),
    high: round(at(Math.ceil(middle) + reach)),
  };
}

/** Differences of a kind of rows from the free rows of the same round; `step` is a share of their time. */
const costOf = (arm, all) => ({
  step: medianOf(all.map((means) => means[arm].meanMs / means.free.meanMs - 1)),
  deviceMs: medianOf(all.map((means) => means[arm].deviceMs - means.free.deviceMs)),
  idleMs: medianOf(all.map((means) => means[arm].idleMs - means.free.idleMs)),
  hostMs: medianOf(all.map((means) => means[arm].hostMs - means.free.hostMs)),
});

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
    const means = {};
    for (const arm of ORDERS[count % ORDERS.length]) means[arm] = meansOf(await stepsOf(llm, arm), arm);
    rounds.push(means);
    const texts = Object.entries(means).map(
      ([arm, { meanMs, idleMs }]) => `${arm} ${meanMs} ms (idle ${idleMs})`,
    );
    session.log(`${count === 0 ? 'first round' : `round ${count}`}: ${texts.join(', ')}\n`);
  }
} finally {
  await llm.close();
}
const [firstRound, ...others] = rounds;
const cost = { constrained: costOf('constrained', others), mixed: costOf('mixed', others) };
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
const textOf = ({ step, deviceMs, idleMs }) =>
  `${percent(step.median)} (${percent(step.low)} to ${percent(step.high)}), of it device ${deviceMs.median} ms, idle ${idleMs.median} ms`;
session.log(`a step of ${rows} constrained rows costs more than a free one by ${textOf(cost.constrained)}\n`);
session.log(`free rows beside constrained ones wait longer for a token by ${textOf(cost.mixed)}\n`);
session.log(`record: ${file}\n`);
const isTooMuch = Object.entries(MOST_COST).some(([arm, most]) => cost[arm].step.median > most);
if (flags.device === 'cuda' && isTooMuch) process.exitCode = 1;
