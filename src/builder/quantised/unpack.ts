/**
 * Arrangements of 4-bit numbers in 32-bit words, eight a word, and the tensors that checkpoints hold along inputs by rows, which
 * engines hold along outputs.
 */

/** Column of each 4-bit number of a word, from its lowest bits. AWQ interleaves them for its kernel; GPTQ does not. */
export const COLUMN_ORDERS = { gptq: [0, 1, 2, 3, 4, 5, 6, 7], awq: [0, 2, 4, 6, 1, 3, 5, 7] } as const;

/** Columns that are taken at a time, so that the rows that they become stay in a cache. */
const BLOCK = 64;

/** Words [rows, columns / 8] of eight columns each -> [columns, rows]. */
export function unpackColumns(
  words: Uint32Array,
  rows: number,
  order: readonly number[],
  out: Uint8Array,
): void {
  const across = words.length / rows;
  for (let block = 0; block < across; block += BLOCK / 8) {
    const end = Math.min(across, block + BLOCK / 8);
    for (let row = 0; row < rows; row++) {
      for (let column = block; column < end; column++) {
        const word = words[row * across + column]!;
        for (let i = 0; i < 8; i++) out[(column * 8 + order[i]!) * rows + row] = (word >>> (4 * i)) & 15;
      }
    }
  }
}

/** Words [rows / 8, columns] of eight rows each -> [columns, rows]. */
export function unpackRows(words: Uint32Array, columns: number, out: Uint8Array): void {
  const down = words.length / columns;
  for (let block = 0; block < columns; block += BLOCK) {
    const end = Math.min(columns, block + BLOCK);
    for (let row = 0; row < down; row++) {
      for (let column = block; column < end; column++) {
        const word = words[row * columns + column]!;
        const at = (column * down + row) * 8;
        for (let i = 0; i < 8; i++) out[at + i] = (word >>> (4 * i)) & 15;
      }
    }
  }
}
