/** `str.maketrans` and `str.translate` */
import { typeError, valueError } from '../python-error.js';
import type { Rendering } from '../values/callable.js';
import { Dict, dictPairs, isDict } from '../values/dict.js';
import { intOf } from '../values/numbers.js';
import { getItem } from '../values/lookup.js';
import { characters } from '../values/text.js';
import { asText, typeName, Undefined, type Value } from '../values/value.js';

/** A table from code points to what takes their place; None deletes. */
export function makeTranslation(
  rendering: Rendering,
  [from, to, deleted]: readonly [Value, Value, Value],
): Dict {
  if (to === null) return fromMapping(rendering, from);
  const [source, target, removed] = [from, to, deleted ?? ''].map((part) => {
    const text = asText(part);
    if (text === undefined) throw typeError(`maketrans() argument must be str, not ${typeName(part)}`);
    return characters(text);
  }) as [string[], string[], string[]];
  if (source.length !== target.length)
    throw valueError('the first two maketrans arguments must have equal length');
  return Dict.of(rendering, [
    ...source.map((character, i) => [codeOf(character), codeOf(target[i]!)] as const),
    ...removed.map((character) => [codeOf(character), null] as const),
  ]);
}

const codeOf = (character: string): number => character.codePointAt(0)!;

function fromMapping(rendering: Rendering, mapping: Value): Dict {
  if (!isDict(mapping)) throw typeError('if you give only one argument to maketrans it must be a dict');
  return Dict.of(
    rendering,
    Array.from(dictPairs(mapping), ([key, value]) => {
      const text = asText(key);
      if (text === undefined) return [key, value] as const;
      if (characters(text).length !== 1)
        throw valueError('string keys in translate table must be of length 1');
      return [codeOf(text), value] as const;
    }),
  );
}

/** @throws {PythonError} TypeError for a table with other values than text, integers and None */
export function translate(rendering: Rendering, text: string, table: Value): string {
  rendering.spend(text.length);
  let result = '';
  for (const character of characters(text)) {
    const found = getItem(rendering, table, codeOf(character));
    result += found instanceof Undefined ? character : replacement(found);
    rendering.join(result.length);
  }
  return result;
}

function replacement(value: Value): string {
  if (value === null) return '';
  const code = intOf(value);
  if (code === undefined) {
    const text = asText(value);
    if (text === undefined) throw typeError('character mapping must return integer, None or str');
    return text;
  }
  if (code < 0 || code > 0x10ffff) throw valueError('character mapping must be in range(0x110000)');
  return String.fromCodePoint(Number(code));
}
