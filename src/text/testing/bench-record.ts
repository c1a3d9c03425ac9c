import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { dirname } from 'node:path';

/** Writes the figures of a benchmark with its command, the machine and the commit. @param program its compiled file, from the root on */
export function writeBenchRecord(file: string, program: string, figures: object): void {
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();
  const machine = {
    cpu: cpus()[0]?.model,
    coreCount: cpus().length,
    node: process.version,
    commit,
    date: new Date().toISOString(),
  };
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(
    file,
    `${JSON.stringify({ command: `node ${program} ${file}`, machine, ...figures }, null, 2)}\n`,
  );
}
