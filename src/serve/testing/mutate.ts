/** Malformed inputs: valid ones with a few changes, the same in every run. */

/** Numerical Recipes' generator: the same inputs in every run. */
export class Random {
  #state: number;
  constructor(seed: number) {
    this.#state = seed >>> 0;
  }
  below(limit: number): number {
    this.#state = (Math.imul(this.#state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((this.#state / 2 ** 32) * limit);
  }
}

/** Bytes changed, removed, repeated or cut off. */
export function mutate(bytes: Uint8Array, random: Random): Uint8Array {
  let changed = Buffer.from(bytes);
  for (let count = 1 + random.below(4); count > 0; count--) {
    const at = random.below(changed.length + 1);
    const end = Math.min(changed.length, at + random.below(12));
    const kind = random.below(5);
    if (kind === 0 && at < changed.length) changed[at] = random.below(256);
    else if (kind === 1) changed = Buffer.concat([changed.subarray(0, at), changed.subarray(end)]);
    else if (kind === 2) changed = Buffer.concat([changed.subarray(0, end), changed.subarray(at)]);
    else if (kind === 3) changed = changed.subarray(0, at);
    else
      changed = Buffer.concat([
        changed.subarray(0, at),
        Buffer.from(PIECES[random.below(PIECES.length)] ?? ''),
        changed.subarray(at),
      ]);
  }
  return changed;
}

const PIECES = [
  '{',
  '}',
  '[',
  ']',
  '"',
  '\\',
  '\u0000',
  '-1',
  '1e999',
  '99999999999999999999',
  'null',
  '__proto__',
  '${x}',
  '[[[[[[[[',
  '\n',
  ':',
  'é',
  '😀',
];
