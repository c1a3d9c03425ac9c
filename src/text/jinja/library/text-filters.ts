/** Filters whose value becomes text: trim, upper, replace, indent, truncate and their kin. */
import { formatPercent } from '../format/percent.js';
import { PythonError, typeError } from '../python-error.js';
import { native, type Parameter } from '../values/arguments.js';
import type { Functions, TemplateFunction, Rendering } from '../values/callable.js';
import { Dict } from '../values/dict.js';
import { escape } from '../values/html.js';
import { isTrue, lengthOf } from '../values/iterate.js';
import { slice } from '../values/lookup.js';
import { refuseUndefined } from '../values/numbers.js';
import { addValues, modulo } from '../values/operators.js';
import { str } from '../values/printing.js';
import { characters, countReading, splitLines, textLength } from '../values/text.js';
import { isList, Markup, asText, Tuple, typeName, Undefined, type Value } from '../values/value.js';
import { isAlphanumeric } from './character-classes.js';
import { capitalize } from './letter-case.js';
import { prettyPrint } from './pretty-print.js';
import { centeredStart, wantIndex, wantText } from './text-methods.js';
import { replace, strip, stripCounted } from './text-search.js';
import { wrapParagraph } from './wrap.js';

/** A filter that makes text of any value first; safe text stays safe. */
function textFilter(
  name: string,
  parameters: readonly Parameter[],
  run: (text: string, args: readonly Value[], rendering: Rendering) => string,
): readonly [string, TemplateFunction] {
  const filter = native<readonly [Value, ...Value[]]>(
    name,
    ['s', ...parameters],
    (rendering, [value, ...rest]) => {
      const text = str(rendering, value);
      countReading(rendering, text);
      const result = run(text, rest, rendering);
      return value instanceof Markup ? new Markup(result) : result;
    },
  );
  return [name, filter];
}

const replaceFilter = native<[Value, Value, Value, Value]>(
  'replace',
  ['s', 'old', 'new', ['count', null]],
  (rendering, [value, from, to, count]) => {
    const limit = count === null ? -1 : wantIndex(count);
    const pair = [str(rendering, from), str(rendering, to)] as const;
    if (!rendering.autoescape) return replace(rendering, str(rendering, value), pair, limit);
    const hasSafe = from instanceof Markup || (to instanceof Markup && !(value instanceof Markup));
    const text = hasSafe ? escape(rendering, value) : value;
    if (!(text instanceof Markup)) return replace(rendering, str(rendering, text), pair, limit);
    return new Markup(replace(rendering, text.text, [pair[0], escape(rendering, to).text], limit));
  },
);

/** Looks at each character of a value's text. */
function walked<Result>(rendering: Rendering, value: Value, run: (text: string) => Result): Result {
  const text = str(rendering, value);
  rendering.walk(text.length);
  return run(text);
}

const BEGINS_WORD = /[-({[<]/;

/** Upper case after spaces, hyphens and opening brackets, lower case elsewhere. */
function title(text: string): string {
  const words: string[] = [];
  let current = '';
  let isBetween = false;
  for (const character of characters(text)) {
    const isSeparator = BEGINS_WORD.test(character) || strip(character, undefined, 'both') === '';
    if (isSeparator !== isBetween && current !== '') {
      words.push(current);
      current = '';
    }
    isBetween = isSeparator;
    current += character;
  }
  if (current !== '') words.push(current);
  return words
    .map((word) => {
      const [first] = characters(word.slice(0, 2));
      return first!.toUpperCase() + word.slice(first!.length).toLowerCase();
    })
    .join('');
}

const indent = native<[Value, Value, Value, Value]>(
  'indent',
  ['s', ['width', 4], ['first', false], ['blank', false]],
  (rendering, [value, width, first, blank]) => {
    const indentation = asText(width) ?? spaces(rendering, width);
    const text = asText(value);
    if (text === undefined) {
      refuseUndefined(value);
      if (isList(value))
        throw new PythonError('AttributeError', "'list' object has no attribute 'splitlines'");
      throw typeError(`unsupported operand type(s) for +=: '${typeName(value)}' and 'str'`);
    }
    const lines = splitLines(`${text}\n`);
    rendering.make(text.length + lines.length * (indentation.length + 1));
    const indented = lines.map((line, i) => {
      const isIndented = i === 0 ? isTrue(first) : isTrue(blank) || line !== '';
      return isIndented ? indentation + line : line;
    });
    return value instanceof Markup ? new Markup(indented.join('\n')) : indented.join('\n');
  },
);

function spaces(rendering: Rendering, width: Value): string {
  const count = Math.max(0, wantIndex(width));
  rendering.make(count);
  return ' '.repeat(count);
}

/** Jinja's default: texts this much longer than the length stay whole. */
const TRUNCATE_LEEWAY = 5;

const truncate = native<[Value, Value, Value, Value, Value]>(
  'truncate',
  ['s', ['length', 255], ['killwords', false], ['end', '...'], ['leeway', null]],
  (rendering, [value, given, killsWords, end, givenLeeway]) => {
    const length = wantIndex(given);
    const leeway = givenLeeway === null ? TRUNCATE_LEEWAY : wantIndex(givenLeeway);
    const endLength = lengthOf(rendering, end);
    if (length < endLength)
      throw new PythonError('AssertionError', `expected length >= ${endLength}, got ${length}`);
    if (leeway < 0) throw new PythonError('AssertionError', `expected leeway >= 0, got ${leeway}`);
    if (lengthOf(rendering, value) <= length + leeway) return value;
    const kept = slice(rendering, value, { start: null, stop: length - endLength, step: null });
    if (isTrue(killsWords)) return addValues(rendering, kept, end);
    const text = asText(kept);
    if (text === undefined)
      throw new PythonError('AttributeError', `'${typeName(value)}' object has no attribute 'rsplit'`);
    const space = text.lastIndexOf(' ');
    const whole = space < 0 ? text : text.slice(0, space);
    return addValues(rendering, value instanceof Markup ? new Markup(whole) : whole, end);
  },
);

const wordwrap = native<[Value, Value, Value, Value, Value]>(
  'wordwrap',
  ['s', ['width', 79], ['break_long_words', true], ['wrapstring', null], ['break_on_hyphens', true]],
  (rendering, [value, width, breaksLongWords, separator, breaksOnHyphens]) => {
    const text = asText(value);
    if (value instanceof Undefined) value.fail();
    if (text === undefined)
      throw new PythonError('AttributeError', `'${typeName(value)}' object has no attribute 'splitlines'`);
    rendering.read(text.length);
    const between = separator === null ? '\n' : wantText(separator, 'wrapstring');
    const options = {
      width: wantIndex(width),
      breakLongWords: isTrue(breaksLongWords),
      breakOnHyphens: isTrue(breaksOnHyphens),
    };
    const lines = splitLines(text).map((line) => wrapParagraph(rendering, line, options).join(between));
    rendering.make(lines.reduce((sum, line) => sum + line.length + between.length, 0));
    return lines.join(between);
  },
);

function center(text: string, width: Value, rendering: Rendering): string {
  const missing = wantIndex(width) - textLength(text);
  if (missing <= 0) return text;
  rendering.make(text.length + missing);
  const left = centeredStart(missing, wantIndex(width));
  return ' '.repeat(left) + text + ' '.repeat(missing - left);
}

/** Number of runs of letters, digits and underscores. */
function countWords(text: string): number {
  let count = 0;
  let isInWord = false;
  for (const character of text) {
    const isPart = character === '_' || isAlphanumeric(character);
    if (isPart && !isInWord) count++;
    isInWord = isPart;
  }
  return count;
}

const format: TemplateFunction = (rendering, { positional: [value, ...rest], named }) => {
  if (rest.length > 0 && named.size > 0)
    throw new PythonError(
      'FilterArgumentError',
      "can't handle positional and keyword arguments at the same time",
    );
  const given = named.size > 0 ? Dict.ofNames(named) : new Tuple(rest);
  if (value instanceof Markup) return modulo(rendering, value, given);
  return formatPercent(rendering, str(rendering, value!), given);
};

export const TEXT_FILTERS: Functions = new Map([
  textFilter('capitalize', [], capitalize),
  textFilter('center', [['width', 80]], (text, [width], rendering) => center(text, width!, rendering)),
  textFilter('lower', [], (text) => text.toLowerCase()),
  textFilter('upper', [], (text) => text.toUpperCase()),
  textFilter('string', [], (text) => text),
  textFilter('trim', [['chars', null]], (text, [chars], rendering) =>
    stripCounted(rendering, text, chars === null ? undefined : wantText(chars!, 'strip arg'), 'both'),
  ),
  ['title', native<[Value]>('title', ['s'], (rendering, [value]) => walked(rendering, value, title))],
  ['format', format],
  ['indent', indent],
  ['pprint', native<[Value]>('pprint', ['value'], (rendering, [value]) => prettyPrint(rendering, value))],
  ['replace', replaceFilter],
  ['truncate', truncate],
  [
    'wordcount',
    native<[Value]>('wordcount', ['s'], (rendering, [value]) => walked(rendering, value, countWords)),
  ],
  ['wordwrap', wordwrap],
]);
