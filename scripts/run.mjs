import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Runs a command in the repository root; prints its output only when it fails, then ends this process with its status. */
export function run(title, command, commandArguments) {
  process.stderr.write(`${title} ...`);
  const startMs = Date.now();
  const result = spawnSync(command, commandArguments, {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  if (result.status === 0) {
    process.stderr.write(` ${((Date.now() - startMs) / 1000).toFixed(1)} s\n`);
    return;
  }
  process.stderr.write(' failed\n');
  process.stderr.write(`${result.error?.message ?? ''}${result.stdout ?? ''}${result.stderr ?? ''}\n`);
  process.exit(result.status ?? 1);
}
