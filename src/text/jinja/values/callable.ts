/** What templates can call, and the state of a rendering that calls get. */
import { Budget, exceeded, type TemplateLimits } from '../limits.js';
import { PythonObject, type Value } from './value.js';

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
export type NativeFunction = (rendering: Rendering, given: CallArguments) => Value;

export type Functions = ReadonlyMap<string, NativeFunction>;

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

/** State of one rendering: its output, its budget, the line it is at. */
export class Rendering extends Budget {
  readonly library: Library;
  readonly now: () => Date;
  readonly #watched: ReadonlySet<unknown>;
  line = 1;
  autoescape = false;
  /** Whether None became text. */
  hasPrintedNone = false;
  /** Whether a watched dictionary became text as a whole. */
  hasPrintedWatched = false;
  #output = '';

  constructor(options: RenderingOptions) {
    super(options.limits);
    this.library = options.library;
    this.now = options.now;
    this.#watched = options.watched;
  }

  get output(): string {
    return this.#output;
  }

  write(text: string): void {
    this.#output += text;
    if (this.#output.length > this.limits.maxTextLength)
      throw exceeded('characters of output', this.limits.maxTextLength);
  }

  /** Starts a text of its own; `endCapture` gets what this returns. */
  beginCapture(): string {
    const outer = this.#output;
    this.#output = '';
    return outer;
  }

  /** The text since `beginCapture`. */
  endCapture(outer: string): string {
    const text = this.#output;
    this.#output = outer;
    return text;
  }

  notePrinted(value: Value): void {
    if (value === null) this.hasPrintedNone = true;
    else if (this.#watched.has(value)) this.hasPrintedWatched = true;
  }
}
