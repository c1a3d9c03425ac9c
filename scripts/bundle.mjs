/**
 * Packs Node, the built package and its production dependencies into a directory that runs on a machine of the same kind
 * without Node or network: `node scripts/bundle.mjs <directory>`, then `<directory>/aloft --help` there.
 * `tar -cJf aloft.tar.xz <directory>` makes one file of it.
 */
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const target = process.argv[2];
if (target === undefined) {
  console.error('usage: node scripts/bundle.mjs <directory>');
  process.exit(2);
}
if (existsSync(target)) {
  console.error(`${target} exists; name a directory that does not.`);
  process.exit(2);
}

const readPackage = (folder) => JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));

/** Folder of a dependency as Node finds it: in the dependent's own node_modules, then in those above. */
function resolveFolder(name, from) {
  for (let folder = from; ; folder = dirname(folder)) {
    const candidate = join(folder, 'node_modules', name);
    if (existsSync(join(candidate, 'package.json'))) return candidate;
    if (folder === dirname(folder)) return undefined;
  }
}

/** Folders of all production dependencies; optional ones only where they are installed. */
function productionFolders() {
  const found = new Set();
  const visit = (folder) => {
    const { dependencies = {}, optionalDependencies = {} } = readPackage(folder);
    for (const name of Object.keys({ ...dependencies, ...optionalDependencies })) {
      const dependency = resolveFolder(name, folder);
      if (dependency === undefined) {
        if (name in optionalDependencies) continue;
        throw new Error(`${name}, which ${folder} needs, is not installed; run npm ci`);
      }
      if (!found.has(dependency)) visit((found.add(dependency), dependency));
    }
  };
  visit(root);
  return found;
}

/** Native modules of other platforms than this one. */
const isForeign = (path) => path.endsWith('.node') && !path.includes(`${process.platform}-${process.arch}`);
const isNeeded = (path) =>
  !/\.(map|md|d\.ts|d\.mts|d\.cts|tsbuildinfo)$/.test(path) && !path.endsWith('.test.js') && !isForeign(path);

const app = join(target, 'app');
mkdirSync(app, { recursive: true });
for (const entry of [...readPackage(root).files, 'package.json'])
  if (existsSync(join(root, entry)))
    cpSync(join(root, entry), join(app, entry), { recursive: true, filter: isNeeded });
// Of the sources, only kernels are read at run time.
for (const entry of readdirSync(join(app, 'src'), { recursive: true, withFileTypes: true }))
  if (entry.isFile() && !/\.cuh?$/.test(entry.name)) rmSync(join(entry.parentPath, entry.name));
for (const folder of productionFolders()) {
  const inside = folder.slice(folder.lastIndexOf(`${join('/', 'node_modules')}/`) + 1);
  cpSync(folder, join(app, inside), { recursive: true, dereference: true, filter: isNeeded });
}
cpSync(process.execPath, join(target, 'node'), { dereference: true });
spawnSync('strip', [join(target, 'node')]); // smaller where strip is installed
writeFileSync(
  join(target, 'aloft'),
  '#!/bin/sh\nhere=$(dirname "$(readlink -f "$0")")\nexec "$here/node" "$here/app/bin/aloft.js" "$@"\n',
);
for (const file of ['node', 'aloft']) chmodSync(join(target, file), 0o755);
const { stdout } = spawnSync('du', ['-sh', target], { encoding: 'utf8' });
console.log(`Bundle: ${stdout.trim()}`);
