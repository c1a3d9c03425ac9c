/** Keys of a JSON text that its parser would overwrite without a word. */
import { endOfString } from './json-cost.js';

const DEEPEST = 2;

/** The first key that an object at the top, or one right below it, has twice. @param text valid JSON */
export function repeatedKey(text: string): string | undefined {
  const keys: Set<string>[] = [];
  let depth = 0;
  let lastString = '';
  for (let i = 0; i < text.length; i++) {
    const character = text[i]!;
    if (character === '"') {
      const end = endOfString(text, i);
      // Deeper texts may be long, and are no keys that count.
      if (depth <= DEEPEST) lastString = text.slice(i, end + 1);
      i = end;
    } else if (character === '{' || character === '[') keys[++depth] = new Set();
    else if (character === '}' || character === ']') depth--;
    else if (character === ':' && depth <= DEEPEST) {
      const key = JSON.parse(lastString) as string;
      if (keys[depth]!.has(key)) return key;
      keys[depth]!.add(key);
    }
  }
  return undefined;
}
