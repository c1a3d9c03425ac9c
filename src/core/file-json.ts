/** JSON as files of models have it: some begin with a byte order mark, and Python writes numbers that JSON lacks. */

export interface FileJson {
  readonly value: unknown;
  /** Members whose number JSON has no notation for, such as `NaN`. */
  readonly nonFinite: readonly string[];
}

/** Marks a number while it is a string; a string of a file cannot hold the character unescaped. */
const MARK = '\u0000';
/** Strings, which are left alone, and numbers as Python's `json` writes and reads them beyond the standard. */
const PYTHON_NUMBER = /"(?:[^"\\]|\\.)*"|-?\b(?:NaN|Infinity)\b/gs;

/** The text without the byte order mark that some editors put first. */
export function withoutMark(text: string): string {
  return text.startsWith('\ufeff') ? text.slice(1) : text;
}

/** Reads a text as Python's `json.load` does. @throws {SyntaxError} */
export function parseFileJson(text: string): FileJson {
  const json = withoutMark(text);
  try {
    return { value: JSON.parse(json) as unknown, nonFinite: [] };
  } catch (fault) {
    const marked = json.replace(PYTHON_NUMBER, (token) =>
      token.startsWith('"') ? token : `"\\u0000${token}"`,
    );
    if (marked === json) throw fault;
    const nonFinite: string[] = [];
    const value: unknown = JSON.parse(marked, (key: string, item: unknown) => {
      if (typeof item !== 'string' || !item.startsWith(MARK)) return item;
      nonFinite.push(key);
      return Number(item.slice(MARK.length));
    });
    return { value, nonFinite };
  }
}
