/** Binds what a call gives to the parameters of a function, as Python does. */
import { typeError } from '../python-error.js';
import type { CallArguments, TemplateFunction, Rendering } from './callable.js';
import type { Value } from './value.js';

/** A parameter's name, and its default where it has one. */
export type Parameter = string | readonly [name: string, byDefault: Value];

/** Gives `run` one value for each parameter. */
export function native<Values extends readonly Value[]>(
  name: string,
  parameters: { readonly [Index in keyof Values]: Parameter },
  run: (rendering: Rendering, values: Values) => Value,
): TemplateFunction {
  return (rendering, given) => run(rendering, bind(name, parameters, given) as unknown as Values);
}

/** @throws {PythonError} TypeError for arguments that are missing, unknown or too many */
function bind(name: string, parameters: readonly Parameter[], given: CallArguments): readonly Value[] {
  const { positional, named } = given;
  if (positional.length > parameters.length)
    throw typeError(
      `${name}() takes ${parameters.length} positional arguments but ${positional.length} were given`,
    );
  if (positional.length === parameters.length && named.size === 0) return positional;
  const values = [...positional];
  for (const parameter of parameters.slice(positional.length)) values.push(valueOf(name, parameter, named));
  if (named.size > 0) refuseUnknown(name, parameters, given);
  return values;
}

function valueOf(name: string, parameter: Parameter, named: ReadonlyMap<string, Value>): Value {
  const [key, byDefault] = typeof parameter === 'string' ? [parameter, undefined] : parameter;
  const value = named.get(key) ?? (named.has(key) ? null : byDefault);
  if (value === undefined) throw typeError(`${name}() missing 1 required positional argument: '${key}'`);
  return value;
}

function refuseUnknown(
  name: string,
  parameters: readonly Parameter[],
  { positional, named }: CallArguments,
): void {
  const names = parameters.map((parameter) => (typeof parameter === 'string' ? parameter : parameter[0]));
  for (const key of named.keys()) {
    const index = names.indexOf(key);
    if (index < 0) throw typeError(`${name}() got an unexpected keyword argument '${key}'`);
    if (index < positional.length) throw typeError(`${name}() got multiple values for argument '${key}'`);
  }
}
