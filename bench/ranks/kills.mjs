/**
 * Kills one process of `aloft run` on two CPU ranks at 100 random points of its life, and checks that each command ends
 * within two seconds, with one coded error that names the rank and with no process left.
 *   node scripts/prepare.mjs && node bench/ranks/kills.mjs [count]
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { killFault, killRank, randomKills } from '../../dist/test/kill-ranks.js';

const LIMIT_MS = 2000;
const count = Number(process.argv[2] ?? 100);
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
const endings = { killed: 0, finished: 0, failed: 0 };
try {
  for (const kill of randomKills(count, 5)) {
    const ending = await killRank(engine, kill);
    const late = ending.ms < LIMIT_MS ? undefined : `it takes ${Math.round(ending.ms)} ms`;
    const fault = killFault(kill, ending) ?? late;
    if (ending.status !== 0) times.push(ending.ms);
    if (fault === undefined) endings[ending.status === 0 ? 'finished' : 'killed']++;
    else {
      endings.failed++;
      console.log(`${kill.who} killed after ${kill.afterMs} ms: ${fault}\n${ending.err}`);
    }
  }
} finally {
  rmSync(engine, { recursive: true });
}
times.sort((a, b) => a - b);
const at = (share) => Math.round(times[Math.min(times.length - 1, Math.floor(share * times.length))]);
console.log(
  `${count} kills: ${endings.killed} coded ends, ${endings.finished} after all was done, ${endings.failed} faults; ` +
    `until no process was left: median ${at(0.5)} ms, largest ${at(1)} ms`,
);
process.exitCode = endings.failed === 0 ? 0 : 1;
