/** Methods of `str`. */
import { typeError, unsupported, valueError } from '../python-error.js';
import { type Parameter, native } from '../values/arguments.js';
import type { TemplateFunction, Rendering } from '../values/callable.js';
import { isTrue, itemsOf } from '../values/iterate.js';
import { indexOf } from '../values/numbers.js';
import { isPrintable } from '../values/printing.js';
import { characters, countReading, isSpace, splitLines, textLength } from '../values/text.js';
import { asText, Tuple, typeName, type Value } from '../values/value.js';
import { isAlpha, isAlphanumeric, isDecimal, isDigit, isIdentifier, isNumeric } from './character-classes.js';
import { capitalize, caseFold, hasCase, isTitle, swapCase, titleWords } from './letter-case.js';
import {
  countOf,
  find,
  partition,
  replace,
  spanOf,
  split,
  splitFromRight,
  splitSpaces,
  splitSpacesFromRight,
  stripCounted,
} from './text-search.js';
import { makeTranslation, translate } from './translate.js';

/** @throws {PythonError} TypeError when it is no text */
export function wantText(value: Value, what: string): string {
  const text = asText(value);
  if (text === undefined) throw typeError(`${what} must be str, not ${typeName(value)}`);
  return text;
}

/** @throws {PythonError} TypeError when it is no integer */
export function wantIndex(value: Value): number {
  const index = indexOf(value);
  if (index === undefined) throw typeError(`'${typeName(value)}' object cannot be interpreted as an integer`);
  return index;
}

const optionalIndex = (value: Value): number | undefined => (value === null ? undefined : wantIndex(value));

type Method = readonly [name: string, run: TemplateFunction];

/** A method that gets the text and its arguments; the reading of the text is counted. */
function method(
  name: string,
  parameters: readonly Parameter[],
  run: (text: string, args: readonly Value[], rendering: Rendering) => Value,
): Method {
  const bound = native<readonly [Value, ...Value[]]>(
    name,
    ['self', ...parameters],
    (rendering, [self, ...rest]) => {
      const text = asText(self) ?? '';
      countReading(rendering, text);
      return run(text, rest, rendering);
    },
  );
  return [name, bound];
}

const SPAN: readonly Parameter[] = [
  ['start', null],
  ['end', null],
];

const finder = (name: string, isLast: boolean, mustExist: boolean): Method =>
  method(name, ['sub', ...SPAN], (text, [part, start, end], rendering) => {
    const span = spanOf(text, optionalIndex(start!), optionalIndex(end!));
    // Where each place may be the beginning of one, a search takes several times as long as a reading.
    rendering.spend(text.length >>> 3);
    const at = find(text, wantText(part!, 'must'), span, isLast);
    if (at < 0 && mustExist) throw valueError('substring not found');
    return at;
  });

/** startswith, endswith */
const edge = (name: 'startsWith' | 'endsWith'): Method =>
  method(name.toLowerCase(), ['affix', ...SPAN], (text, [affix, start, end]) => {
    const span = spanOf(text, optionalIndex(start!), optionalIndex(end!));
    const part = span && text.slice(span.start, span.end);
    const affixes = affix instanceof Tuple ? affix.items : [affix!];
    const what = `${name.toLowerCase()} first arg must be str or a tuple of str, not ${typeName(affix!)}`;
    return affixes.some((one) => {
      const wanted = asText(one);
      if (wanted === undefined) throw typeError(what);
      return part?.[name](wanted) === true;
    });
  });

const stripper = (name: string, sides: 'left' | 'right' | 'both'): Method =>
  method(name, [['chars', null]], (text, [chars], rendering) => {
    const characterSet = chars === null ? undefined : wantText(chars!, `${name} arg`);
    return stripCounted(rendering, text, characterSet, sides);
  });

const splitter = (name: string, isFromRight: boolean): Method =>
  method(
    name,
    [
      ['sep', null],
      ['maxsplit', -1],
    ],
    (text, [separator, given], rendering) => {
      const limit = wantIndex(given!);
      const words = isFromRight ? splitSpacesFromRight : splitSpaces;
      const pieces = isFromRight ? splitFromRight : split;
      const parts =
        separator === null ? words(text, limit) : pieces(text, wantText(separator!, 'sep'), limit);
      rendering.makeItems(parts.length);
      return parts;
    },
  );

const partitioner = (name: string, isLast: boolean): Method =>
  method(
    name,
    ['sep'],
    (text, [separator]) => new Tuple(partition(text, wantText(separator!, 'sep'), isLast)),
  );

/** Tests each character; an empty text fails. */
const every = (name: string, test: (character: string) => boolean): Method =>
  method(name, [], (text, _, rendering) => {
    rendering.walk(text.length);
    return text !== '' && characters(text).every(test);
  });

const change = (name: string, run: (text: string) => string): Method => method(name, [], (text) => run(text));

/** A change that looks at each character. */
const changeEach = (name: string, run: (text: string) => string): Method =>
  method(name, [], (text, _, rendering) => {
    rendering.walk(text.length);
    return run(text);
  });

const padder = (name: string, before: (missing: number, width: number) => number): Method =>
  method(name, ['width', ['fillchar', ' ']], (text, [width, fillchar], rendering) => {
    const fill = wantText(fillchar!, 'The fill character');
    if (textLength(fill) !== 1) throw typeError('The fill character must be exactly one character long');
    const missing = wantIndex(width!) - textLength(text);
    if (missing <= 0) return text;
    rendering.make(text.length + missing * fill.length);
    const left = before(missing, wantIndex(width!));
    return fill.repeat(left) + text + fill.repeat(missing - left);
  });

/** Half of the missing width; of an odd one the larger half on the left where the width is odd. */
export const centeredStart = (missing: number, width: number): number =>
  (missing >> 1) + (missing & width & 1);

function join(text: string, items: Value, rendering: Rendering): string {
  const parts: string[] = [];
  let length = 0;
  for (const item of itemsOf(rendering, items)) {
    const part = asText(item);
    if (part === undefined)
      throw typeError(`sequence item ${parts.length}: expected str instance, ${typeName(item)} found`);
    parts.push(part);
    length += part.length + text.length;
  }
  rendering.make(length);
  return parts.join(text);
}

function expandTabs(text: string, size: number, rendering: Rendering): string {
  rendering.walk(text.length);
  let [result, column] = ['', 0];
  for (const character of text) {
    if (character === '\t') {
      const width = size > 0 ? size - (column % size) : 0;
      rendering.join(result.length + width);
      result += ' '.repeat(width);
      column += width;
    } else {
      result += character;
      column = character === '\n' || character === '\r' ? 0 : column + 1;
    }
  }
  return result;
}

function fillZeros(text: string, width: number, rendering: Rendering): string {
  const missing = width - textLength(text);
  if (missing <= 0) return text;
  rendering.make(width);
  const sign = /^[+-]/.test(text) ? text[0]! : '';
  return sign + '0'.repeat(missing) + text.slice(sign.length);
}

/** Methods whose result is text made of this text; on safe text the result is safe. */
export const TEXT_CHANGES: ReadonlyMap<string, TemplateFunction> = new Map([
  change('capitalize', capitalize),
  changeEach('casefold', caseFold),
  change('lower', (text) => text.toLowerCase()),
  change('upper', (text) => text.toUpperCase()),
  changeEach('swapcase', swapCase),
  changeEach('title', titleWords),
  stripper('strip', 'both'),
  stripper('lstrip', 'left'),
  stripper('rstrip', 'right'),
  splitter('split', false),
  splitter('rsplit', true),
  partitioner('partition', false),
  partitioner('rpartition', true),
  padder('center', centeredStart),
  padder('ljust', () => 0),
  padder('rjust', (missing) => missing),
  method('splitlines', [['keepends', false]], (text, [keepEnds], rendering) => {
    rendering.walk(text.length);
    const lines = splitLines(text, isTrue(keepEnds!));
    rendering.makeItems(lines.length);
    return lines;
  }),
  method('expandtabs', [['tabsize', 8]], (text, [size], rendering) =>
    expandTabs(text, wantIndex(size!), rendering),
  ),
  method('zfill', ['width'], (text, [width], rendering) => fillZeros(text, wantIndex(width!), rendering)),
  method('removeprefix', ['prefix'], (text, [given]) => {
    const prefix = wantText(given!, 'removeprefix() argument');
    return text.startsWith(prefix) ? text.slice(prefix.length) : text;
  }),
  method('removesuffix', ['suffix'], (text, [given]) => {
    const suffix = wantText(given!, 'removesuffix() argument');
    return suffix !== '' && text.endsWith(suffix) ? text.slice(0, -suffix.length) : text;
  }),
  method('replace', ['old', 'new', ['count', -1]], (text, [from, to, count], rendering) =>
    replace(
      rendering,
      text,
      [wantText(from!, 'replace() argument 1'), wantText(to!, 'replace() argument 2')],
      wantIndex(count!),
    ),
  ),
  method('join', ['iterable'], (text, [items], rendering) => join(text, items!, rendering)),
  method('translate', ['table'], (text, [table], rendering) => translate(rendering, text, table!)),
]);

/** Methods whose result says something of the text. */
export const TEXT_QUESTIONS: ReadonlyMap<string, TemplateFunction> = new Map([
  finder('find', false, false),
  finder('rfind', true, false),
  finder('index', false, true),
  finder('rindex', true, true),
  edge('startsWith'),
  edge('endsWith'),
  method('count', ['sub', ...SPAN], (text, [part, start, end], rendering) => {
    const span = spanOf(text, optionalIndex(start!), optionalIndex(end!));
    const wanted = wantText(part!, 'must');
    const count = span === undefined ? 0 : countOf(text.slice(span.start, span.end), wanted);
    rendering.spend((text.length >>> 3) + (count >>> 1));
    return count;
  }),
  every('isalnum', isAlphanumeric),
  every('isalpha', isAlpha),
  every('isdecimal', isDecimal),
  every('isdigit', isDigit),
  every('isnumeric', isNumeric),
  every('isspace', (character) => isSpace(character.codePointAt(0)!)),
  method('isascii', [], (text) => !/\P{ASCII}/u.test(text)),
  method('isprintable', [], (text, _, rendering) => {
    rendering.walk(text.length);
    return characters(text).every(isPrintable);
  }),
  method('isidentifier', [], isIdentifier),
  method('islower', [], (text) => hasCase(text, 'lower')),
  method('isupper', [], (text) => hasCase(text, 'upper')),
  method('istitle', [], isTitle),
  method('maketrans', ['x', ['y', null], ['z', null]], (_, [x, y, z], rendering) =>
    makeTranslation(rendering, [x!, y!, z!]),
  ),
  method(
    'encode',
    [
      ['encoding', 'utf-8'],
      ['errors', 'strict'],
    ],
    () => {
      throw unsupported('bytes');
    },
  ),
]);
