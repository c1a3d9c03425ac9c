/** Finds stop strings in streamed text, wherever token boundaries fall. */

export interface StopMatch {
  /** Text that may be shown now. */
  readonly text: string;
  /** The stop string that was found; the output ends here. */
  readonly stop: string | undefined;
}

export interface PieceKind {
  /** True for text that is looked at and not shown: a control token that a stop string names. */
  readonly isHidden?: boolean;
  /** False for text that no stop string ends: the output must have more tokens first. */
  readonly mayStop?: boolean;
}

/** A range of the held text. */
interface Span {
  readonly start: number;
  readonly end: number;
}

/**
 * Passes text through until the first stop string is complete, and holds back an end that may become one.
 * The match that is complete first wins; of several complete at the same character, the longest. So the result does not
 * depend on how the text is cut into pieces.
 */
export class StopStrings {
  readonly #stops: readonly string[];
  readonly #includeStop: boolean;
  #held = '';
  /** Parts of the held text that are not shown. */
  #hidden: readonly Span[] = [];

  /** @param stops none of them empty. */
  constructor(stops: readonly string[], includeStop: boolean) {
    this.#stops = stops;
    this.#includeStop = includeStop;
  }

  /** Text that is certain after this piece. After a match, push nothing more. */
  push(piece: string, { isHidden = false, mayStop = true }: PieceKind = {}): StopMatch {
    if (this.#stops.length === 0) return { text: isHidden ? '' : piece, stop: undefined };
    const oldLength = this.#held.length;
    const text = this.#held + piece;
    const hidden = isHidden ? [...this.#hidden, { start: oldLength, end: text.length }] : this.#hidden;
    const found = mayStop ? this.#find(text, oldLength) : undefined;
    if (found) {
      this.#keep('', []);
      const before = visible(text.slice(0, found.start), hidden);
      return { text: before + (this.#includeStop ? found.stop : ''), stop: found.stop };
    }
    const certain = text.length - this.#partialMatchLength(text);
    const rest = hidden.map(({ start, end }) => ({
      start: Math.max(0, start - certain),
      end: end - certain,
    }));
    this.#keep(
      text.slice(certain),
      rest.filter(({ end }) => end > 0),
    );
    return { text: visible(text.slice(0, certain), hidden), stop: undefined };
  }

  /** The text ended without a match: what was held back. */
  end(): string {
    const held = visible(this.#held, this.#hidden);
    this.#keep('', []);
    return held;
  }

  #keep(held: string, hidden: readonly Span[]): void {
    this.#held = held;
    this.#hidden = hidden;
  }

  /** @param oldLength a stop string that was complete within so much text before was none */
  #find(text: string, oldLength: number): { stop: string; start: number; end: number } | undefined {
    let best: { stop: string; start: number; end: number } | undefined;
    for (const stop of this.#stops) {
      const start = text.indexOf(stop, Math.max(0, oldLength - stop.length + 1));
      if (start < 0) continue;
      const end = start + stop.length;
      if (!best || end < best.end || (end === best.end && start < best.start)) best = { stop, start, end };
    }
    return best;
  }

  /** Length of the longest end of `text` that begins a stop string. */
  #partialMatchLength(text: string): number {
    let longest = 0;
    for (const stop of this.#stops) {
      for (let length = Math.min(stop.length - 1, text.length); length > longest; length--)
        if (text.endsWith(stop.slice(0, length))) longest = length;
    }
    return longest;
  }
}

/** The text without its hidden parts, which are in ascending order. */
function visible(text: string, hidden: readonly Span[]): string {
  let shown = '';
  let rest = 0;
  for (const { start, end } of hidden) {
    shown += text.slice(rest, Math.max(rest, start));
    rest = Math.max(rest, end);
  }
  return shown + text.slice(rest);
}
