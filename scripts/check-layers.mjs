/**
 * Checks what may import what under src/, against layers.json. A layer is a folder; its list names the layers that its product
 * code may import, and the list of `test` those that tests of several folders may. `tests` lists, by layer, the folders and files
 * that the layer's tests, benchmarks and fixtures may import beyond that. It fails for:
 * - an import that no list allows, and an entry of a list that no import needs, or that names nothing;
 * - product files that import each other in a circle, if only for their types;
 * - a fixture in product code: a product file that imports one, or that is one, because only tests import it.
 */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { importCircles, importedFixtures, isProduct, readSources, root } from './imports.mjs';

const { tests, ...layers } = JSON.parse(readFileSync(join(root, 'layers.json'), 'utf8'));
const folders = Object.keys(layers).toSorted((a, b) => b.length - a.length); // most specific first
const sources = readSources();
const faults = [];
const used = new Set();

const isIn = (path, folder) => path === folder || path.startsWith(`${folder}/`);
/** The layer that owns a path relative to src/, or undefined for files directly in src/. */
const layerOf = (path) => folders.find((folder) => isIn(path, folder));

/** Returns true if a list allows the file to import the target; notes the entry that does. */
function isAllowed(path, target) {
  const [from, to] = [layerOf(path), layerOf(target)];
  if (to === undefined || from === to) return true;
  if (layers[from].includes(to)) {
    // A right that only the tests of a layer need is one of `tests`.
    if (isProduct(path) || from === 'test') used.add(`${from}: ${to}`);
    return true;
  }
  const entry = isProduct(path) ? undefined : tests[from]?.find((place) => isIn(target, place));
  if (entry !== undefined) used.add(`tests of ${from}: ${entry}`);
  return entry !== undefined;
}

function checkImports() {
  for (const { path, imports, starts } of sources) {
    const from = layerOf(path);
    if (from === undefined && path.includes('/'))
      faults.push(`src/${path}: its folder is not in layers.json; add it there`);
    if (from === undefined) continue;
    const who = isProduct(path) ? `'${from}'` : `a test of '${from}'`;
    for (const target of [...imports, ...starts])
      if (!isAllowed(path, target))
        faults.push(`src/${path}: ${who} may not import '${target}', which its list in layers.json lacks`);
  }
}

function checkEntries() {
  const named = [
    ...folders,
    ...Object.values(layers).flat(),
    ...Object.keys(tests),
    ...Object.values(tests).flat(),
  ];
  const exists = (name) => existsSync(join(root, 'src', name));
  for (const name of new Set(named))
    if (!exists(name)) faults.push(`layers.json: src/${name} does not exist`);
  const entries = (table, prefix) =>
    Object.entries(table)
      .filter(([from]) => exists(from))
      .flatMap(([from, list]) => list.filter(exists).map((to) => `${prefix}${from}: ${to}`));
  for (const entry of [...entries(layers, ''), ...entries(tests, 'tests of ')])
    if (!used.has(entry)) faults.push(`layers.json: nothing needs the right '${entry}'; delete it`);
}

function checkCircles() {
  for (const circle of importCircles(sources)) faults.push(`circle of imports: ${circle.join(' -> ')}`);
}

/** Compiled modules that are named outside of src/: by package.json, programs, scripts, the page. */
function entryPoints() {
  const texts = ['bin', 'scripts', 'bench', 'web/src']
    .flatMap((folder) => readdirSync(join(root, folder), { withFileTypes: true, recursive: true }))
    .filter((entry) => entry.isFile() && /\.(m?js|tsx?)$/.test(entry.name))
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'utf8'));
  const text = [readFileSync(join(root, 'package.json'), 'utf8'), ...texts].join('\n');
  return Array.from(text.matchAll(/(?:dist|src)\/([\w/-]+)\.js/g), ([, path]) => `${path}.ts`);
}

function checkFixtures() {
  for (const [path, target] of importedFixtures(sources))
    faults.push(`src/${path}: product code may not import the fixture '${target}'`);
  const needed = new Set([
    ...entryPoints(),
    ...sources.flatMap(({ path, imports, starts }) => (isProduct(path) ? [...imports, ...starts] : [])),
  ]);
  for (const { path } of sources) {
    // Contracts and references specify what implementations are compared with.
    const isSpecification = /(^|\/)(contract\.ts$|reference(\/|\.ts$))/.test(path);
    if (path.endsWith('.ts') && isProduct(path) && !isSpecification && !needed.has(path))
      faults.push(`src/${path}: only tests import it; move it to a folder named testing, or delete it`);
  }
}

checkImports();
checkEntries();
checkCircles();
checkFixtures();
if (faults.length > 0) {
  console.error(faults.join('\n'));
  process.exit(1);
}
console.log(`layers: ${folders.length} folders keep to layers.json`);
