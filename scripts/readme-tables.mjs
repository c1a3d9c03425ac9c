/**
 * Writes the figures of the README and of docs/guide/scale-out.md from bench/results, between `<!-- figures: NAME -->` and
 * `<!-- end of figures -->`.
 *
 *   npm run readme-tables              # writes them
 *   node scripts/readme-tables.mjs --check   # fails when they are not what the results say
 *
 * A block comes from one commit and one kind of machine: of the acceptance runs on `GPU`, the newest commit whose runs have all
 * rows of the block, with parts that were ok and that used only parts that were ok. It prints why it passed over newer ones. A
 * result of a tree with changes, or of several commits, makes it fail.
 *
 * A new acceptance run: make a bundle of a clean tree, run bench/cuda/acceptance.mjs, copy the record that it wrote (a file
 * such as h200-571b47f-20261126T044526.json) into bench/results/cuda, and run this script.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fleetBlock } from './readme/fleet-tables.mjs';
import { byText } from './readme/format.mjs';
import { latencyBlock, memoryBlock, speedBlock } from './readme/gpu-tables.mjs';
import { fromNewest, readResults, refusalsOf, sessionsOf } from './readme/results.mjs';
import { frontEndBlock, overheadBlock, reliabilityBlock } from './readme/server-tables.mjs';

const GPU = 'NVIDIA H200';
const root = fileURLToPath(new URL('..', import.meta.url));
const BLOCK = /(<!-- figures: ([\w-]+) -->\n\n).*?(\n\n<!-- end of figures -->)/gs;

/** The makers of the README's blocks. @param note is called with a sentence for each commit that was passed over */
function readmeBlocks(results, note) {
  const sessions = sessionsOf(
    results.filter(({ path }) => path.startsWith('cuda/')),
    GPU,
  );
  const fromGpu = (make) => (name) => fromNewest(sessions, make, (reason) => note(`${name}: ${reason}`));
  return {
    speed: fromGpu(speedBlock),
    memory: fromGpu(memoryBlock),
    latency: fromGpu(latencyBlock),
    overhead: () => overheadBlock(results),
    'front-end': () => frontEndBlock(results),
    reliability: () => reliabilityBlock(results),
  };
}

/** Documents with figures: their paths, and the makers of their blocks. */
export const DOCUMENTS = [
  { path: 'README.md', blocksOf: readmeBlocks },
  { path: 'docs/guide/scale-out.md', blocksOf: (results) => ({ fleet: () => fleetBlock(results) }) },
];

/**
 * A document's text with its blocks made anew.
 * @param note is called with a sentence for each commit that was passed over
 * @throws {Error} a result is refused, or a block cannot be made
 */
export function withFigures({ path, blocksOf }, text, results, note = () => {}) {
  const refusals = refusalsOf(results);
  if (refusals.length > 0) throw new Error(`Refused: ${refusals.join('; ')}.`);
  const blocks = blocksOf(results, note);
  const names = Array.from(text.matchAll(BLOCK), ([, , name]) => name);
  const [there, wanted] = [names, Object.keys(blocks)].map((list) => list.toSorted(byText).join(', '));
  if (there !== wanted) throw new Error(`${path} has the figures ${there}; it must have ${wanted}.`);
  return text.replaceAll(BLOCK, (_, start, name, end) => `${start}${blocks[name](name)}${end}`);
}

export const readDocument = ({ path }) => readFileSync(join(root, path), 'utf8');
export const resultsPath = join(root, 'bench/results');

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const results = readResults(resultsPath);
  for (const document of DOCUMENTS) {
    const text = readDocument(document);
    const written = withFigures(document, text, results, console.log);
    if (!process.argv.includes('--check')) writeFileSync(join(root, document.path), written);
    else if (written !== text) {
      console.error(`${document.path} is not what bench/results say: run npm run readme-tables.`);
      process.exitCode = 1;
    }
  }
}
