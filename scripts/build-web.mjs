/** Builds the playground page into web/dist; does nothing when it is newer than its sources. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from './run.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));

function newestMs(path) {
  const stat = statSync(path);
  if (!stat.isDirectory()) return stat.mtimeMs;
  return Math.max(...readdirSync(path).map((name) => newestMs(join(path, name))));
}

/** The page shares the browser part of the client with the package. */
const SOURCES = [
  'web/index.html',
  'web/vite.config.mjs',
  'web/src',
  'src/client',
  'src/protocol',
  'src/core',
];

const page = join(root, 'web/dist/index.html');
const isBuilt =
  existsSync(page) &&
  statSync(page).mtimeMs >= Math.max(...SOURCES.map((path) => newestMs(join(root, path))));
// A package from the registry has the built page and not the tool that builds it.
if (!isBuilt && existsSync(join(root, 'node_modules/.bin/vite'))) {
  run('Building the playground', 'node_modules/.bin/vite', [
    'build',
    '--config',
    'web/vite.config.mjs',
    '--logLevel',
    'warn',
  ]);
}
