/** Builds the playground page into web/dist, and the program of reports into web/dist/report; does nothing when they are newer than their sources. */
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

/** The page shares the browser part of the client with the package, and reports their types. */
const SOURCES = [
  'web/index.html',
  'web/vite.config.mjs',
  'web/report.config.mjs',
  'web/src',
  'src/client',
  'src/protocol',
  'src/core',
  'src/tools/report/report.ts',
];

const last = join(root, 'web/dist/report/report.js');
const isBuilt =
  existsSync(last) &&
  statSync(last).mtimeMs >= Math.max(...SOURCES.map((path) => newestMs(join(root, path))));
// A package from the registry has what is built and not the tool that builds it.
if (!isBuilt && existsSync(join(root, 'node_modules/.bin/vite'))) {
  const build = (title, config) =>
    run(title, 'node_modules/.bin/vite', ['build', '--config', config, '--logLevel', 'warn']);
  build('Building the playground', 'web/vite.config.mjs');
  build('Building the program of reports', 'web/report.config.mjs'); // inside what the first empties
}
