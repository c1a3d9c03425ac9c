/** `urlize`: addresses in text become links. Everything is found by walking, never by patterns that can backtrack. */
import { PythonError } from '../python-error.js';
import { native } from '../values/arguments.js';
import type { TemplateFunction, Rendering } from '../values/callable.js';
import { escape, escapeHtml } from '../values/html.js';
import { isTrue, listOf } from '../values/iterate.js';
import { characters, isSpace, splitWords, substring, textLength } from '../values/text.js';
import { Markup, type Value } from '../values/value.js';
import { isAlphanumeric, isDecimal } from './character-classes.js';
import { wantIndex, wantText } from './text-methods.js';
import { countOf } from './text-search.js';

interface LinkOptions {
  readonly limit: number | undefined;
  readonly attributes: string;
  readonly schemes: readonly string[];
}

export const urlize: TemplateFunction = native<[Value, Value, Value, Value, Value, Value]>(
  'urlize',
  [
    'value',
    ['trim_url_limit', null],
    ['nofollow', false],
    ['target', null],
    ['rel', null],
    ['extra_schemes', null],
  ],
  (rendering, [value, limit, nofollow, target, rel, schemes]) => {
    const relations = new Set([...splitWords(rel === null ? '' : wantText(rel, 'rel')), 'noopener']);
    if (isTrue(nofollow)) relations.add('nofollow');
    const relText = [...relations].toSorted().join(' ');
    const targetText = target === null ? '' : ` target="${escape(rendering, target).text}"`;
    const options: LinkOptions = {
      limit: limit === null ? undefined : wantIndex(limit),
      attributes: ` rel="${escapeHtml(relText)}"${targetText}`,
      schemes: schemes === null ? [] : schemesOf(rendering, schemes),
    };
    const text = escape(rendering, value).text;
    rendering.walk(text.length);
    const linked = withSpaces(text)
      .map((word) => {
        rendering.spend(1);
        return linkWord(word, options);
      })
      .join('');
    rendering.make(linked.length);
    return rendering.autoescape ? new Markup(linked) : linked;
  },
);

function schemesOf(rendering: Rendering, schemes: Value): string[] {
  return listOf(rendering, schemes).map((scheme) => {
    const text = wantText(scheme, 'extra_schemes');
    const name = text.replace(/:\/?\/?$/, '');
    const isScheme =
      name !== text &&
      textLength(name) > 1 &&
      characters(name).every((c) => isWordCharacter(c) || '.+-'.includes(c));
    if (!isScheme)
      throw new PythonError('FilterArgumentError', `'${text}' is not a valid URI scheme prefix.`);
    return text;
  });
}

/** Words and the whitespace between them, in turns. */
function withSpaces(text: string): string[] {
  const parts: string[] = [];
  for (let at = 0; at < text.length;) {
    const start = at;
    const isBlank = isSpace(text.charCodeAt(at));
    while (at < text.length && isSpace(text.charCodeAt(at)) === isBlank) at++;
    parts.push(text.slice(start, at));
  }
  return parts;
}

const isWordCharacter = (character: string): boolean => character === '_' || isAlphanumeric(character);

const PAIRS = [
  ['(', ')'],
  ['<', '>'],
  ['&lt;', '&gt;'],
] as const;

function linkWord(word: string, options: LinkOptions): string {
  const start = headEnd(word);
  const end = tailStart(word, start);
  let [middle, tail] = [word.slice(start, end), word.slice(end)];
  for (const [open, close] of PAIRS) {
    const opened = countOf(middle, open);
    if (opened <= countOf(middle, close)) continue;
    for (let i = Math.min(opened, countOf(tail, close)); i > 0; i--) {
      const moved = tail.indexOf(close) + close.length;
      middle += tail.slice(0, moved);
      tail = tail.slice(moved);
    }
  }
  return word.slice(0, start) + link(middle, options) + tail;
}

function headEnd(word: string): number {
  let at = 0;
  for (;;) {
    if (word[at] === '(' || word[at] === '<') at++;
    else if (word.startsWith('&lt;', at)) at += 4;
    else return at;
  }
}

function tailStart(word: string, start: number): number {
  let at = word.length;
  for (;;) {
    if (at > start && ')>.,'.includes(word[at - 1]!)) at--;
    else if (at - 4 >= start && word.startsWith('&gt;', at - 4)) at -= 4;
    else return at;
  }
}

function link(text: string, { limit, attributes, schemes }: LinkOptions): string {
  const shown =
    limit !== undefined && textLength(text) > limit ? `${substring(text, 0, Math.max(0, limit))}...` : text;
  if (isWebAddress(text)) {
    const hasScheme = text.startsWith('https://') || text.startsWith('http://');
    return `<a href="${hasScheme ? '' : 'https://'}${text}"${attributes}>${shown}</a>`;
  }
  const mail = text.slice('mailto:'.length);
  if (text.startsWith('mailto:') && isMailAddress(mail)) return `<a href="${text}">${mail}</a>`;
  const mayBeMail = !text.startsWith('www.') && !text.startsWith('@') && !text.includes(':');
  if (mayBeMail && isMailAddress(text)) return `<a href="mailto:${text}">${text}</a>`;
  const scheme = schemes.find((prefix) => text !== prefix && text.startsWith(prefix));
  return scheme === undefined ? text : `<a href="${text}"${attributes}>${text}</a>`;
}

const TOP_DOMAINS = new Set(['com', 'net', 'int', 'edu', 'gov', 'org', 'info', 'mil']);

function isWebAddress(text: string): boolean {
  const scheme = /^https?:\/\//i.exec(text)?.[0] ?? '';
  const rest = text.slice(scheme.length);
  const isBracketed = scheme !== '' && rest.startsWith('[');
  const bracket = isBracketed ? rest.slice(0, 60).indexOf(']') + 1 : 0;
  const end = isBracketed ? bracket : (/[:/?#]/.exec(rest)?.index ?? rest.length);
  const host = rest.slice(0, end);
  if (!isAfterHost(rest.slice(end))) return false;
  if (isBracketed) return /^\[(?:[\da-f]{0,4}:){2}(?:[\da-f]{0,4}:?){1,6}\]$/i.test(host);
  const labels = host.split('.');
  const last = labels.at(-1)!;
  const before = labels.slice(0, -1);
  if (scheme !== '' || /^www\./i.test(host)) {
    const named = scheme === '' ? before.slice(1) : before;
    if (named.every((label) => isLabel(label, 1)) && isTopDomain(last)) return true;
  }
  if (scheme !== '' && labels.length === 4 && labels.every(isByte)) return true;
  const isBasic = before.length > 0 && before.every((label) => isLabel(label, 2));
  return scheme === '' && isBasic && TOP_DOMAINS.has(last.toLowerCase());
}

const isByte = (label: string): boolean =>
  label.length > 0 && label.length <= 3 && characters(label).every(isDecimal);

const isTopDomain = (label: string): boolean =>
  /^[a-z]{2,63}$/i.test(label) ||
  (/^xn--.{2,59}$/iu.test(label) && characters(label.slice(4)).every((c) => c === '%' || isWordCharacter(c)));

function isLabel(label: string, least: number): boolean {
  const all = characters(label);
  return (
    all.length >= least &&
    (least === 1 || all.length <= 63) &&
    all.every((character) => '%-'.includes(character) || isWordCharacter(character))
  );
}

/** A port, and a path, query or fragment. */
function isAfterHost(text: string): boolean {
  const port = /^:\d{1,5}/.exec(text)?.[0] ?? '';
  const rest = text.slice(port.length);
  return rest === '' || '/?#'.includes(rest[0]!);
}

function isMailAddress(text: string): boolean {
  const at = text.lastIndexOf('@');
  if (at < 1) return false;
  const host = text.slice(at + 1);
  const dot = host.lastIndexOf('.');
  const all = characters(host);
  const isPlain = all.every((character) => '.-'.includes(character) || isWordCharacter(character));
  const last = characters(host.slice(dot + 1));
  return dot > 0 && isPlain && isWordCharacter(all[0]!) && last.length > 0 && last.every(isWordCharacter);
}
