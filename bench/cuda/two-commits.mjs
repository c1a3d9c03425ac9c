/**
 * Compares two commits on one GPU in one run: static batches of LLaMA-2-7B's shape, INT8 and fp16, by two bundles (scripts/bundle.mjs):
 *
 *   <new>/node <new>/app/bench/cuda/two-commits.mjs --old FOLDER --new FOLDER [--out DIR] [--work DIR] [--rounds 2]
 *     [--engines int8,fp16] [--cuda-library-path FOLDERS]
 *
 * A folder is a bundle's `app`. Engines are built without tuning, which writes the same choice into each, so four builds can run
 * at once. Then the commits take turns, and the order turns round each round; a row's figure is the best of its rounds, as a
 * disturbance only ever takes time. All that is printed goes to DIR/acceptance.log, the record to a file named after GPU and commit.
 * Exit status 1 when a row of the new commit is more than 2% slower.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { machineRecord } from '../../dist/tools/bench/machine.js';
import { machineOf, queryDriver, fileNameOf } from './acceptance/run-record.mjs';
import { createSession } from './acceptance/session.mjs';
import { build, INT8, sweep, SHORT } from './acceptance/speed.mjs';

const { values: flags } = parseArgs({
  options: {
    old: { type: 'string' },
    new: { type: 'string' },
    out: { type: 'string', default: 'two-commits' },
    work: { type: 'string', default: join(tmpdir(), 'aloft-two-commits') },
    rounds: { type: 'string', default: '2' },
    engines: { type: 'string', default: 'int8,fp16' },
    seconds: { type: 'string', default: '540' },
    'cuda-library-path': { type: 'string' },
  },
});
if (flags.old === undefined || flags.new === undefined) {
  console.error('usage: two-commits.mjs --old FOLDER --new FOLDER');
  process.exit(2);
}

const MOST_LOSS = 0.02;
const EXTRA = { int8: INT8, fp16: [] };
const engines = flags.engines.split(',');
const sides = ['old', 'new'].map((name) => {
  const app = resolve(flags[name]);
  const work = join(flags.work, name);
  return {
    name,
    commit: readFileSync(join(app, 'COMMIT'), 'utf8').trim(),
    session: createSession({ ...flags, work }, app),
  };
});
const [, { session }] = sides;

await Promise.all(
  sides.flatMap((side) =>
    engines.map((engine) => build(side.session, engine, [...EXTRA[engine], '--no_tune'])),
  ),
);

/** Tokens a second by row, each round's: `int8 128,128 x 4` -> { old: [..], new: [..] }. */
const speeds = new Map();
for (let round = 0; round < Number(flags.rounds); round++)
  for (const engine of engines)
    for (const side of round % 2 === 0 ? sides : sides.toReversed()) {
      const name = `${engine}-${round}`;
      const { data } = await sweep(side.session, name, { engine, lengths: SHORT, warmUp: 1, limit: 60 });
      for (const row of data.rows) {
        const key = `${engine} ${row.input_length},${row.output_length} x ${row.batch_size}`;
        const entry = speeds.get(key) ?? { old: [], new: [] };
        entry[side.name].push(row.tokens_per_sec);
        speeds.set(key, entry);
      }
    }

const rows = [...speeds].map(([row, { old, new: now }]) => {
  const [before, after] = [Math.max(...old), Math.max(...now)];
  return { row, old, new: now, ratio: Number((after / before).toFixed(4)) };
});
for (const { row, old, new: now, ratio } of rows)
  session.log(`${row}: ${Math.max(...old)} -> ${Math.max(...now)} tokens/s, ${ratio}\n`);

const { commit, ...record } = machineRecord([]);
const devices = await session.aloft(['devices', ...session.libraryFlags], 30);
const result = {
  commit,
  oldCommit: sides[0].commit,
  machine: machineOf({ record, devices, smi: queryDriver() }),
  command: `node bench/cuda/two-commits.mjs --old ${sides[0].commit} --new ${commit} --engines ${flags.engines} --rounds ${flags.rounds}`,
  date: record.date,
  rows,
};
writeFileSync(session.out(`two-commits-${fileNameOf(result)}`), `${JSON.stringify(result, null, 2)}\n`);
const slower = rows.filter(({ ratio }) => ratio < 1 - MOST_LOSS);
if (slower.length > 0) {
  session.log(`slower by more than 2%: ${slower.map(({ row }) => row).join('; ')}\n`);
  process.exitCode = 1;
}
