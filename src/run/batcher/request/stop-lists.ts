/** Token sequences that end the output when they are generated. */
export class StopLists {
  readonly #lists: readonly (readonly number[])[];
  readonly #minTokens: number;

  /** @param minTokens a list that is complete with one of the first so many tokens ends nothing */
  constructor(lists: readonly (readonly number[])[], minTokens = 0) {
    this.#minTokens = minTokens;
    this.#lists = lists.filter((list) => list.length > 0);
  }

  get isEmpty(): boolean {
    return this.#lists.length === 0;
  }

  /** Length of the longest list with which `tokens[start, end)` ends; 0 when there is none. */
  matchedCount(tokens: Int32Array, start: number, end: number): number {
    let longest = 0;
    if (end - start <= this.#minTokens) return 0;
    for (const list of this.#lists)
      if (list.length > longest && endsWith(tokens, start, end, list, list.length)) longest = list.length;
    return longest;
  }

  /** Number of last tokens that may be the beginning of a list and must not be shown yet. */
  heldCount(tokens: Int32Array, start: number, end: number): number {
    let held = 0;
    for (const list of this.#lists)
      for (let count = held + 1; count < list.length; count++)
        if (endsWith(tokens, start, end, list, count)) held = count;
    return held;
  }
}

/** Returns true if `tokens[start, end)` ends with the first `count` tokens of `list`. */
function endsWith(
  tokens: Int32Array,
  start: number,
  end: number,
  list: readonly number[],
  count: number,
): boolean {
  if (end - start < count) return false;
  for (let i = 0; i < count; i++) if (tokens[end - count + i] !== list[i]) return false;
  return true;
}
