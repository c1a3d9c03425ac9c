/** Courses in the tokens of a model. */
import type { HeldForm, TokenConstraint } from '../core/constraint.js';
import type {
  Course,
  CourseEdge,
  CoursePart,
  TokenCourse,
  TokenCourseEdge,
  TokenCoursePart,
} from '../core/course.js';
import { AloftError } from '../core/errors.js';
import { GRAMMAR_LIMITS } from './grammar/limits.js';
import type { ConstraintCompiler } from './grammar/thread/constraint-compiler.js';
import type { Tokenizer } from './tokenizer/tokenizer.js';

/** Edges of a course: a tool has two, and one more for each argument that stands between tags. */
const MAX_EDGES = 4096;

export interface CourseContext {
  readonly tokenizer: Tokenizer;
  readonly constraints: ConstraintCompiler;
  readonly promptTokenIds: readonly number[];
  /** Called between parts. @throws {AloftError} CANCELLED when nobody waits for the course */
  readonly requireWanted: () => void;
}

type ConstrainedPart = Extract<CoursePart, { readonly type: 'constrained' }>;

/** Matches every text; made for its vocabulary. */
const ANY_TEXT: HeldForm = { type: 'regex', pattern: '[^]*' };

/** @throws {AloftError} REQUEST_INVALID for a constraint that cannot be used, and for a course that is too large */
export async function compileCourse(
  { nodes, start, startBehind }: Course,
  context: CourseContext,
): Promise<TokenCourse> {
  const edgeCount = nodes.reduce((sum, { edges }) => sum + edges.length, 0);
  if (edgeCount > MAX_EDGES) throw tooLarge(`${edgeCount} places`, MAX_EDGES);
  const compiler = new CourseCompiler(context);
  const { tokens } = await compiler.constraint(ANY_TEXT);
  const compiled: TokenCourse['nodes'][number][] = [];
  // One by one: the constraints of other requests get their turns in between.
  for (const { isFinal, edges } of nodes) {
    const list: TokenCourseEdge[] = [];
    for (const edge of edges) list.push(await compiler.edge(edge));
    compiled.push({ isFinal, edges: list });
  }
  const isBehind = startBehind !== undefined && endsWith(context, startBehind.promptEnd);
  return { nodes: compiled, start: isBehind ? startBehind.node : start, tokens };
}

function tooLarge(found: string, max: number): AloftError {
  const message = `The tools have ${found} in all calls of them, and ${max} are possible; offer fewer tools, or simpler ones.`;
  return new AloftError('REQUEST_INVALID', message);
}

/** Tokens of a prompt that are looked at. */
const END_TOKENS = 16;

function endsWith({ tokenizer, promptTokenIds }: CourseContext, text: string): boolean {
  const end = tokenizer.decode(promptTokenIds.slice(-END_TOKENS), { skipSpecialTokens: false });
  return end.trimEnd().endsWith(text);
}

class CourseCompiler {
  readonly #context: CourseContext;
  /** Constraints by their content, and nodes of their grammars together. */
  readonly #known = new Set<string>();
  #nodeCount = 0;

  constructor(context: CourseContext) {
    this.#context = context;
  }

  async constraint(constraint: HeldForm): Promise<TokenConstraint> {
    this.#context.requireWanted();
    const compiled = await this.#context.constraints.compile(constraint, true);
    if (this.#known.has(compiled.key)) return compiled;
    this.#known.add(compiled.key);
    this.#nodeCount += compiled.grammar.nodeCount;
    if (this.#nodeCount > GRAMMAR_LIMITS.nodes) throw tooLarge('too many rules', GRAMMAR_LIMITS.nodes);
    return compiled;
  }

  async edge({ text, part, to }: CourseEdge): Promise<TokenCourseEdge> {
    const leadingSpace = /^\s*/.exec(text)![0];
    const starts = await Promise.all(
      Array.from({ length: leadingSpace.length + 1 }, (_, count) => this.#encode(text.slice(count))),
    );
    return { starts, leadingSpace, part: part && (await this.#part(part)), to };
  }

  async #part(part: CoursePart): Promise<TokenCoursePart> {
    if (part.type === 'constrained') return { type: 'constrained', constraint: await this.#held(part) };
    const { until, mayEnd, budget } = part;
    return {
      type: 'free',
      until: until === undefined ? undefined : new TextEncoder().encode(until),
      mayEnd,
      budget: budget && { tokens: budget.tokens, closing: await this.#encode(budget.closing) },
    };
  }

  /** A request may have many tools, so a refusal says which of them it is about. */
  async #held({ constraint, whose }: ConstrainedPart): Promise<TokenConstraint> {
    try {
      return await this.constraint(constraint);
    } catch (fault) {
      if (whose === undefined || !(fault instanceof AloftError) || fault.code !== 'REQUEST_INVALID')
        throw fault;
      throw new AloftError(fault.code, `The ${whose} is refused: ${fault.message}`, { cause: fault });
    }
  }

  async #encode(text: string): Promise<number[]> {
    return text === '' ? [] : await this.#context.tokenizer.encodeFragment(text);
  }
}
