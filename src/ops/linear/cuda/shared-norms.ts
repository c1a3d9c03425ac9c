/** Sizes of norms that the linear layers before and after them do, see ring-norms.cuh. Pure. */
import { MIN_X_MAP_ROWS } from './row-classes.js';

/** Columns of a sum of squares, and sums that a thread loads at once. */
const SQUARES_COLUMNS = 16;
const SUMS_OF_LOAD = 4;

/** Whether layers can do a norm of so many columns: a row has whole loads of sums. */
export const canShareNorm = (columns: number): boolean => columns % (SQUARES_COLUMNS * SUMS_OF_LOAD) === 0;

/** Bytes of the sums of all rows that such layers take. */
export const squaresBytes = (columns: number): number =>
  MIN_X_MAP_ROWS * Math.ceil(columns / SQUARES_COLUMNS) * Float32Array.BYTES_PER_ELEMENT;
