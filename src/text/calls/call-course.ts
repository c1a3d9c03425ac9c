/** Courses of answers: thoughts within their budget, calls with valid arguments, the form of the answer. */
import type { Constraint } from '../../core/constraint.js';
import type { Tool, ToolChoice } from '../../core/conversation.js';
import { AloftError } from '../../core/errors.js';
import type { ThoughtTags } from '../../core/generate.js';
import type { Course, CourseEdge, CoursePart } from '../../core/course.js';
import type { CallShape } from './call-format.js';
import { CourseNodes } from './course-nodes.js';
import { taggedArguments } from './tagged-arguments.js';

export interface CourseWishes {
  readonly shape: CallShape;
  readonly tools: readonly Tool[];
  readonly choice: ToolChoice;
  /** Whether an answer may have several calls. */
  readonly isParallel: boolean;
  /** Whether the model may know of tools that it must not call. */
  readonly isNarrowed: boolean;
  /** Whether arguments must be JSON objects, also of tools that are not strict. */
  readonly holdsObjects: boolean;
  /** Tags of the model's thoughts; undefined where it has none. */
  readonly thought: ThoughtTags | undefined;
  /** Largest thought in tokens. */
  readonly thoughtTokens: number | undefined;
  /** Form of an answer without calls. */
  readonly constraint: Constraint | undefined;
}

/** Part of a request that holds an answer to what is wished; nothing where any answer is allowed. */
export function heldAnswer(wishes: CourseWishes): {
  readonly course?: Course;
  readonly constraint?: Constraint;
} {
  const { thought, thoughtTokens, constraint } = wishes;
  const isFree = !needsCalls(wishes) && constraint === undefined;
  if (isFree && (thought === undefined || thoughtTokens === undefined)) return {};
  if (thought === undefined && !needsCalls(wishes) && constraint !== undefined) return { constraint };
  return { course: new AnswerCourse(wishes).build() };
}

/** Whether calls must be held to their form. */
function needsCalls(wishes: CourseWishes): boolean {
  const { shape, tools, choice, isParallel, isNarrowed, holdsObjects, constraint } = wishes;
  if (tools.length === 0 || choice.type === 'none') return false;
  if (choice.type !== 'auto' || constraint !== undefined || !isParallel || isNarrowed) return true;
  // Arguments between tags are made into an object by their reader.
  return tools.some(({ isStrict }) => isStrict) || (holdsObjects && shape.argumentsAs === 'json');
}

const FREE: CoursePart = { type: 'free', mayEnd: true };

class AnswerCourse {
  readonly #wishes: CourseWishes;
  readonly #nodes = new CourseNodes();

  constructor(wishes: CourseWishes) {
    this.#wishes = wishes;
  }

  build(): Course {
    const { thought } = this.#wishes;
    const answer = this.#answer();
    if (thought === undefined) return this.#nodes.build(answer);
    const { begin, end } = thought;
    const behind = this.#nodes.add();
    const hasForm = this.#wishes.constraint !== undefined || needsCalls(this.#wishes);
    this.#nodes.connect(behind, { text: hasForm && !this.#isTriggered ? '\n\n' : '', to: answer });
    const part = this.#thoughtPart(end);
    const start = this.#nodes.add();
    this.#nodes.connect(start, { text: begin, part, to: behind }, { text: '', to: answer });
    const within = this.#nodes.add();
    this.#nodes.connect(within, { text: '', part, to: behind });
    return { ...this.#nodes.build(start), startBehind: { promptEnd: begin, node: within } };
  }

  /** Whether calls begin within free text. */
  get #isTriggered(): boolean {
    const { choice, shape, constraint } = this.#wishes;
    return choice.type === 'auto' && shape.trigger !== undefined && constraint === undefined;
  }

  #thoughtPart(end: string): CoursePart {
    const { thoughtTokens: tokens, constraint, choice } = this.#wishes;
    const mayEnd = constraint === undefined && (choice.type === 'auto' || choice.type === 'none');
    const part = { type: 'free', until: end, mayEnd } as const;
    return tokens === undefined ? part : { ...part, budget: { tokens, closing: `\n${end}\n\n` } };
  }

  /** The node of the answer behind the thought. */
  #answer(): number {
    const { constraint, choice } = this.#wishes;
    const start = this.#nodes.add();
    const end = this.#nodes.add(true);
    if (!needsCalls(this.#wishes)) this.#nodes.connect(start, this.#withoutCalls(end));
    else if (this.#isTriggered) this.#triggeredCalls(start, end);
    else {
      this.#calls({ from: start, to: end, skipped: '' });
      if (choice.type === 'auto') this.#nodes.connect(start, this.#withoutCalls(end));
      if (choice.type === 'auto' && constraint === undefined) this.#nodes.makeFinal(start);
    }
    return start;
  }

  #withoutCalls(to: number): CourseEdge {
    const { constraint } = this.#wishes;
    return { text: '', part: constraint === undefined ? FREE : { type: 'constrained', constraint }, to };
  }

  /** Free text in which calls begin with the trigger. */
  #triggeredCalls(start: number, end: number): void {
    const { shape, isParallel } = this.#wishes;
    const trigger = shape.trigger!;
    const calls = this.#nodes.add();
    this.#nodes.makeFinal(start);
    this.#nodes.connect(start, { text: '', part: { type: 'free', until: trigger, mayEnd: true }, to: calls });
    this.#calls({ from: calls, to: isParallel ? start : end, skipped: trigger });
  }

  /** Calls from one node to another, as many as there may be. */
  #calls({ from, to, skipped }: CallsPlace): void {
    const { shape, isParallel } = this.#wishes;
    const nodes = this.#nodes;
    const closed = nodes.add();
    const { start, between, finish } = shape;
    this.#oneCall(from, closed, start, skipped);
    nodes.connect(closed, { text: finish, to });
    // Where free text follows, its trigger begins the next call, unless all calls stand in one list.
    const repeats = isParallel && between !== undefined && (finish !== '' || skipped === '');
    if (repeats) this.#oneCall(closed, closed, between, '');
  }

  /** One call of any of the tools. */
  #oneCall(from: number, to: number, before: string, skipped: string): void {
    const { shape, tools, choice } = this.#wishes;
    const { opening, closing, argumentsAs } = shape;
    const offered = choice.type === 'named' ? tools.filter(({ name }) => name === choice.name) : tools;
    const close = this.#nodes.add();
    this.#nodes.connect(close, { text: closing, to });
    for (const tool of offered) {
      const isHeld = choice.type !== 'auto' || tool.isStrict;
      if (isHeld) requireObject(tool);
      const text = `${before}${opening(tool.name)}`.slice(skipped.length);
      if (argumentsAs === 'json') {
        this.#nodes.connect(from, { text, part: argumentsOf(tool, isHeld), to: close });
      } else {
        const place = { nodes: this.#nodes, tags: argumentsAs, isHeld, to: close };
        this.#nodes.connect(from, { text, to: taggedArguments(tool, place) });
      }
    }
  }
}

/** A tool's arguments: any object for one that is not held to its schema. */
function argumentsOf({ name, parameters, input }: Tool, isHeld: boolean): CoursePart {
  const type = 'constrained';
  if (input !== undefined)
    return { type, constraint: { type: 'tool_input', tool: name, form: input.form, writtenAs: 'object' } };
  if (!isHeld) return { type, constraint: { type: 'json_object' } };
  const constraint: Constraint = { type: 'json_schema', schema: { ...parameters, type: 'object' } };
  return { type, constraint, whose: `schema of the tool '${name}'` };
}

/** Arguments of another type could not be told from an object that a model wrote as a text. @throws {AloftError} REQUEST_INVALID */
function requireObject({ name, parameters: { type } }: Tool): void {
  if (type === undefined || type === 'object' || (Array.isArray(type) && type.includes('object'))) return;
  throw new AloftError(
    'REQUEST_INVALID',
    `The schema of the tool '${name}' is refused: its type is ${JSON.stringify(type)}, and arguments are an object; make it "object" with a property for each argument.`,
  );
}

interface CallsPlace {
  readonly from: number;
  /** Node behind the last call. */
  readonly to: number;
  /** Part of the first call's text that is written already. */
  readonly skipped: string;
}
