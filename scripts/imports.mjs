/** Source files under src/ and what they import, read from their text; for the scripts that check the structure. */
import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join, posix, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));

const SOURCE = /\.(ts|cu|cuh|cpp|h)$/;
const TS_IMPORT = /(?:from|import)\s*\(?\s*'(\.{1,2}\/[^']*)'/g;
/** Modules that another module starts as a thread or a process. */
const TS_URL = /new URL\(\s*'(\.{1,2}\/[^']*\.js)',\s*import\.meta\.url/g;
const NATIVE_INCLUDE = /^\s*#\s*include\s+"([^"]+)"/gm;

/** True for fixtures: what tests and benchmarks share. Paths are relative to src/. */
export const isFixture = (path) => /(^|\/)(testing|test)\//.test(path);
/** True for what runs in the product, not in tests or benchmarks alone. */
export const isProduct = (path) =>
  !isFixture(path) && !path.endsWith('.test.ts') && !path.endsWith('.bench.ts');
export const isGenerated = (path) => path.startsWith('protocol/gen/');

/**
 * Reads every source file, in TypeScript and native. Imports of types count like imports of values.
 * @returns path relative to src/, text, and paths of the files that it imports and of those that it starts
 */
export function readSources() {
  const folder = join(root, 'src');
  const paths = readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && SOURCE.test(entry.name))
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .toSorted();
  const known = new Set(paths);
  return paths.map((path) => {
    const text = readFileSync(join(folder, path), 'utf8');
    const isModule = path.endsWith('.ts');
    return {
      path,
      text,
      imports: isModule ? modules(path, text, TS_IMPORT) : includes(path, text, known),
      starts: isModule ? modules(path, text, TS_URL) : [],
    };
  });
}

function modules(path, text, pattern) {
  const named = Array.from(text.matchAll(pattern), ([, specifier]) =>
    posix.join(dirname(path), specifier).replace(/\.js$/, '.ts'),
  );
  return [...new Set(named)];
}

/** Headers are found beside the file, from src/ or src/ops/ on, or by a name that a single file has. */
function includes(path, text, known) {
  const named = Array.from(text.matchAll(NATIVE_INCLUDE), ([, name]) => {
    const places = [posix.join(dirname(path), name), name, posix.join('ops', name)];
    const found = places.find((place) => known.has(place));
    if (found !== undefined) return found;
    const [only, ...others] = [...known].filter((place) => place.endsWith(`/${name}`));
    if (only !== undefined && others.length === 0) return only;
    const why = only === undefined ? 'is no file' : 'is the name of several files';
    throw new Error(`src/${path} includes "${name}", which ${why}; include it by its path from src/ on.`);
  });
  return [...new Set(named)];
}

/**
 * Finds the groups of product files that import each other in a circle.
 * @returns for each group its shortest circle through the group's first file: a path whose ends are the same file
 */
export function importCircles(sources) {
  const product = sources.filter(({ path }) => isProduct(path));
  const importsOf = new Map(product.map(({ path, imports }) => [path, imports.filter(isProduct)]));
  const circles = [];
  const seen = new Set();
  for (const path of importsOf.keys()) {
    if (seen.has(path)) continue;
    const circle = shortestWay(importsOf, path, path);
    if (circle === undefined) continue;
    for (const other of importsOf.keys())
      if (
        shortestWay(importsOf, path, other) !== undefined &&
        shortestWay(importsOf, other, path) !== undefined
      )
        seen.add(other);
    circles.push(circle);
  }
  return circles;
}

/** Shortest way of at least one import from one file to another, or undefined. */
function shortestWay(importsOf, from, to) {
  const cameFrom = new Map();
  const queue = [from];
  for (const file of queue)
    for (const next of importsOf.get(file) ?? []) {
      if (cameFrom.has(next)) continue;
      cameFrom.set(next, file);
      if (next === to) return wayBack(cameFrom, from, to);
      queue.push(next);
    }
  return undefined;
}

function wayBack(cameFrom, from, to) {
  const way = [to];
  do way.unshift(cameFrom.get(way[0]));
  while (way[0] !== from);
  return way;
}

/** Finds product files that import fixtures, tests or benchmarks. @returns pairs of paths */
export function importedFixtures(sources) {
  return sources
    .filter(({ path }) => isProduct(path))
    .flatMap(({ path, imports, starts }) => [...imports, ...starts].map((target) => [path, target]))
    .filter(([, target]) => !isProduct(target));
}

const DECLARATION =
  /^export (?:abstract )?(?:async )?(?:type|interface|class|const|function\*?|enum)\s+(\w+)/gm;
/** Names that modules export because whoever loads them by URL asks for them. */
const LOADED_NAMES = new Set(['openExecutor', 'prepareRank']);

/** Finds names that several modules declare and export. @returns for each the name and the paths */
export function collidingNames(sources) {
  const places = new Map();
  for (const { path, text } of sources.filter(({ path }) => path.endsWith('.ts') && !isGenerated(path)))
    for (const name of new Set(Array.from(text.matchAll(DECLARATION), ([, declared]) => declared)))
      places.set(name, [...(places.get(name) ?? []), path]);
  return [...places].filter(([name, paths]) => paths.length > 1 && !LOADED_NAMES.has(name));
}
