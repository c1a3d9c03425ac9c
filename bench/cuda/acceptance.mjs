/**
 * Checks and measures the CUDA device on a machine with a GPU, from a bundle (scripts/bundle.mjs):
 *
 *   <bundle>/node <bundle>/app/bench/cuda/acceptance.mjs --out DIR [--work DIR] [--seconds 540] [--only part,part]
 *     [--cuda-library-path FOLDERS] [--arch-engine DIR]
 *
 * Parts (acceptance/parts.mjs) run in order of importance, each under its own time limit and the whole under `--seconds`; one
 * that cannot end in time is skipped. Exit status 1 when a part failed or was skipped. Where a command may take ten minutes
 * and the machine stays, calls with one `--work` folder share engines. On an H200 these take 5 to 8 minutes each:
 *
 *   --only build-int8,int8-short,build-fp16,fp16-short,int8-long,fp16-long,host-time,inflight     (README's speed tables)
 *   --only conformance,memcheck,racecheck
 *   --only demo,tests,warmup,arch-build,profile,int8-untuned,timing-cache,plan-memory
 *   --only int8-capped-short,int8-capped-long,fp16-capped-short,fp16-capped-long,fp16-kv8-capped  (README's memory table)
 *
 * Builds tune their kernels, so nothing else may compute on the GPU beside them. Nor may anything keep the host's cores busy
 * while a part measures, such as a build for another GPU, which compiles on all of them: a step that is planned late shows.
 *
 * A part that reads another one's engine runs that one first unless it ran in the same `--work` folder at the same commit.
 * `--arch-engine` is an engine of the demo model that was built with `--arch` on a machine without a GPU; without one, the
 * part that moves such an engine builds it here.
 *
 * All that is printed goes to DIR/acceptance.log. The run's record goes to a file that is named after GPU, commit and time
 * (acceptance/run-record.mjs), after each part. Copied into bench/results/cuda it is a result; `npm run readme-tables`
 * then writes the README's tables. Make the bundle from a clean tree: that script refuses records of any other.
 */
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { machineRecord } from '../../dist/tools/bench/machine.js';
import { readJson } from './acceptance/json.mjs';
import { PARTS } from './acceptance/parts.mjs';
import { partsToRun } from './acceptance/parts-to-run.mjs';
import { commandOf, fileNameOf, machineOf, queryDriver } from './acceptance/run-record.mjs';
import { createSession } from './acceptance/session.mjs';

const { values: flags } = parseArgs({
  options: {
    out: { type: 'string', default: 'acceptance' },
    work: { type: 'string', default: join(tmpdir(), 'aloft-acceptance') },
    seconds: { type: 'string', default: '540' },
    only: { type: 'string' },
    'cuda-library-path': { type: 'string' },
    'arch-engine': { type: 'string' },
  },
});
const session = createSession(flags, fileURLToPath(new URL('../..', import.meta.url)));
const { commit, ...record } = machineRecord([]);

/** Parts that ran in this work folder at this commit, by name, with their outcome. */
const doneFile = session.work('done.json');
const before = existsSync(doneFile) ? readJson(doneFile) : undefined;
const done = before?.commit === commit ? before.parts : {};

let parts;
try {
  const good = Object.keys(done).filter((name) => done[name]);
  parts = partsToRun(PARTS, flags.only?.split(','), good);
} catch ({ message }) {
  console.error(message);
  process.exit(2);
}

const devices = await session.aloft(['devices', ...session.libraryFlags], 30);
/** @type {{ name: string, ok: boolean, text: string, seconds: number }[]} */
const outcomes = [];
const result = {
  commit,
  machine: machineOf({ record, devices, smi: queryDriver() }),
  command: commandOf(flags),
  date: record.date,
  parts: outcomes,
};
const resultFile = session.out(fileNameOf(result));
for (const part of parts) {
  const left = session.secondsLeft();
  const hasTime = left >= part.leastSeconds;
  const startedMs = performance.now();
  const outcome = hasTime
    ? await runPart(part)
    : { ok: false, text: `skipped: ${left.toFixed(0)} s were left` };
  const seconds = Number(((performance.now() - startedMs) / 1000).toFixed(1));
  const needs = (part.needs ?? []).map((name) => [name, done[name] === true]);
  outcomes.push({ name: part.name, ...outcome, needs: Object.fromEntries(needs), seconds });
  if (hasTime) done[part.name] = outcome.ok;
  writeFileSync(doneFile, JSON.stringify({ commit, parts: done }));
  writeFileSync(resultFile, `${JSON.stringify(result, undefined, 1)}\n`);
}

session.log('\n=== summary\n');
for (const { name, ok, text, seconds } of outcomes)
  session.log(
    `${ok ? 'ok    ' : 'FAILED'} ${name} (${seconds} s): ${text.includes('\n') ? `\n${text}` : text}\n`,
  );
session.log(`\nRecord: ${resultFile}\n`);
if (dirname(flags.work) === tmpdir() && flags.only === undefined)
  rmSync(flags.work, { recursive: true, force: true });
process.exitCode = outcomes.every(({ ok }) => ok) ? 0 : 1;

async function runPart({ name, start }) {
  session.log(`\n=== ${name}\n`);
  try {
    const made = await start(session);
    return { ok: true, ...(typeof made === 'string' ? { text: made.trim() } : made) };
  } catch (fault) {
    return { ok: false, text: fault instanceof Error ? fault.message : String(fault) };
  }
}
