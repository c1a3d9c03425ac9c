/**
 * Writes a Hugging Face checkpoint of a published LLaMA size with seeded random weights (float16 safetensors, tokenizer):
 *   node scripts/write-random-checkpoint.mjs llama2_7b DIRECTORY [SEED]
 * For builds and comparisons that need real sizes where no real checkpoint is at hand. Needs `npm run build` first.
 */
import { namedShape } from '../dist/builder/random-weights/shapes.js';
import { writeRandomCheckpoint } from '../dist/builder/random-weights/write-checkpoint.js';

const [name, directory, seed = '0'] = process.argv.slice(2);
if (directory === undefined) {
  console.error('usage: node scripts/write-random-checkpoint.mjs SHAPE DIRECTORY [SEED]');
  process.exit(2);
}
try {
  writeRandomCheckpoint(directory, namedShape(name), Number(seed));
  console.log(`${name} with seed ${seed} is in ${directory}.`);
} catch (fault) {
  console.error(fault.message);
  process.exit(2);
}
