#!/usr/bin/env node
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

// In a checkout that was never compiled, compile it first.
const compiled = fileURLToPath(new URL('../dist/tools/cli/main.js', import.meta.url));
if (!existsSync(compiled)) await import('../scripts/prepare.mjs');
const [{ main }, { COMMANDS }] = await Promise.all([
  import('../dist/tools/cli/main.js'),
  import('../dist/tools/cli/commands.js'),
]);
process.exitCode = await main(process.argv.slice(2), COMMANDS);
