/**
 * Packs Node, the built package and its production dependencies into a directory that runs on a machine of the same kind
 * without Node or network: `node scripts/bundle.mjs <directory>`, then `<directory>/aloft --help` there.
 * With `--archive` it also makes `<directory>.tar.xz`. With `--tests` it also packs the tests that run on a GPU:
 * `cd <directory>/app && ../node node_modules/vitest/vitest.mjs run --config vitest.cuda.config.mjs`.
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
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { currentCommit } from '../dist/tools/bench/machine.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const FLAGS = ['--archive', '--tests'];
const [wantsArchive, wantsTests] = FLAGS.map((flag) => process.argv.includes(flag));
const [target, ...rest] = process.argv.slice(2).filter((word) => !FLAGS.includes(word));
if (target === undefined || rest.length > 0) {
  console.error('usage: node scripts/bundle.mjs <directory> [--archive] [--tests]');
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

/** Packages that the tests on a GPU import besides. */
const TEST_DEPENDENCIES = ['vitest', 'openai'];
const TEST_FILES = [
  'oracle',
  'bench/peers/torch',
  'vitest.config.mjs',
  'vitest.cuda.config.mjs',
  'scripts/summary-reporter.mjs',
];

/** Folders of all dependencies of the bundle; optional ones only where they are installed. */
function dependencyFolders() {
  const found = new Set();
  const visitAll = (names, folder, isOptional) => {
    for (const name of names) {
      const dependency = resolveFolder(name, folder);
      if (dependency === undefined) {
        if (isOptional(name)) continue;
        throw new Error(`${name}, which ${folder} needs, is not installed; run npm ci`);
      }
      if (!found.has(dependency)) visit((found.add(dependency), dependency));
    }
  };
  const visit = (folder) => {
    const { dependencies = {}, optionalDependencies = {} } = readPackage(folder);
    const names = Object.keys({ ...dependencies, ...optionalDependencies });
    visitAll(names, folder, (name) => name in optionalDependencies);
  };
  visit(root);
  if (wantsTests) visitAll(TEST_DEPENDENCIES, root, () => false);
  return found;
}

/** Native modules of other platforms than this one: packages name them `linux-x64-gnu` or `linux_x64`. */
const isForeign = (path) =>
  path.endsWith('.node') &&
  (path.includes('musl') || !path.replaceAll('_', '-').includes(`${process.platform}-${process.arch}`));
/** True for files that a program reads at run time: no types, maps or documentation, and tests only where they are wanted. */
const isNeeded = (path) =>
  !/\.(md|d\.[cm]?ts|tsbuildinfo)$/.test(path) &&
  (!path.endsWith('.map') || (wantsTests && !path.includes('node_modules'))) &&
  (wantsTests || !/\.test\.m?js$/.test(path)) &&
  !/node_modules\/[^/]+\/(test|tests|docs|examples?|benchmarks?)$/.test(path) &&
  path !== join(root, 'docs/site') &&
  !isForeign(path);

/** Entries of the package: of patterns of files the folder, as what is not needed is left out below. */
const packaged = new Set(
  readPackage(root).files.map((entry) => (entry.includes('*') ? entry.split('/')[0] : entry)),
);

const app = join(target, 'app');
mkdirSync(app, { recursive: true });
for (const entry of [...packaged, 'package.json', 'bench/cuda', ...(wantsTests ? TEST_FILES : [])])
  if (existsSync(join(root, entry)))
    cpSync(join(root, entry), join(app, entry), { recursive: true, filter: isNeeded });
// Kernels are the only sources that are read at run time.
for (const entry of readdirSync(join(app, 'src'), { recursive: true, withFileTypes: true }))
  if (entry.isFile() && !/\.cuh?$/.test(entry.name)) rmSync(join(entry.parentPath, entry.name));
for (const folder of dependencyFolders()) {
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
const say = (program, ...words) => spawnSync(program, words, { cwd: root, encoding: 'utf8' }).stdout?.trim();
writeFileSync(join(app, 'COMMIT'), currentCommit()); // benchmark results name it
console.log(`Bundle: ${say('du', '-sh', resolve(target))}`);
if (wantsArchive) {
  const words = ['-C', dirname(resolve(target)), '-cJf', `${resolve(target)}.tar.xz`, basename(target)];
  const { status } = spawnSync('tar', words, { stdio: 'inherit', env: { ...process.env, XZ_OPT: '-9 -T0' } });
  if (status !== 0) throw new Error('tar failed');
  console.log(`Archive: ${say('du', '-sh', `${resolve(target)}.tar.xz`)}`);
}
