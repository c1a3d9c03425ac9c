/** Which numbers of rows share a configuration of a linear layer. Pure. */

/** Products by cuBLASLt of more than these rows are rounded up to a multiple, so that it plans a bounded number of shapes. */
export const MATMUL_ROW_STEP = 64;

/**
 * Row counts that stand for all below, down to the next; the last stands for all above, too. Those after the first four are
 * multiples of {@link MATMUL_ROW_STEP}. An engine holds the kernels of every class, so it has one for any number of rows.
 */
export const ROW_CLASSES: readonly number[] = [
  8, 16, 32, 64, 128, 192, 256, 384, 512, 768, 1024, 2048, 4096, 8192, 16384,
];
const LARGEST = ROW_CLASSES.at(-1)!;

/** The class of a number of rows. */
export const rowClass = (rows: number): number => ROW_CLASSES.find((most) => rows <= most) ?? LARGEST;

/** `<=64`, or `>8192` of the last class. */
export function rowClassName(rows: number): string {
  const most = rowClass(rows);
  return most === LARGEST ? `>${ROW_CLASSES.at(-2)!}` : `<=${most}`;
}

/** Rows that a tensor map of x has at least: those of the largest box of few rows. */
export const MIN_X_MAP_ROWS = 64;
