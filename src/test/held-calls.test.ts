/** Calls that are held to their form, written by the hardest author there is: chance. */
import { Ajv2020 } from 'ajv/dist/2020.js';
import { beforeAll, describe, expect, test } from 'vitest';
import type { AnswerPart, Tool } from '../core/conversation.js';
import { CourseMatcher } from '../run/batcher/request/course-matcher.js';
import { AnswerReader } from '../text/calls/answer-reader.js';
import type { CourseWishes } from '../text/calls/call-course.js';
import { callFormatNamed } from '../text/calls/call-formats.js';
import { compileCourse } from '../text/course-compiler.js';
import { AutomatonCache } from '../text/grammar/token-matcher.js';
import { byteLevel, compileHeld, demo, HELD_CASES, THOUGHT, type Vocabulary, write } from './held-courses.js';

const TOOLS: readonly Tool[] = [
  {
    name: 'weather',
    parameters: {
      type: 'object',
      properties: {
        city: { type: 'string', minLength: 1, maxLength: 6 },
        unit: { enum: ['celsius', 'fahrenheit'] },
        days: { type: 'array', items: { type: 'integer', minimum: 0, maximum: 9 }, maxItems: 2 },
      },
      required: ['city', 'days'],
      additionalProperties: false,
    },
    isStrict: true,
  },
  {
    name: 'weather_at',
    parameters: {
      type: 'object',
      properties: { at: { $ref: '#/$defs/place' }, now: { type: 'boolean' } },
      required: ['at'],
      additionalProperties: false,
      $defs: {
        place: {
          type: 'object',
          properties: { lat: { type: 'number', minimum: -90, maximum: 90 } },
          required: ['lat'],
          additionalProperties: false,
        },
      },
    },
    isStrict: true,
  },
  { name: 'clock', parameters: { type: 'object', additionalProperties: false }, isStrict: true },
];
/** A course in which one of the tools must be called, unless it is wished otherwise. */
const compile = (
  vocabulary: Vocabulary,
  wishes: Partial<CourseWishes> & Pick<CourseWishes, 'shape'>,
  prompt?: string,
) => compileHeld(vocabulary, { tools: TOOLS, ...wishes }, prompt);

function partsOf(text: string, format: string, isThinking = false): AnswerPart[] {
  const reader = new AnswerReader({
    format: callFormatNamed(format),
    tools: TOOLS,
    thought: THOUGHT,
    isThinking,
    callId: () => 'id',
    maxCalls: Infinity,
  });
  return [...reader.push(text), ...reader.end()];
}

function callsOf(parts: readonly AnswerPart[]): { name: string; json: string }[] {
  const calls: { name: string; json: string }[] = [];
  for (const part of parts) {
    if (part.type === 'call') calls.push({ name: part.name, json: '' });
    if (part.type === 'arguments') calls[part.call]!.json += part.text;
  }
  return calls;
}

const ajv = new Ajv2020({ strict: false });
const validators = new Map(TOOLS.map(({ name, parameters }) => [name, ajv.compile(parameters)]));

function checkCalls(calls: readonly { name: string; json: string }[], text: string): void {
  for (const { name, json } of calls) {
    const validate = validators.get(name);
    expect(validate, text).toBeDefined();
    expect(validate!(JSON.parse(json)), `${text}\n${ajv.errorsText(validate!.errors)}`).toBe(true);
  }
}

const BUDGET = 5;

describe.each(HELD_CASES)('$format, whose marks are $marks', ({ format, marks }) => {
  const { shape, marks: texts } = callFormatNamed(format);
  const runCount = 30;
  let vocabulary: Vocabulary;
  beforeAll(async () => {
    vocabulary = marks === 'plain text' ? demo : await byteLevel(texts);
  });

  test('required: every answer is calls, with valid arguments', { timeout: 120_000 }, async () => {
    const course = await compile(vocabulary, { shape });
    let callCount = 0;
    for (let i = 0; i < runCount; i++) {
      const { text, hasEnded } = write(vocabulary, course);
      expect(hasEnded, text).toBe(true);
      const parts = partsOf(text, format);
      const others = parts.filter(({ type }) => type === 'text' || type === 'thought');
      expect(others, text).toEqual([]);
      const calls = callsOf(parts);
      expect(calls.length, text).toBeGreaterThan(0);
      expect(parts.filter(({ type }) => type === 'call-end').length, text).toBe(calls.length);
      checkCalls(calls, text);
      callCount += calls.length;
    }
    if (shape.between !== undefined) expect(callCount).toBeGreaterThan(runCount);
  });

  test('named, one call at most, behind a thought within its budget', { timeout: 120_000 }, async () => {
    const { tokenizer } = vocabulary;
    const wishes = { shape, choice: { type: 'named', name: 'weather_at' }, isParallel: false } as const;
    const thought = { thought: THOUGHT, thoughtTokens: BUDGET };
    const course = await compile(vocabulary, { ...wishes, ...thought }, 'x <think>\n');
    const closing = await tokenizer.encodeFragment('\n</think>\n\n');
    for (let i = 0; i < runCount; i++) {
      const { ids, text, hasEnded } = write(vocabulary, course);
      expect(hasEnded, text).toBe(true);
      const first = ids.slice(0, BUDGET + closing.length);
      expect(Buffer.concat(first.map((id) => tokenizer.tokenBytes(id))).toString()).toContain('</think>');
      const parts = partsOf(text, format, true);
      const calls = callsOf(parts);
      const names = calls.map(({ name }) => name);
      expect(names, text).toEqual(['weather_at']);
      expect(parts.some(({ type }) => type === 'text')).toBe(false);
      checkCalls(calls, text);
    }
  });

  test('auto with strict tools: what begins as a call must become one', { timeout: 120_000 }, async () => {
    const { tokenizer } = vocabulary;
    const course = await compile(vocabulary, { shape, choice: { type: 'auto' } });
    const matcher = new CourseMatcher(course, new AutomatonCache());
    expect(matcher.isAccepting, 'an answer may be text').toBe(true);
    const { trigger } = shape;
    if (trigger === undefined) return;
    const ids = await tokenizer.encodeFragment(`Well: ${trigger}`);
    for (const id of ids) expect(matcher.accept(id)).toBe(true);
    expect(matcher.isAccepting, 'a call that has begun must end').toBe(false);
    const wrong = await tokenizer.encodeFragment('§');
    expect(wrong.every((id) => matcher.accept(id))).toBe(false);
  });

  test('auto without parallel calls: behind one call nothing follows', { timeout: 120_000 }, async () => {
    const { trigger } = shape;
    if (trigger === undefined) return;
    const course = await compile(vocabulary, { shape, choice: { type: 'auto' }, isParallel: false });
    const first = await vocabulary.tokenizer.encodeFragment(`Well:${trigger}`);
    for (let i = 0; i < runCount; i++) {
      const { text, hasEnded } = write(vocabulary, course, first);
      expect(hasEnded, text).toBe(true);
      const parts = partsOf(text, format);
      expect(parts.filter(({ type }) => type === 'text')).toEqual([{ type: 'text', text: 'Well:' }]);
      const calls = callsOf(parts);
      expect(calls, text).toHaveLength(1);
      checkCalls(calls, text);
    }
  });
});

test('a thought that the model begins itself has a budget, and a text without one has none', async () => {
  const { shape } = callFormatNamed('hermes');
  const wishes = { shape, tools: [], thought: THOUGHT, thoughtTokens: BUDGET };
  const course = await compile(demo, wishes);
  const { tokenizer } = demo;
  const word = (await tokenizer.encodeFragment(' word'))[0]!;
  const closing = await tokenizer.encodeFragment('\n</think>\n\n');
  const thinking = new CourseMatcher(course, new AutomatonCache());
  for (const id of await tokenizer.encodeFragment('<think>')) expect(thinking.accept(id)).toBe(true);
  for (let i = 0; i < BUDGET; i++) expect(thinking.accept(word)).toBe(true);
  const other = thinking.fork();
  expect(other.accept(word), 'only the end tag may follow').toBe(false);
  for (const id of closing) expect(thinking.accept(id)).toBe(true);
  expect(thinking.isAccepting).toBe(true);
  for (let i = 0; i < 3 * BUDGET; i++) expect(thinking.accept(word)).toBe(true);
  const plain = new CourseMatcher(course, new AutomatonCache());
  for (let i = 0; i < 3 * BUDGET; i++) expect(plain.accept(word)).toBe(true);
  expect(plain.isAccepting).toBe(true);
});

test('a course of too many places, or too many rules, is refused', { timeout: 120_000 }, async () => {
  const { shape } = callFormatNamed('hermes');
  const many = Array.from({ length: 3000 }, (_, i) => ({ name: `t${i}`, parameters: {}, isStrict: true }));
  await expect(compile(demo, { shape, tools: many })).rejects.toThrow(/places in all calls/);
  const grammars = Array.from({ length: 8 }, (_, i) => {
    const texts = Array.from({ length: 30_000 }, (_text, k) => `"${i}${k}"`);
    return {
      type: 'constrained',
      constraint: { type: 'grammar', grammar: `root ::= ${texts.join(' | ')}` },
    } as const;
  });
  const edges = grammars.map((part) => ({ text: '', part, to: 1 }));
  const course = {
    start: 0,
    nodes: [
      { isFinal: false, edges },
      { isFinal: true, edges: [] },
    ],
  };
  const { tokenizer, constraints } = demo;
  const compiled = compileCourse(course, {
    tokenizer,
    constraints: constraints.of({ prompt: { type: 'tokens', tokenIds: [] } }),
    promptTokenIds: [],
    requireWanted: () => undefined,
  });
  await expect(compiled).rejects.toThrow(/too many rules in all calls/);
});

test('a refused schema is named with its tool, and its argument where these stand one by one', async () => {
  const unknown: Tool = {
    name: 'find',
    parameters: { type: 'object', properties: { where: { type: 'array', contains: {} } } },
    isStrict: true,
  };
  const refused = (format: string) =>
    compile(demo, { shape: callFormatNamed(format).shape, tools: [...TOOLS, unknown] });
  await expect(refused('hermes')).rejects.toThrow(
    /^The schema of the tool 'find' is refused: .* #\/properties\/where\/contains: /,
  );
  await expect(refused('glm45')).rejects.toThrow(
    /^The schema of the argument 'where' of the tool 'find' is refused: .* #\/contains: /,
  );
});
