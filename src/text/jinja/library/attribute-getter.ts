/** Attributes by their path, as filters take them: `'user.name'`, `'0.role'`, 0. */
import type { Rendering } from '../values/callable.js';
import { getItem } from '../values/lookup.js';
import { characters } from '../values/text.js';
import { Markup, asText, Undefined, type Value } from '../values/value.js';
import { decimalValue, isDigit } from './character-classes.js';

export type Getter = (item: Value) => Value;

export interface GetterOptions {
  /** Takes the place of what is undefined; None for no default. */
  readonly byDefault?: Value;
  readonly finish?: Getter;
}

/** The value at a path; None stands for the item itself. */
export function attributeGetter(
  rendering: Rendering,
  path: Value,
  { byDefault = null, finish = (value) => value }: GetterOptions = {},
): Getter {
  rendering.walk(asText(path)?.length ?? 0);
  const parts = partsOf(path);
  return (item) => {
    let value = item;
    for (const part of parts) {
      value = getItem(rendering, value, part);
      if (byDefault !== null && value instanceof Undefined) value = byDefault;
    }
    return finish(value);
  };
}

/** The values at several paths, which commas separate. */
export function attributesGetter(
  rendering: Rendering,
  paths: Value,
  finish: Getter,
): (item: Value) => Value[] {
  const text = asText(paths);
  rendering.walk(text?.length ?? 0);
  const getters = (text === undefined ? [paths] : text.split(',')).map((path) =>
    attributeGetter(rendering, path, { finish }),
  );
  return (item) => getters.map((get) => get(item));
}

function partsOf(path: Value): Value[] {
  if (path === null) return [];
  const text = asText(path);
  if (text === undefined) return [path];
  return text.split('.').map((part) => {
    const digits = characters(part);
    return part !== '' && digits.every(isDigit) ? Number(digits.map(decimalValue).join('')) : part;
  });
}

/** Lower case for texts, so that sorting ignores case. */
export function ignoreCase(value: Value): Value {
  if (value instanceof Markup) return new Markup(value.text.toLowerCase());
  return typeof value === 'string' ? value.toLowerCase() : value;
}

export const caseOption = (isCaseSensitive: boolean): GetterOptions =>
  isCaseSensitive ? {} : { finish: ignoreCase };
