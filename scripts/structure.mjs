/**
 * Counts what makes the code hard to find one's way in, and fails when a count is over its bound:
 *   npm run structure                 (what, now, bound)
 *   npm run structure -- --list       (the places, too, where a count is over its bound)
 *
 * Import edges of a folder. The rooms of a folder are what `ls` shows in it: each file is a room, and each subfolder with all that
 * is in it is a room. Tests (`*.test.ts`) are not counted; benchmarks and `testing/` folders are. There is an edge from room A to
 * room B when any file of A imports any file of B: in TypeScript by `import` or `export from`, of values or of types, in native
 * code by `#include "..."`. Several imports from A to B are one edge; imports inside a room, and to other folders, are none. So a
 * file that moves into a subfolder takes its edges to the subfolder's other files with it.
 *
 * Product files are those that are not tests, benchmarks, or fixtures in `testing/` and `test/`.
 */
import { parseArgs } from 'node:util';
import {
  collidingNames,
  importCircles,
  importedFixtures,
  isGenerated,
  isProduct,
  readSources,
} from './imports.mjs';

const MAX_LINES = 300;
const DEVICE_COMPARISON = /[!=]==\s*'(?:cuda|cpu)'|'(?:cuda|cpu)'\s*[!=]==|case '(?:cuda|cpu)'/g;
/** CONTRIBUTING.md, rule 2 of comments: a comment names its thing first. */
const UNNAMED_COMMENT = /(?:\/\*\*\s*(?:\*\s*)?|^[ \t]*\/\/ )(?:Of|What|How) /gm;
const sources = readSources();
const product = sources.filter(({ path }) => isProduct(path));

/** Name of a count, its bound, and the places that it counts. */
const COUNTS = [
  { what: 'import edges in run/executor', bound: 30, places: edges('run/executor') },
  { what: 'import edges in run/batcher', bound: 16, places: edges('run/batcher') },
  { what: 'import edges in ops/linear', bound: 8, places: edges('ops/linear') },
  { what: 'import circles', bound: 0, places: importCircles(sources).map((circle) => circle.join(' -> ')) },
  { what: 'comments that begin with Of, What, How', bound: 0, places: lines(UNNAMED_COMMENT) },
  { what: 'lines with isInt8', bound: 0, places: lines(/\bisInt8\b/g) },
  // A table of devices or of back ends compares nothing, so no file is exempt.
  { what: 'comparisons with a device', bound: 0, places: lines(DEVICE_COMPARISON) },
  { what: `product files over ${MAX_LINES} lines`, bound: 0, places: longFiles() },
  {
    what: 'fixtures that product code imports',
    bound: 0,
    places: importedFixtures(sources).map((pair) => pair.join(' -> ')),
  },
  {
    what: 'exported names of several things',
    bound: 0,
    places: collidingNames(sources).map(([name, paths]) => `${name}: ${paths.join(', ')}`),
  },
];

/** Pairs of rooms of a folder of which the first imports the second. */
function edges(folder) {
  const roomOf = (path) => path.slice(folder.length + 1).split('/', 1)[0];
  const isInside = (path) => path.startsWith(`${folder}/`) && !path.endsWith('.test.ts');
  const pairs = sources
    .filter(({ path }) => isInside(path))
    .flatMap(({ path, imports }) => imports.filter(isInside).map((target) => [roomOf(path), roomOf(target)]))
    .filter(([from, to]) => from !== to);
  return [...new Set(pairs.map((pair) => pair.join(' -> ')))];
}

/** Lines of product code on which a match of the pattern starts. */
function lines(pattern) {
  return product.flatMap(({ path, text }) => {
    const starts = Array.from(text.matchAll(pattern), ({ index }) => text.slice(0, index).split('\n').length);
    return [...new Set(starts)].map((line) => `${path}:${line}`);
  });
}

function longFiles() {
  const counts = product
    .filter(({ path }) => !isGenerated(path))
    .map(({ path, text }) => ({ path, lineCount: text.split('\n').length - 1 }));
  return counts
    .filter(({ lineCount }) => lineCount > MAX_LINES)
    .map(({ path, lineCount }) => `${path} (${lineCount})`);
}

const { values } = parseArgs({ options: { list: { type: 'boolean', default: false } } });
const row = (what, now, bound) => `${what.padEnd(38)} ${now.padStart(4)} ${bound.padStart(5)}`;
console.log(row('what', 'now', 'bound'));
for (const { what, bound, places } of COUNTS) {
  const isOver = places.length > bound;
  console.log(`${row(what, String(places.length), String(bound))}${isOver ? '  over' : ''}`);
  if (!isOver) continue;
  process.exitCode = 1;
  if (values.list) for (const place of places) console.log(`    ${place}`);
}
