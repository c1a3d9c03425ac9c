/**
 * node greedy.mjs --gguf FILE [--reference ../../../oracle/generate-demo.json] [--prompts 6] [--tokens 24]
 * Lets llama.cpp continue the demo model's prompts from a GGUF file, to see that a file which Aloft is built from means the
 * same to both: exits with 1 when a continuation differs from the reference.
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { getLlama } from 'node-llama-cpp';

const { values } = parseArgs({
  options: {
    gguf: { type: 'string' },
    reference: {
      type: 'string',
      default: new URL('../../../oracle/generate-demo.json', import.meta.url).pathname,
    },
    prompts: { type: 'string', default: '6' },
    tokens: { type: 'string', default: '24' },
  },
});
if (values.gguf === undefined) {
  console.error('usage: node greedy.mjs --gguf FILE [--reference FILE] [--prompts N] [--tokens N]');
  process.exit(2);
}

async function continuation(model, promptIds, tokenCount) {
  const context = await model.createContext({ contextSize: 512, threads: 2 });
  const tokens = [];
  for await (const token of context
    .getSequence()
    .evaluate(promptIds, { temperature: 0, yieldEogToken: true })) {
    tokens.push(token);
    if (tokens.length === tokenCount) break;
  }
  await context.dispose();
  return tokens;
}

const { prompts } = JSON.parse(readFileSync(values.reference, 'utf8'));
const llama = await getLlama({ gpu: false, build: 'never', maxThreads: 2 });
const model = await llama.loadModel({ modelPath: values.gguf });
let differing = 0;
for (const { prompt_ids: promptIds, new_ids: newIds } of prompts.slice(0, Number(values.prompts))) {
  const expected = newIds.slice(0, Number(values.tokens));
  const actual = await continuation(model, promptIds, expected.length);
  const isSame = actual.join() === expected.join();
  console.log(`${isSame ? 'same' : 'other'} tokens: ${actual.join(' ')}`);
  if (!isSame) differing++;
}
await llama.dispose();
process.exit(differing === 0 ? 0 : 1);
