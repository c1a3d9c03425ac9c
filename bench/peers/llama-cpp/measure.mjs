/**
 * node measure.mjs --gguf FILE [--threads 2] [--prefill_tokens 512] [--decode_tokens 128] [--rounds 5]
 * llama.cpp through node-llama-cpp on the CPU: tokens/s of one prompt and of one sequence's decoding. Prints JSON.
 */
import { parseArgs } from 'node:util';
import { readFileSync } from 'node:fs';
import { getLlama } from 'node-llama-cpp';

const { values } = parseArgs({
  options: {
    gguf: { type: 'string' },
    threads: { type: 'string', default: '2' },
    prefill_tokens: { type: 'string', default: '512' },
    decode_tokens: { type: 'string', default: '128' },
    rounds: { type: 'string', default: '5' },
  },
});
if (values.gguf === undefined) {
  console.error(
    'usage: node measure.mjs --gguf FILE [--threads N] [--prefill_tokens N] [--decode_tokens N] [--rounds N]',
  );
  process.exit(2);
}
const threads = Number(values.threads);
const prefillTokens = Number(values.prefill_tokens);
const decodeTokens = Number(values.decode_tokens);

const median = (list) => list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)];

/** The variant of llama.cpp's CPU backend that this process loaded. */
function cpuVariant() {
  const file = /libggml-cpu-(\w+)\.so/.exec(readFileSync('/proc/self/maps', 'utf8'));
  return file?.[1] ?? 'unknown';
}

/** Token ids that mean nothing; llama.cpp's speed does not depend on them. */
const prompt = (count) => Array.from({ length: count }, (_, i) => 300 + ((i * 7919) % 20000));

async function prefillSeconds(sequence) {
  await sequence.clearHistory();
  const start = performance.now();
  await sequence.evaluateWithoutGeneratingNewTokens(prompt(prefillTokens));
  return (performance.now() - start) / 1000;
}

/** Seconds for `decodeTokens` tokens, after the first. */
async function decodeSeconds(sequence) {
  await sequence.clearHistory();
  let start = 0;
  let count = 0;
  for await (const _ of sequence.evaluate(prompt(4), { temperature: 0, yieldEogToken: true })) {
    if (count === 0) start = performance.now();
    if (count === decodeTokens) break;
    count++;
  }
  if (count < decodeTokens) throw new Error(`generation stopped after ${count} tokens`);
  return (performance.now() - start) / 1000;
}

async function repeat(measure) {
  const seconds = [];
  await measure(); // warm-up
  for (let round = 0; round < Number(values.rounds); round++) seconds.push(await measure());
  return seconds;
}

const llama = await getLlama({ gpu: false, build: 'never', maxThreads: threads });
const model = await llama.loadModel({ modelPath: values.gguf });
const context = await model.createContext({
  contextSize: prefillTokens + decodeTokens + 64,
  batchSize: prefillTokens,
  threads: { ideal: threads, min: threads },
});
const sequence = context.getSequence();
const prefill = (await repeat(() => prefillSeconds(sequence))).map((seconds) => prefillTokens / seconds);
const decode = (await repeat(() => decodeSeconds(sequence))).map((seconds) => decodeTokens / seconds);
console.log(
  JSON.stringify(
    {
      peer: 'node-llama-cpp',
      gguf: values.gguf,
      cpuVariant: cpuVariant(),
      threads: context.currentThreads,
      prefillTokens,
      decodeTokens,
      prefillTokensPerSecond: { median: median(prefill), best: Math.max(...prefill) },
      decodeTokensPerSecond: { median: median(decode), best: Math.max(...decode) },
    },
    null,
    2,
  ),
);
await llama.dispose();
