import * as fc from 'fast-check';
import { afterEach, beforeAll, expect, it } from 'vitest';
import { SYSTEM_CLOCK } from '../core/clock.js';
import type { GenerateEvent, GenerateRequest } from '../core/generate.js';
import { Batcher } from '../run/batcher/batcher.js';
import { DEFAULT_BATCHER_OPTIONS } from '../run/batcher/batcher-options.js';
import { ToyExecutor } from '../run/executor/testing/toy-executor.js';
import type { GenerationDefaults } from './generation-config.js';
import { TextGenerator } from './generator.js';
import { loadTokenizer } from './tokenizer/load.js';
import { directoryWith, llama2Json } from './testing/test-tokenizers.js';
import type { Tokenizer } from './tokenizer/tokenizer.js';

const DEFAULTS: GenerationDefaults = {
  doSample: true,
  temperature: 1,
  topK: 0,
  topP: 1,
  minP: 0,
  repetitionPenalty: 1.1,
  endIds: [2],
};

let tokenizer: Tokenizer;
beforeAll(async () => {
  tokenizer = await loadTokenizer(await directoryWith({ 'tokenizer.json': llama2Json() }));
});

const open: Batcher[] = [];
afterEach(async () => {
  for (const batcher of open.splice(0)) await batcher.close();
});

/** A generator over the real batcher and an executor whose tokens are hashes of their history. */
function start() {
  const vocabulary = tokenizer.table.tokenCount;
  const limits = {
    maxStepTokens: 64,
    maxRows: 16,
    maxLogits: 16,
    blockTokens: 8,
    maxSequenceTokens: 128,
    vocabulary,
  };
  const executor = new ToyExecutor({ limits: { ...limits, blockCount: 256, hostBlockCount: 0 } });
  const batcher = new Batcher(executor, DEFAULT_BATCHER_OPTIONS, SYSTEM_CLOCK);
  batcher.start();
  open.push(batcher);
  const model = {
    name: 'toy',
    vocabulary,
    maxInputTokens: batcher.limits.maxInputTokens,
    maxOutputTokens: batcher.limits.maxOutputTokens,
    maxSequenceTokens: batcher.limits.maxSequenceTokens,
    precision: 'float32',
    hasChatTemplate: false,
  };
  return {
    batcher,
    generator: new TextGenerator({ model, batcher, tokenizer, chatTemplate: undefined, defaults: DEFAULTS }),
  };
}

async function collect(events: AsyncIterable<GenerateEvent>): Promise<GenerateEvent[]> {
  const all: GenerateEvent[] = [];
  for await (const event of events) all.push(event);
  return all;
}

function checkEvents(events: readonly GenerateEvent[], sequenceCount: number): void {
  expect(events.at(-1)).toMatchObject({ type: 'finished' });
  const results = events.filter((event) => event.type === 'sequence');
  expect(results.map(({ sequence }) => sequence).toSorted((a, b) => a - b)).toEqual(
    Array.from({ length: sequenceCount }, (_, i) => i),
  );
  for (const { sequence, text, tokenIds } of results) {
    const pieces = events
      .filter((event) => event.type === 'text')
      .filter((event) => event.sequence === sequence);
    expect(pieces.map((piece) => piece.text).join('')).toBe(text);
    expect(pieces.flatMap((piece) => piece.tokenIds)).toEqual(tokenIds);
  }
  expect(events.filter(({ type }) => type === 'finished' || type === 'failed')).toHaveLength(1);
}

const beams = fc.record({
  width: fc.integer({ min: 2, max: 4 }),
  lengthPenalty: fc.constant(1),
  earlyStopping: fc.boolean(),
});
const requests = fc
  .record({
    words: fc.array(fc.constantFrom('the', 'hello', 'a', 'world', '🙂'), { minLength: 1, maxLength: 20 }),
    maxOutputTokens: fc.integer({ min: 1, max: 30 }),
    stop: fc.array(fc.constantFrom('e', ' th', '\uFFFD', 'o', 'stop'), { maxLength: 2 }),
    includeStop: fc.boolean(),
    echo: fc.boolean(),
    sequenceCount: fc.integer({ min: 1, max: 2 }),
    extra: fc.nat(2),
    beam: fc.option(beams, { nil: undefined }),
    logprobs: fc.option(fc.nat(2), { nil: undefined }),
  })
  .map(({ words, extra, beam, logprobs, ...fields }): GenerateRequest => {
    const prompt = { type: 'text', text: words.join(' '), addSpecialTokens: true } as const;
    const choice = beam ? { beam } : { bestOf: fields.sequenceCount + extra };
    return { prompt, ...fields, ...choice, ...(logprobs === undefined ? {} : { logprobs }) };
  });

it('text requests of every kind run together through the real batcher', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(requests, { minLength: 1, maxLength: 6 }), async (batch) => {
      const { batcher, generator } = start();
      const answers = await Promise.all(batch.map((request) => collect(generator.generate(request))));
      for (const [i, events] of answers.entries()) checkEvents(events, batch[i]!.sequenceCount ?? 1);
      await batcher.close();
    }),
    { numRuns: 60 },
  );
});

it('a stop string ends one of several sequences, which gives up its row of the batch', async () => {
  const { batcher, generator } = start();
  const rowCounts: number[] = [];
  batcher.onStep(({ decodeRowCount }) => rowCounts.push(decodeRowCount));
  const prompt = { type: 'text', text: 'hello the world', addSpecialTokens: true } as const;
  const request = {
    prompt,
    maxOutputTokens: 60,
    ignoreEos: true,
    seed: 5n,
    sequenceCount: 3,
    temperature: 1,
  };
  const resultsOf = (events: readonly GenerateEvent[]) =>
    events
      .filter((event) => event.type === 'sequence')
      .toSorted((a, b) => a.sequence - b.sequence)
      .map(({ text, tokenIds, finishReason }) => ({ text, tokenIds, finishReason }));
  const whole = resultsOf(await collect(generator.generate(request)));
  const fullCount = rowCounts.splice(0).reduce((sum, count) => sum + count, 0);
  // Eight characters of the first text that the others do not have.
  const stop = whole[0]!.text.slice(20, 28);
  expect(whole.slice(1).some(({ text }) => text.includes(stop))).toBe(false);
  const events = await collect(generator.generate({ ...request, stop: [stop] }));
  checkEvents(events, 3);
  const [stopped, ...others] = resultsOf(events);
  expect(others).toEqual(whole.slice(1));
  expect(stopped).toMatchObject({ text: whole[0]!.text.slice(0, 20), finishReason: 'stop_word' });
  const savedCount = 60 - stopped!.tokenIds.length;
  const ranCount = rowCounts.reduce((sum, count) => sum + count, 0);
  expect(savedCount).toBeGreaterThan(10);
  // One token may be on its way when the stop string is found.
  expect(fullCount - ranCount).toBeGreaterThanOrEqual(savedCount - 2);
  expect(batcher.kv.freeCount + batcher.kv.cachedCount).toBe(batcher.kv.blockCount);
});

it('a reader who leaves takes nothing from the others', async () => {
  const { generator } = start();
  const prompt = { type: 'text', text: 'hello the world', addSpecialTokens: true } as const;
  const request = { prompt, maxOutputTokens: 40, ignoreEos: true, seed: 5n };
  const alone = await collect(generator.generate(request));
  const leave = async (): Promise<void> => {
    for await (const event of generator.generate({ ...request, seed: 6n })) if (event.type === 'text') break;
  };
  const [beside] = await Promise.all([collect(generator.generate(request)), leave(), leave()]);
  const textOf = (events: readonly GenerateEvent[]) =>
    events.flatMap((event) => (event.type === 'sequence' ? [event.text] : []));
  expect(textOf(beside)).toEqual(textOf(alone));
});
