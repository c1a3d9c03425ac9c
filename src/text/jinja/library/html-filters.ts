/** Filters for HTML and addresses: escape, safe, striptags, xmlattr, urlencode, urlize. */
import { PythonError, typeError, valueError } from '../python-error.js';
import { native } from '../values/arguments.js';
import type { Functions, Rendering } from '../values/callable.js';
import { dictPairs, isDict } from '../values/dict.js';
import { escape } from '../values/html.js';
import { isTrue, itemsOf, listOf, tryIterate } from '../values/iterate.js';
import { repr, str } from '../values/printing.js';
import { splitWords } from '../values/text.js';
import { Markup, asText, typeName, Undefined, type Value } from '../values/value.js';
import { unescapeHtml } from './entities.js';
import { urlize } from './urlize.js';

const escapeFilter = native<[Value]>('escape', ['s'], (rendering, [value]) => escape(rendering, value));

const forceEscape = native<[Value]>('forceescape', ['value'], (rendering, [value]) => {
  return escape(rendering, str(rendering, value));
});

const striptags = native<[Value]>('striptags', ['value'], (rendering, [value]) => {
  const text = str(rendering, value);
  const bare = without(rendering, without(rendering, text, '<!--', '-->'), '<', '>');
  rendering.walk(bare.length);
  return unescapeHtml(splitWords(bare).join(' '));
});

/** Removes what is between two marks, and the marks; what comes together then is looked at again. */
function without(rendering: Rendering, text: string, open: string, close: string): string {
  let rest = text;
  for (;;) {
    rendering.read(rest.length);
    const start = rest.indexOf(open);
    const end = start < 0 ? -1 : rest.indexOf(close, start);
    if (end < 0) return rest;
    rest = rest.slice(0, start) + rest.slice(end + close.length);
    rendering.spend(1);
  }
}

const xmlattr = native<[Value, Value]>(
  'xmlattr',
  ['d', ['autospace', true]],
  (rendering, [given, autospace]) => {
    if (given instanceof Undefined) given.fail();
    if (!isDict(given))
      throw new PythonError('AttributeError', `'${typeName(given)}' object has no attribute 'items'`);
    const attributes: string[] = [];
    for (const [key, value] of dictPairs(given)) {
      rendering.spend(1);
      if (value === null || value instanceof Undefined) continue;
      const name = asText(key);
      if (name === undefined) throw typeError(`expected string or bytes-like object, got '${typeName(key)}'`);
      if (/[ \t\n\r\f\v/>=]/.test(name))
        throw valueError(`Invalid character in attribute name: ${repr(rendering, key)}`);
      attributes.push(`${escape(rendering, key).text}="${escape(rendering, value).text}"`);
    }
    const text = (isTrue(autospace) && attributes.length > 0 ? ' ' : '') + attributes.join(' ');
    return rendering.autoescape ? new Markup(text) : text;
  },
);

const urlencode = native<[Value]>('urlencode', ['value'], (rendering, [value]) => {
  if (asText(value) !== undefined || tryIterate(rendering, value) === undefined)
    return quote(rendering, value, true);
  const pairs = isDict(value)
    ? [...dictPairs(value)]
    : [...itemsOf(rendering, value)].map((item) => pairOf(rendering, item));
  return pairs.map((pair) => pair.map((part) => quote(rendering, part, false)).join('=')).join('&');
});

function pairOf(rendering: Rendering, item: Value): readonly [Value, Value] {
  const [key, value, ...rest] = listOf(rendering, item);
  if (key === undefined || value === undefined)
    throw valueError(`not enough values to unpack (expected 2, got ${key === undefined ? 0 : 1})`);
  if (rest.length > 0) throw valueError('too many values to unpack (expected 2)');
  return [key, value];
}

/** Percent-encodes; slashes stay in paths, and spaces are `+` in queries. */
function quote(rendering: Rendering, value: Value, isPath: boolean): string {
  const text = str(rendering, value);
  rendering.walk(text.length);
  const encoded = encodeURIComponent(text.replaceAll(/\p{Cs}/gu, '\ufffd')).replaceAll(/[!'()*]/g, percent);
  rendering.make(encoded.length);
  return isPath ? encoded.replaceAll('%2F', '/') : encoded.replaceAll('%20', '+');
}

const percent = (character: string): string => `%${character.charCodeAt(0).toString(16).toUpperCase()}`;

export const HTML_FILTERS: Functions = new Map([
  ['e', escapeFilter],
  ['escape', escapeFilter],
  ['forceescape', forceEscape],
  ['safe', native<[Value]>('safe', ['value'], (rendering, [value]) => new Markup(str(rendering, value)))],
  ['striptags', striptags],
  ['urlencode', urlencode],
  ['urlize', urlize],
  ['xmlattr', xmlattr],
]);
