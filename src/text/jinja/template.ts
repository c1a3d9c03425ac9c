/**
 * Chat templates: Jinja with Python's meaning, as transformers sets it up. An immutable sandbox with trim_blocks and
 * lstrip_blocks, `break` and `continue`, `tojson` without escapes for HTML, `raise_exception`, `strftime_now` and
 * `{% generation %}`. A template is compiled to functions once and rendered many times.
 */
import { compileExpression } from './compile/expressions.js';
import { Context, type RunBlock } from './compile/activation.js';
import { compileBlocks, compileRoot } from './compile/blocks.js';
import type { CompilerState, Frame } from './compile/frame.js';
import { compileBody } from './compile/statements.js';
import { FunctionScope, Symbols } from './compile/symbols.js';
import { LIBRARY } from './library/library.js';
import { exceeded, TEMPLATE_LIMITS, type TemplateLimits } from './limits.js';
import { PythonError } from './python-error.js';
import { parseTemplate } from './syntax/parser.js';
import { syntaxError } from './syntax/tokens.js';
import { admit } from './values/admit.js';
import { Rendering } from './values/callable.js';
import type { Value } from './values/value.js';

export interface RenderOptions {
  readonly limits?: TemplateLimits;
  readonly now?: () => Date;
  /** Lists and dictionaries among the variables whose printing is to be noticed. */
  readonly watched?: Iterable<unknown>;
}

export interface Rendered {
  readonly text: string;
  /** Whether None became text. */
  readonly hasPrintedNone: boolean;
  /** Whether a watched list or dictionary became text as a whole. */
  readonly hasPrintedWatched: boolean;
  /** Whether a loop walked over the characters of a text. */
  readonly hasWalkedText: boolean;
}

export class Template {
  readonly #run: RunBlock;
  readonly #blocks: ReadonlyMap<string, RunBlock>;

  /** @throws {PythonError} TemplateSyntaxError, TemplateAssertionError and the like, with the line */
  constructor(source: string) {
    const state: CompilerState = {
      library: LIBRARY,
      expression: compileExpression,
      body: compileBody,
      partCount: 0,
    };
    const frame: Frame = {
      state,
      symbols: new Symbols(new FunctionScope()),
      isTopLevel: true,
      isSoft: false,
      escaping: 'off',
      isInLoop: false,
      isInDefaults: false,
      isFolding: false,
    };
    const { run, blocks } = withinStack(() => {
      const body = parseTemplate(source);
      return { run: compileRoot(body, frame), blocks: compileBlocks(body, frame) };
    });
    this.#run = run;
    this.#blocks = blocks;
  }

  /**
   * Renders with variables as JSON has them; they are neither changed nor copied.
   * @throws {PythonError} what Python would raise, with the line
   * @throws {AloftError} REQUEST_INVALID beyond a limit
   */
  render(variables: Readonly<Record<string, unknown>>, options: RenderOptions = {}): Rendered {
    const { limits = TEMPLATE_LIMITS, now = () => new Date(), watched = [] } = options;
    const noticed = new Set<unknown>(watched);
    const onCopy = (original: object, copy: object): void => {
      if (noticed.has(original)) noticed.add(copy);
    };
    const given = new Map(
      Object.entries(variables).flatMap(([name, value]) =>
        value === undefined ? [] : [[name, admit(value, { maxDepth: limits.maxDepth, onCopy })] as const],
      ),
    );
    const rendering = new Rendering({ limits, library: LIBRARY, now, watched: noticed });
    const lookUp = (name: string): Value | undefined =>
      given.has(name) ? given.get(name) : LIBRARY.globals.get(name);
    try {
      this.#run(rendering, new Context(lookUp, this.#blocks));
      const { output: text, hasPrintedNone, hasPrintedWatched, hasWalkedText } = rendering;
      return { text, hasPrintedNone, hasPrintedWatched, hasWalkedText };
    } catch (error) {
      throw located(error, rendering);
    }
  }
}

/** The error with its line. Code that exhausts the stack in spite of all bounds is nested too deep. */
function located(error: unknown, rendering: Rendering): unknown {
  if (error instanceof PythonError) error.line ??= rendering.line;
  return isStackOverflow(error) ? exceeded('levels of nesting', rendering.limits.maxDepth) : error;
}

const isStackOverflow = (error: unknown): boolean =>
  error instanceof RangeError && error.message.includes('call stack');

function withinStack<Result>(compile: () => Result): Result {
  try {
    return compile();
  } catch (error) {
    throw isStackOverflow(error) ? syntaxError('its parts are nested too deep', 1) : error;
  }
}
