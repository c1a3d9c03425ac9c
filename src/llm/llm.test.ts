/** The Node API on the demo model, as a program uses it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { AloftError, type GenerateEvent, LLM } from '../index.js';
import type { LoadProgress } from './load-options.js';
import { StepMeter } from '../test/metered-executor.js';
import { buildDemo } from '../tools/cli/testing/command-line.js';

const folder = mkdtempSync(join(tmpdir(), 'aloft-llm-test-'));
const engine = join(folder, 'engine');
const meter = new StepMeter();
let llm: LLM;

beforeAll(async () => {
  await buildDemo(engine);
  llm = await LLM.load(engine, meter.options);
});
afterAll(async () => {
  await llm.close();
  rmSync(folder, { recursive: true, force: true });
});

const GREEDY = { temperature: 0, maxOutputTokens: 24 } as const;

async function collect(
  events: AsyncIterable<GenerateEvent>,
  onEvent: (event: GenerateEvent) => void = () => {},
): Promise<GenerateEvent[]> {
  const seen: GenerateEvent[] = [];
  for await (const event of events) {
    seen.push(event);
    onEvent(event);
  }
  return seen;
}

/** Waits until nothing runs: then every block is free or kept for prefixes. */
async function untilIdle(model: LLM): Promise<void> {
  const { text } = await model.complete({ prompt: 'The sun', ...GREEDY, maxOutputTokens: 1 });
  expect(text).not.toBe('');
}

test('generate: the pieces are the text, and one finished event comes last', async () => {
  // The engine is never further ahead of the reader than four tokens, so that text cannot gather.
  meter.hold(4);
  const readOn = (event: GenerateEvent) => void (event.type === 'text' && meter.allow(event.tokenIds.length));
  const generated = collect(llm.generate({ prompt: 'Once upon a time', ...GREEDY }), readOn);
  const events = await generated.finally(() => meter.allow());
  expect(events[0]).toMatchObject({ type: 'started' });
  const pieces = events.flatMap((event) => (event.type === 'text' ? [event.text] : []));
  const sequence = events.find((event) => event.type === 'sequence');
  expect(pieces.join('')).toBe(sequence?.text);
  expect(pieces.length).toBeGreaterThan(5);
  expect(events.at(-1)).toMatchObject({ type: 'finished', usage: { outputTokens: 24 } });
  expect(events.filter(({ type }) => type === 'finished' || type === 'failed')).toHaveLength(1);
});

test('complete gives the whole answer, the same as the pieces', async () => {
  const { text, finishReason, usage } = await llm.complete({ prompt: 'Once upon a time', ...GREEDY });
  expect(text).toMatch(/^, .*\b(was|lived)\b/);
  expect([finishReason, usage.outputTokens]).toEqual(['length', 24]);
  expect((await llm.complete({ prompt: 'Once upon a time', ...GREEDY })).text).toBe(text);
});

test('chat goes through the template, and knows what deep learning is', async () => {
  const events = await collect(
    llm.chat([{ role: 'user', content: 'What is deep learning ?' }], { temperature: 0, maxOutputTokens: 64 }),
  );
  const sequence = events.find((event) => event.type === 'sequence');
  expect(sequence?.text).toMatch(/deep learning is .*(layers|examples)/);
  const started = events.find((event) => event.type === 'started');
  const plain = await llm.tokenizer.encode('What is deep learning ?', { addSpecialTokens: true });
  expect(started!.promptTokenIds.length).toBeGreaterThan(plain.length);
});

test('stop strings end the text before them', async () => {
  const { text, finishReason } = await llm.complete({
    prompt: 'Once upon a time',
    ...GREEDY,
    stop: ['there'],
  });
  expect([text.includes('there'), finishReason]).toEqual([false, 'stop_word']);
});

test('several at once give what each gives alone', async () => {
  const prompts = ['Once upon a time', 'What is deep learning ?', 'The sun', 'A computer'];
  const alone: string[] = [];
  for (const prompt of prompts) alone.push((await llm.complete({ prompt, ...GREEDY })).text);
  const together = await Promise.all(prompts.map((prompt) => llm.complete({ prompt, ...GREEDY })));
  expect(together.map(({ text }) => text)).toEqual(alone);
});

test('aborting ends the stream with CANCELLED within a few pieces', async () => {
  const controller = new AbortController();
  const events: GenerateEvent[] = [];
  const request = { prompt: 'Once upon a time', temperature: 0, maxOutputTokens: 64, ignoreEos: true };
  meter.hold(5); // the answer cannot be over before this thread has seen its beginning
  for await (const event of llm.generate(request, controller.signal)) {
    events.push(event);
    if (event.type !== 'text' || controller.signal.aborted) continue;
    controller.abort();
    setImmediate(() => meter.allow());
  }
  expect(events.at(-1)).toMatchObject({ type: 'failed', error: { code: 'CANCELLED' } });
  expect(events.filter(({ type }) => type === 'text').length).toBeLessThan(10);
  await expect(llm.complete({ prompt: 'The sun' }, AbortSignal.abort())).rejects.toMatchObject({
    code: 'CANCELLED',
  });
});

test('leaving the loop cancels, and the blocks are free for others', async () => {
  const small = await LLM.load(engine, { maxKvTokens: 128 });
  try {
    for (let round = 0; round < 8; round++) {
      const request = { prompt: `Round ${round}`, temperature: 0, maxOutputTokens: 64, ignoreEos: true };
      for await (const event of small.generate(request)) if (event.type === 'text') break;
    }
    await untilIdle(small);
  } finally {
    await small.close();
  }
});

test('a request that cannot be served fails with its own code', async () => {
  const failed = await collect(llm.generate({ prompt: 'x '.repeat(200), ...GREEDY }));
  expect(failed.map(({ type }) => type)).toEqual(['failed']);
  const refused = llm.complete({ prompt: 'x '.repeat(200) });
  await expect(refused).rejects.toThrow(AloftError);
  await expect(refused).rejects.toMatchObject({ code: 'PROMPT_TOO_LONG' });
});

test('closing ends what runs with one failed event', async () => {
  const closing = await LLM.load(engine, meter.options);
  const events: GenerateEvent[] = [];
  const request = { prompt: 'Once upon a time', temperature: 0, maxOutputTokens: 64, ignoreEos: true };
  let isClosing = false;
  meter.hold(5);
  for await (const event of closing.generate(request)) {
    events.push(event);
    if (event.type !== 'text' || isClosing) continue;
    isClosing = true;
    void closing.close();
    setImmediate(() => meter.allow());
  }
  expect(events.at(-1)).toMatchObject({ type: 'failed', error: { code: 'SHUTTING_DOWN' } });
});

test('an engine that is not there is named', async () => {
  await expect(LLM.load(join(folder, 'nothing'))).rejects.toMatchObject({
    code: expect.any(String) as string,
  });
});

test('constraint: a JSON schema holds the demo model to its form, and a bad one is refused', async () => {
  const schema = {
    type: 'object',
    properties: {
      name: { type: 'string', maxLength: 20 },
      age: { type: 'integer', minimum: 1, maximum: 99 },
    },
    required: ['name', 'age'],
    additionalProperties: false,
  };
  const constraint = { type: 'json_schema', schema } as const;
  const request = {
    prompt: 'Once upon a time',
    maxOutputTokens: 64,
    temperature: 1,
    seed: 3n,
    sequenceCount: 3,
  };
  const { sequences } = await llm.complete({ ...request, constraint });
  for (const { text, finishReason } of sequences) {
    expect(finishReason).toBe('stop');
    const value = JSON.parse(text) as { name: string; age: number };
    expect(Object.keys(value)).toEqual(['name', 'age']);
    expect([value.name.length <= 20, value.age >= 1 && value.age <= 99]).toEqual([true, true]);
  }
  const choice = { type: 'choice', choices: [' yes', ' no'] } as const;
  const { text } = await llm.complete({ ...request, sequenceCount: 1, constraint: choice });
  expect(choice.choices).toContain(text);
  const pattern = '(?:[a-z]{2,6} )+end';
  const words = { ...request, sequenceCount: 1, constraint: { type: 'regex', pattern } } as const;
  const events = await collect(llm.generate({ ...words, stop: [' e', ' t'], logprobs: 1 }));
  const pieces = events.flatMap((event) => (event.type === 'text' ? [event.text] : []));
  const ended = events.find((event) => event.type === 'sequence');
  expect(pieces.join('')).toBe(ended?.text);
  expect(ended).toMatchObject({ finishReason: expect.stringMatching(/stop|length/) as string });
  expect(ended?.text).toMatch(/^(?:[a-z]{2,6} ?)+$/);
  expect(ended?.text).not.toMatch(/ [et]/);
  const refused = llm.complete({ prompt: 'x', constraint: { type: 'regex', pattern: '(a)\\1' } });
  await expect(refused).rejects.toThrow(/A backreference/);
});

test("a caller's mistake fails with REQUEST_INVALID and one sentence, as an event or thrown", async () => {
  const wrong = { prompt: 'The sun', tempreature: 1 } as { prompt: string };
  const [event, ...more] = await collect(llm.generate(wrong));
  expect(event).toMatchObject({ type: 'failed', error: { code: 'REQUEST_INVALID' } });
  expect(more).toEqual([]);
  await expect(llm.complete(wrong)).rejects.toThrow(
    /^A request has no member 'tempreature'; did you mean temperature\?$/,
  );
});

test('stream gives the text alone, and throws what a request failed with', async () => {
  let text = '';
  for await (const piece of llm.stream({ prompt: 'Once upon a time', ...GREEDY })) text += piece;
  expect(text).toBe((await llm.complete({ prompt: 'Once upon a time', ...GREEDY })).text);
  await expect(async () => {
    for await (const _ of llm.stream({ prompt: 'x '.repeat(500) })) continue;
  }).rejects.toMatchObject({ code: 'PROMPT_TOO_LONG' });
});

test('a session answers with its history, keeps what came of an answer that was left, and nothing of a failed one', async () => {
  const session = llm.session({ system: 'Be brief.', ...GREEDY, maxOutputTokens: 8 });
  const ask = async (text: string) => {
    let answer = '';
    for await (const piece of session.ask(text)) answer += piece;
    return answer;
  };
  const first = await ask('What is deep learning ?');
  expect(session.messages).toEqual([
    { role: 'system', content: 'Be brief.' },
    { role: 'user', content: 'What is deep learning ?' },
    { role: 'assistant', content: first },
  ]);
  for await (const piece of session.ask('Why ?')) {
    expect(piece).not.toBe('');
    break;
  }
  expect(session.messages).toHaveLength(5);
  await expect(ask('x '.repeat(500))).rejects.toMatchObject({ code: 'PROMPT_TOO_LONG' });
  expect(session.messages).toHaveLength(5);
});

test('durations are since the request was made, and an abort has its reason as cause', async () => {
  const { durations } = await llm.complete({ prompt: 'The sun', ...GREEDY });
  expect(durations.queuedMs).toBeGreaterThanOrEqual(0);
  expect(durations.firstTokenMs).toBeGreaterThanOrEqual(durations.queuedMs!);
  expect(durations.wholeMs).toBeGreaterThanOrEqual(durations.firstTokenMs!);
  const controller = new AbortController();
  const aborted = llm.complete({ prompt: 'The sun', ignoreEos: true }, controller.signal);
  const reason = new Error('enough');
  controller.abort(reason);
  await expect(aborted).rejects.toMatchObject({ code: 'CANCELLED', cause: reason });
});

test('loading tells its stages, and ends when its signal aborts', async () => {
  const progress: LoadProgress[] = [];
  const loaded = await LLM.load(engine, { onProgress: (next) => void progress.push(next) });
  await loaded.close();
  expect([...new Set(progress.map(({ stage }) => stage))]).toEqual(['tokenizer', 'weights', 'ready']);
  const bytes = progress.map(({ loadedBytes }) => loadedBytes);
  expect(bytes).toEqual(bytes.toSorted((a, b) => a - b));
  expect([bytes[0], bytes.at(-1)]).toEqual([0, progress[0]!.weightBytes]);
  for (const at of ['tokenizer', 'weights'] as const) {
    const controller = new AbortController();
    const loading = LLM.load(engine, {
      signal: controller.signal,
      onProgress: ({ stage }) => stage === at && controller.abort('enough'),
    });
    await expect(loading).rejects.toMatchObject({ code: 'CANCELLED', cause: 'enough' });
  }
  await expect(LLM.load(engine, { signal: AbortSignal.abort() })).rejects.toMatchObject({
    code: 'CANCELLED',
  });
});
