import * as fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import type { GenerateEvent, GenerateRequest, SequenceTextEvent } from '../core/generate.js';
import { ChatTemplate } from './chat-template.js';
import type { GenerationDefaults } from './generation-config.js';
import { TextGenerator } from './generator.js';
import { type BatcherScript, ScriptedBatcher } from './testing/scripted-batcher.js';
import { loadTokenizer } from './tokenizer/load.js';
import { byteLevelJson, directoryWith, llama2Json } from './testing/test-tokenizers.js';
import type { Tokenizer } from './tokenizer/tokenizer.js';

const DEFAULTS: GenerationDefaults = {
  doSample: false,
  temperature: 1,
  topK: 0,
  topP: 1,
  minP: 0,
  repetitionPenalty: 1,
  endIds: [2],
};
const MODEL = {
  name: 'tiny',
  vocabulary: 1000,
  maxInputTokens: 512,
  maxOutputTokens: 512,
  maxSequenceTokens: 1024,
  precision: 'float32',
  hasChatTemplate: true,
};

let llama: Tokenizer;
let byteLevel: Tokenizer;
beforeAll(async () => {
  llama = await loadTokenizer(await directoryWith({ 'tokenizer.json': llama2Json() }));
  byteLevel = await loadTokenizer(await directoryWith({ 'tokenizer.json': byteLevelJson() }));
});

function setUp(script: BatcherScript, tokenizer: Tokenizer = llama, chatTemplate?: ChatTemplate) {
  const batcher = new ScriptedBatcher(script);
  return {
    batcher,
    generator: new TextGenerator({ model: MODEL, batcher, tokenizer, chatTemplate, defaults: DEFAULTS }),
  };
}

const text = (prompt: string, fields: Omit<GenerateRequest, 'prompt'> = {}): GenerateRequest => ({
  prompt: { type: 'text', text: prompt, addSpecialTokens: true },
  ...fields,
});
const output = (words: string, tokenizer: Tokenizer = llama): Promise<number[]> =>
  tokenizer.encode(words, { addSpecialTokens: false });

async function collect(events: AsyncIterable<GenerateEvent>): Promise<GenerateEvent[]> {
  const all: GenerateEvent[] = [];
  for await (const event of events) all.push(event);
  return all;
}

async function run(script: BatcherScript, request: GenerateRequest, tokenizer: Tokenizer = llama) {
  const { batcher, generator } = setUp(script, tokenizer);
  const [events] = await Promise.all([collect(generator.generate(request)), batcher.drain()]);
  return { events, batcher };
}

const textsOf = (events: readonly GenerateEvent[], sequence = 0): string[] =>
  events.flatMap((event) => (event.type === 'text' && event.sequence === sequence ? [event.text] : []));
const resultsOf = (events: readonly GenerateEvent[]): SequenceTextEvent[] =>
  events.filter((event) => event.type === 'sequence').toSorted((a, b) => a.sequence - b.sequence);

describe('a text request', () => {
  it('becomes tokens, and its tokens become text', async () => {
    const tokenIds = await output('hello the world');
    const { events, batcher } = await run({ sequences: [tokenIds] }, text('the', { seed: 9n, id: 'mine' }));
    const promptTokenIds = await llama.encode('the', { addSpecialTokens: true });
    expect(events[0]).toEqual({ type: 'started', id: 'mine', promptTokenIds, seed: 9n });
    expect(textsOf(events)).toEqual(['hello', ' the', ' world']);
    expect(events.slice(-2)).toEqual([
      {
        type: 'sequence',
        sequence: 0,
        text: 'hello the world',
        tokenIds,
        finishReason: 'stop',
        stop: undefined,
        cumulativeLogprob: -3,
      },
      {
        type: 'finished',
        usage: { promptTokens: promptTokenIds.length, cachedPromptTokens: 0, outputTokens: 3 },
        timings: { submittedMs: 1, scheduledMs: 2, firstTokenMs: 3, finishedMs: 4 },
      },
    ]);
    expect([...batcher.submitted[0]!.promptTokenIds]).toEqual(promptTokenIds);
    expect(batcher.cancelled).toEqual([]);
  });

  it('gets a random seed, another each time, and reports it', async () => {
    const seeds = await Promise.all(
      [1, 2].map(async () => {
        const { events, batcher } = await run({ sequences: [[300]] }, text('the'));
        const started = events[0];
        expect(started?.type === 'started' && started.seed).toBe(batcher.submitted[0]!.sampling.seed);
        return batcher.submitted[0]!.sampling.seed;
      }),
    );
    expect(seeds[0]).not.toBe(seeds[1]);
    // A client that reads JSON numbers as doubles has it exactly.
    for (const seed of seeds) expect(seed <= BigInt(Number.MAX_SAFE_INTEGER)).toBe(true);
  });

  it('can be a conversation', async () => {
    const source = '{{ bos_token }}{% for m in messages %}{{ m.content }}{% endfor %}';
    const template = new ChatTemplate(new Map([['default', source]]), { bos_token: '<s>' }, 'test');
    const { batcher, generator } = setUp({ sequences: [[300]] }, llama, template);
    const prompt = {
      type: 'chat',
      messages: [{ role: 'user', content: 'hello' }],
      templateArguments: {},
    } as const;
    await Promise.all([collect(generator.generate({ prompt })), batcher.drain()]);
    expect([...batcher.submitted[0]!.promptTokenIds]).toEqual(
      await llama.encode('hello', { addSpecialTokens: true }),
    );
  });

  it('forbids bad words with and without a space before them', async () => {
    const { batcher } = await run({ sequences: [[300]] }, text('the', { badWords: ['stop'] }));
    const words = batcher.submitted[0]!.sampling.badWords.map((ids) => ids.map((id) => llama.tokenText(id)));
    expect(words).toEqual([['stop'], [' stop']]);
  });

  it('shows control tokens that it names, and takes a course in the tokens of the model', async () => {
    const tokenIds = await output('hello<|eot|>world<|end|>', byteLevel);
    const constraint = { type: 'choice', choices: ['x'] } as const;
    const course = {
      start: 0,
      nodes: [
        {
          isFinal: false,
          edges: [{ text: '<|eot|>the', part: { type: 'constrained', constraint }, to: 1 }],
        },
        { isFinal: true, edges: [] },
      ],
    } as const;
    const request = text('the', { shownTokens: ['<|eot|>'], course });
    const { events, batcher } = await run({ sequences: [tokenIds] }, request, byteLevel);
    expect(textsOf(events).join('')).toBe('hello<|eot|>world');
    expect(resultsOf(events)[0]!.text).toBe('hello<|eot|>world');
    const { nodes, tokens } = batcher.submitted[0]!.course!;
    expect(nodes[0]!.edges[0]!.starts).toEqual([await output('<|eot|>the', byteLevel)]);
    const eot = tokenIds.find((id) => byteLevel.table.specialTexts.get(id) === '<|eot|>')!;
    const bytes = tokens.tokenBytes.subarray(tokens.tokenOffsets[eot], tokens.tokenOffsets[eot + 1]);
    expect(Buffer.from(bytes).toString(), 'constraints know it as a text').toBe('<|eot|>');
    const { generator } = setUp({ sequences: [] }, byteLevel);
    const both = await collect(generator.generate({ ...request, constraint }));
    expect(both.at(-1)).toMatchObject({ error: { code: 'REQUEST_INVALID' } });
  });

  it('has texts with its log probabilities', async () => {
    const tokenIds = await output('hello world');
    const { events } = await run({ sequences: [tokenIds] }, text('the', { logprobs: 1 }));
    const logprobs = events.flatMap((event) => (event.type === 'text' ? (event.logprobs ?? []) : []));
    expect(logprobs.map((entry) => [entry.text, entry.topTexts, entry.logprob])).toEqual([
      [' hello', [' hello'], -0.5],
      [' world', [' world'], -0.5],
    ]);
  });
});

describe('echo', () => {
  it('is what a text that continues its prompt is the rest of', async () => {
    const script = async () => ({ sequences: [await output('world the')] });
    const { events: whole } = await run(await script(), text('hello', { echo: true }));
    const { events: rest } = await run(await script(), text('hello', { continuesPrompt: true }));
    expect(textsOf(rest)).toEqual([' world', ' the']);
    expect(`hello${resultsOf(rest)[0]?.text}`).toBe(resultsOf(whole)[0]?.text);
    // Nothing precedes it: as the start of a text.
    const { events: alone } = await run(await script(), text('', { continuesPrompt: true }));
    expect(resultsOf(alone)[0]?.text).toBe('world the');
  });

  it('joins prompt and output as one text', async () => {
    const { events } = await run(
      { sequences: [await output('world'), await output('the')] },
      text('hello', { echo: true, sequenceCount: 2 }),
    );
    expect(textsOf(events, 0)).toEqual(['hello', ' world']);
    expect(resultsOf(events).map((result) => result.text)).toEqual(['hello world', 'hello the']);
  });

  it('does not look for stop strings in the prompt', async () => {
    const { events } = await run(
      { sequences: [await output('a stop the')] },
      text('hello stop', { echo: true, stop: ['stop'] }),
    );
    expect(resultsOf(events)[0]).toMatchObject({
      text: 'hello stop a ',
      stop: 'stop',
      finishReason: 'stop_word',
    });
  });
});

describe('stop strings', () => {
  it('end the request at once, and count only tokens that were given out', async () => {
    const tokenIds = await output('hello stop the the the the the the');
    const { events, batcher } = await run(
      { sequences: [tokenIds] },
      text('the', { stop: ['o st'], logprobs: 0 }),
    );
    expect(resultsOf(events)[0]).toMatchObject({
      text: 'hell',
      stop: 'o st',
      finishReason: 'stop_word',
      tokenIds: tokenIds.slice(0, 2),
      cumulativeLogprob: -1,
    });
    expect(events.at(-1)).toMatchObject({ type: 'finished', usage: { outputTokens: 2 } });
    expect(batcher.stepCount).toBe(3);
    expect(batcher.runningCount).toBe(0);
  });

  it('let the other sequences of the request go on', async () => {
    const sequences = [await output('stop the the the the the'), await output('hello the world')];
    const { events, batcher } = await run({ sequences }, text('the', { stop: ['stop'], sequenceCount: 2 }));
    expect(resultsOf(events).map((result) => [result.text, result.finishReason])).toEqual([
      ['', 'stop_word'],
      ['hello the world', 'stop'],
    ]);
    expect(events.at(-1)).toMatchObject({ type: 'finished', usage: { outputTokens: 4 } });
    expect(batcher.ended).toEqual([{ id: batcher.submitted[0]!.id, sequence: 0 }]);
    expect([batcher.cancelled, batcher.stepCount]).toEqual([[], 3]);
  });

  it('are reported once, even when tokens follow before the batcher knows', async () => {
    const sequences = [await output('stop the the the the the')];
    const { batcher, generator } = setUp({ sequences });
    const request = text('the', { stop: ['stop'] });
    const [events] = await Promise.all([collect(generator.generate(request)), batcher.drain(3)]);
    expect(events.map((event) => event.type)).toEqual(['started', 'text', 'sequence', 'finished']);
    expect(batcher.ended).toHaveLength(1);
  });

  it('are cut from results that were never streamed', async () => {
    const script = { sequences: [await output('hello stop the')], isSilent: true };
    const beam = { width: 2, lengthPenalty: 1, earlyStopping: true };
    const { events, batcher } = await run(script, text('the', { stop: [' stop'], includeStop: true, beam }));
    expect(events.map((event) => event.type)).toEqual(['started', 'text', 'sequence', 'finished']);
    expect(resultsOf(events)[0]).toMatchObject({ text: 'hello stop', stop: ' stop', cumulativeLogprob: -3 });
    expect(batcher.cancelled).toEqual([]);
  });
});

describe('whatever the settings', () => {
  const settings = fc.record({
    usesBytes: fc.boolean(),
    sequences: fc.array(fc.array(fc.nat(330), { maxLength: 25 }), { minLength: 1, maxLength: 3 }),
    eventTokens: fc.integer({ min: 1, max: 4 }),
    stepsPerTurn: fc.integer({ min: 1, max: 5 }),
    isSilent: fc.boolean(),
    skipSpecialTokens: fc.boolean(),
    echo: fc.boolean(),
    includeStop: fc.boolean(),
    stop: fc.array(fc.constantFrom('e', ' th', 'the', 'a', '\uFFFD', 'o w'), { maxLength: 2 }),
  });

  /** All text first, then the earliest end of a stop string; independent of the streaming code. */
  function expectedText(
    tokenizer: Tokenizer,
    promptIds: readonly number[],
    ids: readonly number[],
    request: GenerateRequest,
  ) {
    const options = { skipSpecialTokens: request.skipSpecialTokens ?? true };
    const start = request.echo ? tokenizer.decode(promptIds, options) : '';
    const whole = request.echo
      ? tokenizer.decode([...promptIds, ...ids], options)
      : tokenizer.decode(ids, options);
    const generated = whole.slice(start.length);
    const ends = (request.stop ?? []).flatMap((stop) => {
      const at = generated.indexOf(stop);
      return at < 0 ? [] : [{ at, end: at + stop.length }];
    });
    const first = ends.toSorted((a, b) => a.end - b.end || a.at - b.at)[0];
    return start + generated.slice(0, first && (request.includeStop ? first.end : first.at));
  }

  it('the streamed text is exactly the final text, and one last event comes', () => {
    return fc.assert(
      fc.asyncProperty(
        settings,
        async ({ usesBytes, sequences, eventTokens, stepsPerTurn, isSilent, ...fields }) => {
          const tokenizer = usesBytes ? byteLevel : llama;
          const request = text('hello a', { ...fields, sequenceCount: sequences.length });
          const { batcher, generator } = setUp({ sequences, eventTokens, isSilent }, tokenizer);
          const [events] = await Promise.all([
            collect(generator.generate(request)),
            batcher.drain(stepsPerTurn),
          ]);
          const promptIds = await tokenizer.encode('hello a', { addSpecialTokens: true });
          const results = resultsOf(events);
          expect(results).toHaveLength(sequences.length);
          for (const [i, result] of results.entries()) {
            expect(textsOf(events, i).join('')).toBe(result.text);
            expect(result.text).toBe(expectedText(tokenizer, promptIds, sequences[i]!, request));
            const streamed = events.flatMap((event) =>
              event.type === 'text' && event.sequence === i ? event.tokenIds : [],
            );
            expect(streamed).toEqual(result.tokenIds);
          }
          expect(events.filter(({ type }) => type === 'finished' || type === 'failed')).toEqual([
            events.at(-1),
          ]);
          expect(batcher.runningCount).toBe(0);
        },
      ),
      { numRuns: 400 },
    );
  });
});

describe('a reader', () => {
  it('who is slow gets merged text and holds nothing up', async () => {
    const sequences = [await output('hello the world hello'), await output('the hello a world')];
    const { batcher, generator } = setUp({ sequences });
    const request = text('the', { sequenceCount: 2, logprobs: 0, returnGenerationLogits: true });
    const stream = generator.generate(request)[Symbol.asyncIterator]();
    const first = await Promise.all([stream.next(), batcher.drain()]);
    expect(first[0].value).toMatchObject({ type: 'started' });
    const events = await collect({ [Symbol.asyncIterator]: () => stream });
    expect(events.map((event) => event.type)).toEqual(['text', 'text', 'sequence', 'sequence', 'finished']);
    const [merged] = events;
    expect(merged).toMatchObject({ text: 'hello the world hello', tokenIds: sequences[0] });
    expect(merged?.type === 'text' && merged.logprobs).toHaveLength(4);
    expect(merged?.type === 'text' && [...merged.logits!]).toEqual(sequences[0]!.flatMap((id) => [id, -id]));
  });

  it('who leaves cancels the request, also while waiting for the next event', async () => {
    const { batcher, generator } = setUp({ sequences: [[300, 301]] });
    const stream = generator.generate(text('the'))[Symbol.asyncIterator]();
    await stream.next();
    const waiting = stream.next();
    await stream.return?.();
    expect(await waiting).toEqual({ done: true, value: undefined });
    expect(batcher.cancelled).toEqual([batcher.submitted[0]!.id]);
    batcher.step();
    expect(batcher.runningCount).toBe(0);
    expect(await stream.next()).toEqual({ done: true, value: undefined });
  });

  it('who breaks off a loop cancels the request', async () => {
    const { batcher, generator } = setUp({ sequences: [[300, 301, 302]] });
    for await (const event of generator.generate(text('the'))) {
      if (event.type === 'text') break;
      batcher.step();
    }
    expect(batcher.cancelled).toHaveLength(1);
  });

  it('who left before the prompt was encoded starts nothing', async () => {
    const { batcher, generator } = setUp({ sequences: [[300]] });
    const stream = generator.generate(text('the'))[Symbol.asyncIterator]();
    await stream.return?.();
    await llama.encode('the', { addSpecialTokens: true });
    await new Promise((resolve) => void setTimeout(resolve, 5));
    expect(batcher.submitted).toEqual([]);
  });

  it('who aborts gets a failed event, whenever it happens', async () => {
    const controller = new AbortController();
    const { batcher, generator } = setUp({ sequences: [[300, 301, 302, 303]] });
    const events = collect(generator.generate(text('the'), controller.signal));
    while (batcher.submitted.length === 0) await new Promise((resolve) => void setImmediate(resolve));
    batcher.step();
    controller.abort();
    await batcher.drain();
    expect((await events).at(-1)).toMatchObject({
      type: 'failed',
      error: { code: 'CANCELLED' },
      usage: { outputTokens: 1 },
    });
    const late = await collect(generator.generate(text('the'), controller.signal));
    expect(late).toMatchObject([{ type: 'failed', error: { code: 'CANCELLED' } }]);
    expect(batcher.submitted).toHaveLength(1);
  });
});

describe('a bad request', () => {
  const chat = { type: 'chat', messages: [{ role: 'user', content: 'hi' }], templateArguments: {} } as const;
  it.each<[GenerateRequest, string, RegExp]>([
    [text('the', { temperature: -1 }), 'REQUEST_INVALID', /^temperature must be/],
    [
      text('the '.repeat(600)),
      'PROMPT_TOO_LONG',
      /^The prompt has 60\d tokens, but this model's maximum context length is 1024 tokens, of which a prompt takes at most 512 \(max_input_len\)/,
    ],
    [{ prompt: { type: 'tokens', tokenIds: [] } }, 'REQUEST_INVALID', /no tokens/],
    [{ prompt: { type: 'tokens', tokenIds: [5000] } }, 'REQUEST_INVALID', /^prompt\[0\] is 5000/],
    [{ prompt: chat }, 'REQUEST_INVALID', /^The model tiny has no chat template/],
  ])('is answered by one failed event (%#)', async (request, code, message) => {
    const { batcher, generator } = setUp({ sequences: [[300]] });
    const events = await collect(generator.generate(request));
    expect(events).toMatchObject([
      { type: 'failed', error: { code, message: expect.stringMatching(message) } },
    ]);
    expect(batcher.submitted).toEqual([]);
  });
});

describe('what a request may cost', () => {
  const countingTokenizer = () => {
    const calls: string[] = [];
    const encode: Tokenizer['encode'] = (words, options) => {
      calls.push(words);
      return llama.encode(words, options);
    };
    const tokenizer = new Proxy(llama, {
      get: (target, name) => (name === 'encode' ? encode : Reflect.get(target, name, target)),
    });
    return { calls, tokenizer };
  };

  const refusedEvents = (request: GenerateRequest, tokenizer: Tokenizer) =>
    collect(setUp({ sequences: [] }, tokenizer).generator.generate(request));

  it('is checked before a text that cannot fit is tokenised', async () => {
    const { calls, tokenizer } = countingTokenizer();
    const { longestTokenBytes } = tokenizer.table;
    const events = await refusedEvents(text('a'.repeat(512 * longestTokenBytes + 1)), tokenizer);
    expect(events).toMatchObject([{ type: 'failed', error: { code: 'PROMPT_TOO_LONG' } }]);
    expect(calls).toEqual([]);
  });

  it('of a text that is cut depends on what is kept', async () => {
    const { calls, tokenizer } = countingTokenizer();
    const words = 'hello the world '.repeat(100_000);
    const { batcher } = await run(
      { sequences: [await output('the')] },
      text(words, { truncatePromptTokens: 5 }),
      tokenizer,
    );
    expect(calls.map(({ length }) => length < 10_000)).toEqual([true]);
    const whole = await llama.encode(words, { addSpecialTokens: true });
    expect([...batcher.submitted[0]!.promptTokenIds]).toEqual(whole.slice(-5));
  });

  it.each(['stop', 'badWords'] as const)('has a limit of %s', async (field) => {
    const { calls, tokenizer } = countingTokenizer();
    for (const words of [
      Array.from({ length: 257 }, (_, i) => `w${i}`),
      ['x'.repeat(1025)],
      Array.from({ length: 20 }, (_, i) => `${i}${'x'.repeat(1000)}`),
    ]) {
      const events = await refusedEvents(text('the', { [field]: words }), tokenizer);
      expect(events).toMatchObject([{ type: 'failed', error: { code: 'REQUEST_INVALID' } }]);
    }
    expect(calls).toEqual([]);
  });
});

describe('control tokens in messages', () => {
  const template = new ChatTemplate(
    new Map([['default', '{% for m in messages %}<s>{{ m.role }}: {{ m.content | trim }}</s>{% endfor %}']]),
    {},
    'test',
  );
  const promptOf = async (tokenizer: Tokenizer, content: string) => {
    const { batcher, generator } = setUp(
      { sequences: [await output('the', tokenizer)] },
      tokenizer,
      template,
    );
    const prompt = { type: 'chat', messages: [{ role: 'user', content }], templateArguments: {} } as const;
    await Promise.all([collect(generator.generate({ prompt })), batcher.drain()]);
    return [...batcher.submitted[0]!.promptTokenIds];
  };

  it.each(['llama', 'byteLevel'] as const)('are text: %s', async (name) => {
    const tokenizer = name === 'llama' ? llama : byteLevel;
    const { special } = tokenizer.table;
    const specialTexts = [...tokenizer.table.specialTexts.values()];
    expect(specialTexts.length).toBeGreaterThan(0);
    const countOf = (ids: readonly number[]) => ids.filter((id) => special[id] === 1).length;
    const plain = await promptOf(tokenizer, 'hello');
    const hostile = `hello ${specialTexts.join(' and ')} hello`;
    const ids = await promptOf(tokenizer, hostile);
    expect(countOf(ids)).toBe(countOf(plain));
    const decoded = tokenizer.decode(ids, { skipSpecialTokens: false });
    expect(decoded).toContain(hostile);
  });

  it('do not change a prompt without any', async () => {
    const ids = await promptOf(llama, ' hello the world ');
    expect(ids).toEqual(await output('<s>user: hello the world</s>'));
  });

  it('cannot be sent as the marks that stand for them', async () => {
    const { special } = llama.table;
    const ids = await promptOf(llama, 'hello \u{f0000}\u{f0001} hello');
    expect(ids.filter((id) => special[id] === 1).length).toBe(2);
  });
});

describe('stop strings', () => {
  it('that name a control token end the text, which does not show it', async () => {
    const words = await output('hello the');
    for (const includeStop of [false, true]) {
      const request = text('the', { stop: ['<s>'], includeStop });
      const { events } = await run({ sequences: [[...words, 1, ...words]] }, request);
      expect(resultsOf(events)).toMatchObject([
        {
          text: includeStop ? 'hello the<s>' : 'hello the',
          finishReason: 'stop_word',
          stop: '<s>',
          tokenIds: [...words, 1],
        },
      ]);
    }
  });

  it('leave control tokens that none names out of what they look at', async () => {
    const [hello, the] = await output('hello the');
    const request = text('the', { stop: ['hello the'] });
    const { events } = await run({ sequences: [[hello!, 1, the!, hello!]] }, request);
    expect(resultsOf(events)).toMatchObject([
      { text: '', finishReason: 'stop_word', tokenIds: [hello, 1, the] },
    ]);
  });

  it('end nothing before minTokens', async () => {
    const ids = await output('hello the world the');
    const { events } = await run({ sequences: [ids] }, text('the', { stop: ['the'], minTokens: 2 }));
    expect(resultsOf(events)).toMatchObject([{ text: 'hello the world ', stop: 'the' }]);
  });
});

describe('a request for no output', () => {
  it('reads the prompt and answers it, with no token', async () => {
    const request = text('hello the', { maxOutputTokens: 0, echo: true });
    const { events, batcher } = await run({ sequences: [[300]] }, request);
    expect(batcher.submitted[0]!.maxOutputTokens).toBe(1);
    expect(textsOf(events).join('')).toBe('hello the');
    expect(resultsOf(events)).toMatchObject([{ text: 'hello the', tokenIds: [], finishReason: 'length' }]);
    expect(events.at(-1)).toMatchObject({ type: 'finished', usage: { outputTokens: 0 } });
  });
});
