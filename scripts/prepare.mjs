/**
 * Makes the working tree runnable and does nothing when it already is:
 * dependencies (`npm ci`), compiled TypeScript (`tsc`), the CPU kernel library, the playground page.
 * `npm start` and `npm test` call it first, so each is enough on a fresh clone.
 */
import { existsSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from './run.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));

/** True when every package of the lock file is installed at its locked version. */
function dependenciesAreInstalled() {
  const installedLock = join(root, 'node_modules/.package-lock.json');
  if (!existsSync(installedLock)) return false;
  const wanted = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages;
  const installed = JSON.parse(readFileSync(installedLock, 'utf8')).packages;
  return Object.entries(wanted).every(
    ([path, entry]) => path === '' || entry.optional || installed[path]?.version === entry.version,
  );
}

/** Newest modification time below `folder`, of files that `matches` accepts, in ms. */
function newestMs(folder, matches) {
  let newest = 0;
  for (const entry of readdirSync(join(root, folder), { withFileTypes: true, recursive: true })) {
    if (!entry.isFile() || !matches(entry.name)) continue;
    newest = Math.max(newest, statSync(join(entry.parentPath, entry.name)).mtimeMs);
  }
  return newest;
}

/** Removes compiled files whose TypeScript source is gone, so that no stale test or module survives. */
function removeOrphans() {
  const dist = join(root, 'dist');
  if (!existsSync(dist)) return;
  for (const entry of readdirSync(dist, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile() || !entry.name.endsWith('.js')) continue;
    const compiled = join(entry.parentPath, entry.name);
    const source = join(root, 'src', compiled.slice(dist.length + 1).replace(/\.js$/, '.ts'));
    if (existsSync(source)) continue;
    for (const ending of ['.js', '.js.map', '.d.ts'])
      rmSync(compiled.replace(/\.js$/, ending), { force: true });
  }
}

function typescriptIsCompiled() {
  const stamp = join(root, 'dist/.tsbuildinfo');
  if (!existsSync(stamp) || !existsSync(join(root, 'dist/index.js'))) return false;
  const sources = Math.max(
    newestMs('src', (name) => name.endsWith('.ts')),
    statSync(join(root, 'tsconfig.json')).mtimeMs,
  );
  // After `tsc --noEmit` the stamp is new, and says what was not written.
  const isWritten = !readFileSync(stamp, 'utf8').includes('affectedFilesPendingEmit');
  return isWritten && statSync(stamp).mtimeMs >= sources;
}

if (!dependenciesAreInstalled()) run('Installing dependencies', 'npm', ['ci', '--no-audit', '--no-fund']);
removeOrphans();
if (!typescriptIsCompiled()) {
  // The compiler leaves the stamp alone when nothing it emits changed; without it the check above stays simple.
  rmSync(join(root, 'dist/.tsbuildinfo'), { force: true });
  run('Compiling TypeScript', 'node_modules/.bin/tsc', ['-p', '.']);
}
await import('./build-native.mjs');
await import('./build-web.mjs');
