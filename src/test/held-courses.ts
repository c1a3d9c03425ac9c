/** Courses that answers are held to, and answers that chance writes within them. */
import { expect } from 'vitest';
import type { TokenCourse } from '../core/course.js';
import { CourseMatcher } from '../run/batcher/request/course-matcher.js';
import { type CourseWishes, heldAnswer } from '../text/calls/call-course.js';
import { compileCourse } from '../text/course-compiler.js';
import { AutomatonCache } from '../text/grammar/token-matcher.js';
import { randomSource } from '../text/grammar/testing/random-texts.js';
import { ShownConstraints } from '../text/shown-constraints.js';
import { byteLevelJson, directoryWith } from '../text/testing/test-tokenizers.js';
import { loadTokenizer } from '../text/tokenizer/load.js';
import type { Tokenizer } from '../text/tokenizer/tokenizer.js';

export const THOUGHT = { begin: '<think>', end: '</think>' };
const MAX_TOKENS = 2000;

const random = randomSource(11);

/** A tokenizer with control tokens that calls are made of, or without. */
export interface Vocabulary {
  readonly tokenizer: Tokenizer;
  readonly constraints: ShownConstraints;
  readonly marks: readonly string[];
}

const withConstraints = (tokenizer: Tokenizer, marks: readonly string[]): Vocabulary => ({
  tokenizer,
  constraints: new ShownConstraints(tokenizer.table, tokenizer.table.tokenCount),
  marks,
});

export const demo = withConstraints(
  await loadTokenizer(new URL('../../models/demo', import.meta.url).pathname),
  [],
);

/** A byte-level tokenizer in which all marks of a format are control tokens. */
export async function byteLevel(marks: readonly string[]): Promise<Vocabulary> {
  const json = byteLevelJson() as {
    added_tokens: { id: number; content: string }[];
    model: { vocab: object };
  };
  const first = Math.max(...Object.values(json.model.vocab), ...json.added_tokens.map(({ id }) => id)) + 1;
  const added = [...marks, THOUGHT.begin, THOUGHT.end].map((content, i) => ({
    ...json.added_tokens[0]!,
    id: first + i,
    content,
    special: true,
  }));
  const file = { ...json, added_tokens: [...json.added_tokens, ...added] };
  const tokenizer = await loadTokenizer(await directoryWith({ 'tokenizer.json': file }));
  return withConstraints(
    tokenizer,
    added.map(({ content }) => content),
  );
}

/** A course in which one of the tools must be called, unless it is wished otherwise. */
export async function compileHeld(
  { tokenizer, constraints, marks }: Vocabulary,
  wishes: Partial<CourseWishes> & Pick<CourseWishes, 'shape' | 'tools'>,
  prompt = 'x',
) {
  const { course } = heldAnswer({
    choice: { type: 'required' },
    isParallel: true,
    isNarrowed: false,
    holdsObjects: false,
    thought: undefined,
    thoughtTokens: undefined,
    constraint: undefined,
    ...wishes,
  });
  const promptTokenIds = await tokenizer.encodeFragment(prompt);
  return await compileCourse(course!, {
    tokenizer,
    constraints: constraints.of({ prompt: { type: 'tokens', tokenIds: [] }, shownTokens: marks }),
    promptTokenIds,
    requireWanted: () => undefined,
  });
}

/** Number of tokens after which the closings of an output are tried again. */
const CLOSING_STEP = 20;

/**
 * Writes tokens that are allowed, one after another, until the output may end.
 * @param first tokens to begin with
 * @param closings token sequences that are written now and then where they are allowed: chance ends few long texts
 */
export function write(
  { tokenizer, marks }: Vocabulary,
  course: TokenCourse,
  first: readonly number[] = [],
  closings: readonly (readonly number[])[] = [],
): { readonly ids: readonly number[]; readonly text: string; readonly hasEnded: boolean } {
  const { specialTexts, special, tokenCount } = tokenizer.table;
  const isText = (id: number): boolean => special[id] === 0 || marks.includes(specialTexts.get(id)!);
  let matcher = new CourseMatcher(course, new AutomatonCache());
  const ids: number[] = [...first];
  for (const id of first) expect(matcher.accept(id)).toBe(true);
  while (!matcher.isComplete && ids.length < MAX_TOKENS) {
    if (matcher.isAccepting && random() < 0.6) break;
    for (const closing of ids.length % CLOSING_STEP === 0 ? closings : []) {
      const closed = matcher.fork();
      if (!closing.every((id) => closed.accept(id))) continue;
      matcher = closed;
      ids.push(...closing);
    }
    if (matcher.isComplete) break;
    const { bits } = matcher.mask();
    const allowed = Array.from({ length: tokenCount }, (_, id) => id).filter(
      (id) => (bits[id >> 5]! >>> (id & 31)) & 1 && isText(id),
    );
    expect(allowed.length).toBeGreaterThan(0);
    const id = allowed[Math.floor(random() * allowed.length)]!;
    expect(matcher.accept(id)).toBe(true);
    ids.push(id);
  }
  const text = Buffer.concat(ids.map((id) => tokenizer.tokenBytes(id))).toString('utf8');
  return { ids, text, hasEnded: matcher.isAccepting };
}

const FORMATS = [
  'hermes',
  'llama3_json',
  'mistral',
  'mistral_args',
  'deepseek_v3',
  'deepseek_v31',
  'functionary',
  'functionary_v3.2',
  'functionary_v2',
  'pythonic',
  'glm4',
  'glm45',
  'qwen3_coder',
];

/** The marks of DeepSeek have a character that stands for a space in the demo model's tokenizer. */
export const HELD_CASES = FORMATS.flatMap((format) =>
  ['control tokens', 'plain text']
    .filter((marks) => marks === 'control tokens' || !format.startsWith('deepseek'))
    .map((marks) => ({ format, marks })),
);
