/**
 * Kills one process of `aloft run` on two CPU ranks at random points of its life (while it loads, at its first step, in the middle
 * of its answer, at its end), and a rank of `aloft serve` that runs nothing. Checks that each command ends within two seconds with no
 * process left, and, unless rank 0 itself was killed, with one coded error that names the rank; and that a server is ready no more.
 *   node scripts/prepare.mjs && node bench/ranks/kills.mjs [--count 100] [--output bench/results/ranks/kills.json]
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { machineRecord } from '../../dist/tools/bench/machine.js';
import { killFault, killRank, randomKills } from '../../dist/test/kill-ranks.js';

const LIMIT_MS = 2000;
const { values: flags } = parseArgs({
  options: { count: { type: 'string', default: '100' }, output: { type: 'string' } },
});
const count = Number(flags.count);
const machine = machineRecord(['node', 'bench/ranks/kills.mjs', '--count', flags.count]);
const root = fileURLToPath(new URL('../../', import.meta.url));
const engine = mkdtempSync(join(tmpdir(), 'aloft-kills-'));
const sizes = '--max_batch_size 4 --max_input_len 64 --max_output_len 512 --tp_size 2 --world_size 2'.split(
  ' ',
);
const model = ['--model_dir', join(root, 'models/demo'), '--output_dir', engine];
execFileSync(process.execPath, [join(root, 'bin/aloft.js'), 'build', ...model, ...sizes], {
  stdio: 'ignore',
});
const times = [];
const kills = [];
const endings = { coded: 0, withLeader: 0, finished: 0, failed: 0 };
try {
  for (const kill of randomKills(count, 5)) {
    const ending = await killRank(engine, kill);
    const code = /[[(](RANK_[A-Z]+|MODEL_UNAVAILABLE)[\])]/.exec(ending.err)?.[1] ?? null;
    kills.push({ ...kill, status: ending.status, code, endedAfterMs: Math.round(ending.ms) });
    const late = ending.ms < LIMIT_MS ? undefined : `it takes ${Math.round(ending.ms)} ms`;
    const fault = killFault(kill, ending) ?? late;
    if (ending.status !== 0) times.push(ending.ms);
    if (fault === undefined)
      endings[ending.status === 0 ? 'finished' : kill.who === 'leader' ? 'withLeader' : 'coded']++;
    else {
      endings.failed++;
      console.log(`${kill.stage}: ${kill.who} killed after ${kill.afterMs} ms: ${fault}\n${ending.err}`);
    }
  }
} finally {
  rmSync(engine, { recursive: true });
}
times.sort((a, b) => a - b);
const at = (share) => Math.round(times[Math.min(times.length - 1, Math.floor(share * times.length))]);
const summary = { ...endings, medianMs: at(0.5), largestMs: at(1) };
console.log(
  `${count} kills: ${endings.coded} coded ends, ${endings.withLeader} of rank 0 with all others, ` +
    `${endings.finished} after all was done, ${endings.failed} faults; ` +
    `until no process was left: median ${summary.medianMs} ms, largest ${summary.largestMs} ms`,
);
if (flags.output !== undefined) {
  mkdirSync(dirname(flags.output), { recursive: true });
  writeFileSync(
    flags.output,
    `${JSON.stringify({ machine, limitMs: LIMIT_MS, summary, kills }, undefined, 2)}\n`,
  );
}
process.exitCode = endings.failed === 0 ? 0 : 1;
