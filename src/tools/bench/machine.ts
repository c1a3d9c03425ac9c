/** Origin of a result (machine, commit, command): stored in every benchmark file. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cpuName } from '../../device/cpu/cpu-device.js';

export interface MachineRecord {
  readonly cpu: string;
  readonly coreCount: number;
  /** The GPU that ran; null on a CPU. */
  readonly gpu: string | null;
  readonly memoryBytes: number;
  readonly node: string;
  /** Commit of the working tree, or of the tree that a bundle was made of. See `currentCommit`. */
  readonly commit: string;
  readonly command: readonly string[];
  readonly date: string;
}

export function machineRecord(command: readonly string[], gpu?: string): MachineRecord {
  return {
    cpu: cpuName(),
    coreCount: cpus().length,
    gpu: gpu ?? null,
    memoryBytes: totalmem(),
    node: process.version,
    commit: currentCommit(),
    command,
    date: new Date().toISOString(),
  };
}

/** Short hash of the commit, with `+` when files other than results have changes; `unknown` without a repository. */
export function currentCommit(): string {
  const cwd = fileURLToPath(new URL('../../../', import.meta.url));
  const bundled = join(cwd, 'COMMIT'); // written by scripts/bundle.mjs
  if (existsSync(bundled)) return readFileSync(bundled, 'utf8').trim();
  const git = (...words: string[]) =>
    execFileSync('git', words, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  try {
    // Results of other runs do not make the code another.
    const changes = git('status', '--porcelain', '--', '.', ':!bench/results');
    return git('rev-parse', '--short', 'HEAD') + (changes === '' ? '' : '+');
  } catch {
    return 'unknown';
  }
}
