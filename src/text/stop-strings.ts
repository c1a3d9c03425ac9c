/** Finds stop strings in streamed text, wherever token boundaries fall. */

export interface StopMatch {
  /** Text that may be shown now. */
  readonly text: string;
  /** The stop string that was found; the output ends here. */
  readonly stop: string | undefined;
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

  /** @param stops none of them empty. */
  constructor(stops: readonly string[], includeStop: boolean) {
    this.#stops = stops;
    this.#includeStop = includeStop;
  }

  /** Text that is certain after this piece. After a match, push nothing more. */
  push(piece: string): StopMatch {
    if (this.#stops.length === 0) return { text: piece, stop: undefined };
    const text = this.#held + piece;
    const found = this.#find(text);
    if (found) {
      this.#held = '';
      return { text: text.slice(0, this.#includeStop ? found.end : found.start), stop: found.stop };
    }
    const heldLength = this.#partialMatchLength(text);
    this.#held = text.slice(text.length - heldLength);
    return { text: text.slice(0, text.length - heldLength), stop: undefined };
  }

  /** The text ended without a match: what was held back. */
  end(): string {
    const held = this.#held;
    this.#held = '';
    return held;
  }

  #find(text: string): { stop: string; start: number; end: number } | undefined {
    let best: { stop: string; start: number; end: number } | undefined;
    for (const stop of this.#stops) {
      const start = text.indexOf(stop);
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
