/** A scored token as a page shows it. */
export interface ScoredToken {
  readonly text: string;
  readonly probability: number;
  readonly others: readonly { readonly text: string; readonly probability: number }[];
}

/**
 * The tokens of a piece of text, for display: those that are a part of a character are put together until the character is
 * whole. A server that is behind sends several tokens in one piece, so a piece may hold any number of both.
 * @param text of the piece; it ends with a whole character
 * @param tokens of the piece, and earlier ones whose text had not come
 * @returns tokens whose texts are `text`; none when it is empty, or nothing was scored
 */
export function wholeTokens(text: string, tokens: readonly ScoredToken[]): readonly ScoredToken[] {
  const whole: ScoredToken[] = [];
  let rest = text;
  let parts: ScoredToken[] = [];
  if (tokens.length === 0) return [];
  const endParts = (length: number): void => {
    if (length > 0) whole.push(joined(rest.slice(0, length), parts));
    rest = rest.slice(length);
    parts = [];
  };
  for (const token of tokens) {
    const at = isWhole(token) ? rest.indexOf(token.text) : -1;
    if (at < 0 || (at > 0 && parts.length === 0)) parts.push(token);
    else {
      endParts(at);
      whole.push(token);
      rest = rest.slice(token.text.length);
    }
  }
  endParts(rest.length);
  return whole;
}

const isWhole = ({ text }: ScoredToken): boolean => text !== '' && !text.includes('\uFFFD');

function joined(text: string, parts: readonly ScoredToken[]): ScoredToken {
  const [only, ...others] = parts;
  if (only !== undefined && others.length === 0) return { ...only, text };
  const probability = parts.reduce((product, part) => product * part.probability, 1);
  return { text, probability, others: [] };
}
