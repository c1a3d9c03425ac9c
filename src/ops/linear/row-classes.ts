/** Which numbers of rows share a configuration of a linear layer. Pure. */

/** Products by cuBLASLt of more than these rows are rounded up to a multiple, so that it plans a bounded number of shapes. */
export const MATMUL_ROW_STEP = 64;

/** Row counts that stand for all below, down to the next; those above the first four are multiples of {@link MATMUL_ROW_STEP}. */
export const ROW_CLASSES: readonly number[] = [
  8, 16, 32, 64, 128, 192, 256, 384, 512, 768, 1024, 2048, 4096, 8192,
];

/** The class of a number of rows; more rows than classes have are a class by themselves. */
export const rowClass = (rows: number): number => ROW_CLASSES.find((most) => rows <= most) ?? rows;

/** Rows of the boxes in which kernels read x: tokens of their tiles. */
export const BOX_ROW_COUNTS: readonly number[] = [8, 16, 32, 64, 96, 128, 192];
