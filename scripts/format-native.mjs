/**
 * Lays out C++ and CUDA sources as .clang-format says: `node scripts/format-native.mjs`. With `--check` it changes nothing, names
 * the places that differ, and exits with 1 if there are any.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const MAX_COLUMNS = 120; // as in .clang-format
const root = fileURLToPath(new URL('..', import.meta.url));
const files = ['src', 'bench'].flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((path) => /\.(cuh?|cpp|h)$/.test(path))
    .map((path) => join(folder, path)),
);
const mode = process.argv.includes('--check') ? ['--dry-run', '--Werror'] : ['-i'];
const { status, error } = spawnSync('node_modules/.bin/clang-format', [...mode, ...files], {
  cwd: root,
  stdio: 'inherit',
});
/** Comments stay as they are written, so their width is checked here. */
const wide = files.flatMap((file) =>
  readFileSync(join(root, file), 'utf8')
    .split('\n')
    .flatMap((line, index) => (line.length > MAX_COLUMNS ? [`${file}:${index + 1}`] : [])),
);
for (const place of wide) console.error(`${place}: longer than ${MAX_COLUMNS} columns; break the line.`);
if (error !== undefined) {
  console.error(`clang-format does not run (${error.message}); run npm ci.`);
  process.exit(2);
}
process.exit(wide.length > 0 ? 1 : (status ?? 1));
