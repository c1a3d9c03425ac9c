/**
 * Answers of engines under constraints, judged by ajv, by the regular expressions of JavaScript and by a recogniser of grammars.
 *
 *   node bench/constraints/always-valid.mjs [FILE]
 *
 * Each constraint is answered by random weights, by random weights that like to close what is open, and by the demo model; and once more by
 * random weights in overlapped steps, as GPUs run them, where masks are supplied after their step was submitted.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { LLM } from '../../dist/index.js';
import { answerCases, CONSTRAINT_CASES } from '../../dist/test/constraint-cases.js';
import { buildRandomDemo } from '../../dist/test/random-demo.js';
import { machineRecord } from '../../dist/tools/bench/machine.js';
import { buildDemo } from '../../dist/tools/cli/testing/command-line.js';

const LIMITS = ['--max_batch_size', '16', '--max_input_len', '64', '--max_output_len', '192'];
const OPTIONS = { maxOutputTokens: 160, parallel: 16 };

const folder = mkdtempSync(join(tmpdir(), 'aloft-always-valid-'));
const rows = [];
const wrong = [];
try {
  const demo = join(folder, 'demo');
  await buildDemo(demo, ...LIMITS);
  const random = await buildRandomDemo(folder, ...LIMITS);
  const runs = [
    { model: 'random weights', engine: random, endBias: 0, seed: 1 },
    { model: 'random weights, closing signs preferred', engine: random, endBias: 4, seed: 2 },
    { model: 'demo model', engine: demo, endBias: 0, seed: 3 },
    { model: 'random weights, overlapped steps', engine: random, endBias: 4, seed: 4, overlap: true },
  ];
  for (const { model, engine, endBias, seed, overlap = false } of runs) {
    const llm = await LLM.load(engine, { overlap });
    const startMs = performance.now();
    const tally = await answerCases(llm, CONSTRAINT_CASES, { ...OPTIONS, endBias, seed });
    const seconds = Math.round((performance.now() - startMs) / 1000);
    await llm.close();
    rows.push({
      model,
      answers: tally.ended + tally.cut,
      ended: tally.ended,
      cut: tally.cut,
      wrong: tally.wrong.length,
      seconds,
    });
    wrong.push(...tally.wrong);
    console.log(JSON.stringify(rows.at(-1)));
    for (const one of tally.wrong) console.log(JSON.stringify(one));
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
const count = (type) => CONSTRAINT_CASES.filter((one) => one.type === type).length;
const constraints = { json_schema: count('json_schema'), regex: count('regex'), grammar: count('grammar') };
console.log(JSON.stringify(constraints));
const [file] = process.argv.slice(2);
if (file !== undefined) {
  const command = ['node', 'bench/constraints/always-valid.mjs', ...process.argv.slice(2)];
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify({ machine: machineRecord(command), constraints, rows }, null, 2)}\n`);
}
if (wrong.length > 0) process.exitCode = 1;
