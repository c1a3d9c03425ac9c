/** Bad words and stop words in all the forms that clients send. */
import { AloftError } from '../../core/errors.js';
import { beyondLimit, REQUEST_LIMITS, requireWithin } from '../../core/request-limits.js';

const WORDS = 'A list of stop words or bad words';

/**
 * One element: a JSON list of strings, or words separated by commas with quotes where a word has a comma (v0.5.0).
 * Several elements: one word each. Empty words are dropped; a lone separator is itself a word.
 * @throws {AloftError} REQUEST_INVALID for more characters or words than the limits allow, before more are made
 */
export function readWords(elements: readonly string[]): string[] {
  const [only] = elements;
  if (only === undefined) return [];
  requireWithin('words', elements.length, WORDS);
  if (elements.length === 1) requireWithin('lineCharacters', only.length, WORDS);
  const words = elements.length > 1 ? elements : (jsonList(only) ?? splitLine(only));
  const kept = words.filter((word) => word !== '');
  return kept.length === 0 && only !== '' ? [only] : kept;
}

function jsonList(text: string): string[] | undefined {
  if (!text.startsWith('[')) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) && value.every((item) => typeof item === 'string') ? value : undefined;
  } catch {
    return undefined; // not JSON: a word that starts with a bracket
  }
}

/** One line of comma-separated values; a field in double quotes keeps its commas, a doubled quote stands for itself. */
function splitLine(line: string): string[] {
  const fields: string[] = [];
  for (const match of line.matchAll(/("(?:[^"]|"")*"|[^,]*)(?:,|$)/g)) {
    // The last field is empty where the line ends with a comma, and once more at its end.
    if (fields.push(match[1] ?? '') > REQUEST_LIMITS.words.max + 2) throw beyondLimit('words', WORDS);
  }
  return fields.map((field) =>
    field.startsWith('"') && field.endsWith('"') && field.length > 1 ? unquote(field) : field,
  );
}

function unquote(field: string): string {
  return field.slice(1, -1).replaceAll('""', '"');
}

/**
 * Token lists as tensorrt_llm takes them: row 0 holds all ids one after another, row 1 the end offset of each list,
 * padded with -1.
 * @param values [2, length]
 * @throws {AloftError} REQUEST_INVALID
 */
export function readTokenLists(name: string, values: readonly number[]): number[][] {
  const length = values.length / 2;
  requireWithin('tokenListIds', length, `Input '${name}'`);
  const ids = values.slice(0, length);
  const ends = values.slice(length).filter((end) => end >= 0);
  let start = 0;
  const lists = ends.map((end) => {
    if (end < start || end > length) {
      throw new AloftError(
        'REQUEST_INVALID',
        `Offsets of input '${name}' must ascend and be at most ${length}.`,
      );
    }
    const list = ids.slice(start, end);
    start = end;
    return list;
  });
  return lists.filter((list) => list.length > 0);
}
