/** Macros, and the bodies of call blocks, as values. */
import { typeError } from '../python-error.js';
import { Callable, type CallArguments, type Rendering } from '../values/callable.js';
import { Dict } from '../values/dict.js';
import { Markup, Tuple, Undefined, type Value } from '../values/value.js';

/** Facts of a macro that are known when it is compiled. */
export interface MacroShape {
  /** Undefined for the body of a call block. */
  readonly name: string | undefined;
  readonly parameters: readonly string[];
  readonly usesCaller: boolean;
  readonly usesNamed: boolean;
  readonly usesPositional: boolean;
}

/** Runs the body: gets the parameters, then caller, named and positional rest as far as the body uses them. */
export type RunMacro = (rendering: Rendering, values: readonly (Value | undefined)[]) => string;

export class Macro extends Callable {
  readonly typeName = 'Macro';
  readonly #shape: MacroShape;
  readonly #run: RunMacro;

  constructor(shape: MacroShape, run: RunMacro) {
    super();
    this.#shape = shape;
    this.#run = run;
  }

  override get qualifiedTypeName(): string {
    return 'jinja2.runtime.Macro';
  }

  override attribute(name: string): Value | undefined {
    switch (name) {
      case 'name':
        return this.#shape.name ?? null;
      case 'arguments':
        return new Tuple(this.#shape.parameters);
      case 'catch_kwargs':
        return this.#shape.usesNamed;
      case 'catch_varargs':
        return this.#shape.usesPositional;
      case 'caller':
        return this.#shape.usesCaller;
      case 'explicit_caller':
        return this.#shape.parameters.includes('caller');
      default:
        return undefined;
    }
  }

  override repr(reprOf: (part: Value) => string): string {
    return `<Macro ${this.#shape.name === undefined ? 'anonymous' : reprOf(this.#shape.name)}>`;
  }

  override call(rendering: Rendering, given: CallArguments): Value {
    const text = this.#invoke(rendering, this.#bind(given));
    return rendering.autoescape ? new Markup(text) : text;
  }

  #invoke(rendering: Rendering, values: readonly (Value | undefined)[]): string {
    const { line } = rendering;
    rendering.enter();
    const text = this.#run(rendering, values);
    rendering.leave();
    rendering.line = line;
    return text;
  }

  #bind({ positional, named }: CallArguments): (Value | undefined)[] {
    const { parameters, usesCaller, usesNamed, usesPositional } = this.#shape;
    const values: (Value | undefined)[] = positional.slice(0, parameters.length);
    const rest = new Map(named);
    const unfilled = parameters.slice(values.length);
    for (const name of unfilled) {
      values.push(rest.get(name));
      rest.delete(name);
    }
    const hasCaller = unfilled.length > 0 ? unfilled.includes('caller') : parameters.includes('caller');
    if (usesCaller && !hasCaller) {
      values.push(rest.get('caller') ?? new Undefined(() => 'No caller defined'));
      rest.delete('caller');
    }
    if (usesNamed) values.push(Dict.ofNames(rest));
    else if (rest.size > 0) this.#refuseNamed(rest);
    if (usesPositional) values.push(new Tuple(positional.slice(parameters.length)));
    else if (positional.length > parameters.length)
      throw typeError(`macro ${this.#label} takes not more than ${parameters.length} argument(s)`);
    return values;
  }

  get #label(): string {
    return this.#shape.name === undefined ? 'None' : `'${this.#shape.name}'`;
  }

  #refuseNamed(rest: ReadonlyMap<string, Value>): never {
    if (rest.has('caller'))
      throw typeError(
        `macro ${this.#label} was invoked with two values for the special caller argument. This is most likely a bug.`,
      );
    throw typeError(`macro ${this.#label} takes no keyword argument '${[...rest.keys()][0]}'`);
  }
}
