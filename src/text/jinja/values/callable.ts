/** Values that templates can call, and the state of a rendering that calls get. */
import { Budget, exceeded, type TemplateLimits } from '../limits.js';
import { PythonError } from '../python-error.js';
import { PythonObject, asText, typeName, type Value } from './value.js';

export interface CallArguments {
  readonly positional: readonly Value[];
  readonly named: ReadonlyMap<string, Value>;
}

export const NO_NAMED: ReadonlyMap<string, Value> = new Map();
export const positionalOnly = (...positional: readonly Value[]): CallArguments => ({
  positional,
  named: NO_NAMED,
});

export abstract class Callable extends PythonObject {
  abstract call(rendering: Rendering, given: CallArguments): Value;
}

/** A filter, a test or a function by its name. For filters and tests the first positional argument is the value on the left. */
export type TemplateFunction = (rendering: Rendering, given: CallArguments) => Value;

export type Functions = ReadonlyMap<string, TemplateFunction>;

export interface Library {
  readonly filters: Functions;
  readonly tests: Functions;
  /** Methods by the name of the type; their first positional argument is the object. */
  readonly methods: ReadonlyMap<string, Functions>;
  readonly globals: ReadonlyMap<string, Value>;
}

export interface RenderingOptions {
  readonly limits: TemplateLimits;
  readonly library: Library;
  readonly now: () => Date;
  /** Dictionaries whose printing is to be noticed. */
  readonly watched: ReadonlySet<unknown>;
}

/** Output from before a text of its own began. */
export interface Capture {
  readonly output: string;
  readonly fault: PythonError | undefined;
}

/** State of one rendering: its output, its budget, the line it is at. */
export class Rendering extends Budget {
  readonly library: Library;
  readonly now: () => Date;
  readonly #watched: ReadonlySet<unknown>;
  line = 1;
  autoescape = false;
  /** Lists, dictionaries and objects whose printed form is being made. */
  readonly printing = new Set<unknown>();
  /** Whether None became text. */
  hasPrintedNone = false;
  /** Whether a watched dictionary became text as a whole. */
  hasPrintedWatched = false;
  /** Whether a loop walked over the characters of a text. */
  hasWalkedText = false;
  #output = '';
  #fault: PythonError | undefined;

  constructor(options: RenderingOptions) {
    super(options.limits);
    this.library = options.library;
    this.now = options.now;
    this.#watched = options.watched;
  }

  /** All output. @throws {PythonError} TypeError when a part was no text */
  get output(): string {
    if (this.#fault !== undefined) throw this.#fault;
    return this.#output;
  }

  write(text: string): void {
    this.#output += text;
    if (this.#output.length > this.limits.maxTextLength)
      throw exceeded('characters of output', this.limits.maxTextLength);
  }

  /** Writes what has to be text. If it is none, the end of the text raises an error, as Python does when it joins the parts. */
  writePart(value: Value): void {
    const text = asText(value);
    if (text !== undefined) this.write(text);
    else
      this.#fault ??= new PythonError(
        'TypeError',
        `sequence item 0: expected str instance, ${typeName(value)} found`,
      );
  }

  /** Starts a text of its own; one of the next two methods gets what this returns. */
  beginCapture(): Capture {
    const outer = { output: this.#output, fault: this.#fault };
    this.#output = '';
    this.#fault = undefined;
    return outer;
  }

  /** The text since `beginCapture`. @throws {PythonError} TypeError when a part was no text */
  endCapture(outer: Capture): string {
    if (this.#fault !== undefined) throw this.#fault;
    const text = this.#output;
    this.dropCapture(outer);
    return text;
  }

  /** Forgets the text since `beginCapture`. */
  dropCapture(outer: Capture): void {
    this.#output = outer.output;
    this.#fault = outer.fault;
  }

  notePrinted(value: Value): void {
    if (value === null) this.hasPrintedNone = true;
    else if (this.#watched.has(value)) this.hasPrintedWatched = true;
  }
}
