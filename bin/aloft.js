#!/usr/bin/env node
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

requireOpenFiles();
// In a checkout that was never compiled, compile it first.
const compiled = fileURLToPath(new URL('../dist/tools/cli/main.js', import.meta.url));
if (!existsSync(compiled)) await import('../scripts/prepare.mjs');
const [{ main }, { COMMANDS }] = await Promise.all([
  import('../dist/tools/cli/main.js'),
  import('../dist/tools/cli/commands.js'),
]);
process.exitCode = await main(process.argv.slice(2), COMMANDS);

/**
 * Ends a process that may have too few files open. Node.js opens the modules of a program side by side, up to two hundred of them,
 * and where that fails it ends with a stack trace that no code can catch.
 */
function requireOpenFiles() {
  const path = '/proc/self/limits';
  const limit = existsSync(path)
    ? /^Max open files +\d+ +(\d+)/m.exec(readFileSync(path, 'utf8'))?.[1]
    : undefined;
  if (limit === undefined || Number(limit) >= 256) return;
  process.stderr.write(
    `aloft: The process may have only ${limit} files open, and needs 256 to start; raise the limit with 'ulimit -n 4096'. [TOO_MANY_FILES]\n`,
  );
  process.exit(2);
}
