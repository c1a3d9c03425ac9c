/** A linear layer with random numbers on a GPU, and how far its results are from the reference's. */
import { seededRandom } from '../../../../core/random.js';
import { type Matrix, rowOf } from '../../../matrix.js';
import { relativeError } from '../../../testing/compare.js';
import { linearReference, quantiseFp8Row, quantiseRow, restoreFp8 } from '../../reference.js';
import { inputCodesOf, type LinearConfig } from '../methods.js';
import { type CudaLinearProblem, outColumns } from '../problem.js';
import { MATMUL_ROW_STEP, MIN_X_MAP_ROWS } from '../row-classes.js';
import { storedWeights } from '../stored-weights.js';
import { codeColumns } from '../wide8.js';
import { launchLinear, type LinearMachine } from './linear-machine.js';
import { randomActivations, uploadLinearWeights } from './uploaded-weights.js';

/** Rows and columns of the result that are compared, spread over all of them: the reference is slow. */
const MAX_ROWS = 24;
const MAX_COLUMNS = 192;

export class LinearCase {
  readonly name: string;
  readonly #kernels: LinearMachine;
  readonly #problem: CudaLinearProblem;
  readonly #x: Matrix;
  readonly #weight: Matrix;
  readonly #bias: Float32Array;
  /** Addresses. */
  readonly #at: {
    readonly x: number;
    readonly weight: number;
    readonly scale: number;
    readonly bias: number;
    readonly inputCodes: number;
    readonly inputScale: number;
  };
  /** Rows and columns of the result that are compared, and what the reference computes there. */
  readonly #rows: readonly number[];
  readonly #columns: readonly number[];
  readonly #expected: Float32Array;
  /** The same from x in the bits that it may be rounded to. */
  readonly #expectedOfRounded: Float32Array;

  constructor(kernels: LinearMachine, problem: CudaLinearProblem) {
    const { m, n, k, epilogue } = problem;
    const random = seededRandom(m + n + k);
    this.name = `[${m}, ${k}] x [${n}, ${k}] ${epilogue}`;
    this.#kernels = kernels;
    this.#problem = problem;
    this.#x = randomActivations(kernels, m, k, random);
    this.#bias = randomActivations(kernels, 1, n, random).data;
    const x = kernels.reserve(2 * this.#xRows * k);
    kernels.write(x, this.#x.data);
    const bias = kernels.uploadActivations(this.#bias);
    const isRounded = problem.inputBits !== undefined;
    const inputCodes = isRounded ? kernels.reserve(this.#xRows * codeColumns(k)) : 0;
    const inputScale = isRounded ? kernels.reserve(4 * this.#xRows) : 0;
    const made = problem.inputIsRounded === true ? codesOf(this.#x, this.#xRows) : undefined;
    const input = {
      x,
      inputCodes: made === undefined ? inputCodes : kernels.upload(made.codes),
      inputScale: made === undefined ? inputScale : kernels.upload(made.scales),
    };
    const { values, weight, scale } = uploadLinearWeights(kernels, problem, random);
    this.#weight = values;
    this.#at = { ...input, weight, scale, bias };
    this.#rows = spread(m, MAX_ROWS);
    this.#columns = spread(outColumns(problem), MAX_COLUMNS);
    this.#expected = this.#reference(false);
    this.#expectedOfRounded = problem.inputBits === undefined ? this.#expected : this.#reference(true);
  }

  /** Largest difference from the reference, in units of the largest magnitude. */
  errorOf(config: LinearConfig): number {
    const { n, k, epilogue } = this.#problem;
    const columns = outColumns(this.#problem);
    const isFloat = epilogue === 'f32';
    // The matrix library computes whole steps of rows.
    const outRows = config.method === 'matmul' ? this.#xRows : this.#problem.m;
    const out = this.#kernels.reserve(outRows * columns * (isFloat ? 4 : 2));
    const denseCopy = config.method === 'matmul' ? this.#kernels.reserve(2 * n * k) : 0;
    const hasCodes = this.#problem.inputIsRounded ?? false;
    const operands = { ...this.#at, xRows: this.#xRows, hasCodes, out, denseCopy };
    launchLinear(this.#kernels, this.#problem, config, operands);
    const count = this.#problem.m * columns;
    const all = isFloat ? this.#kernels.floats(out, count) : this.#kernels.activations(out, count);
    const compared = this.#rows.flatMap((row) => this.#columns.map((column) => all[row * columns + column]!));
    const expected = inputCodesOf(config) === undefined ? this.#expected : this.#expectedOfRounded;
    return relativeError(Float32Array.from(compared), expected);
  }

  /** Rows that x has room for. */
  get #xRows(): number {
    const steps = Math.ceil(this.#problem.m / MATMUL_ROW_STEP);
    return Math.max(MIN_X_MAP_ROWS, steps * MATMUL_ROW_STEP);
  }

  /** [compared rows, compared columns] */
  #reference(isRounded: boolean): Float32Array {
    const { epilogue } = this.#problem;
    const columns = outColumns(this.#problem);
    const exact = pick(this.#x, this.#rows);
    const isFp8 = storedWeights(this.#problem.format).kind === 'fp8';
    const x = isRounded ? roundedRows(exact, isFp8 ? roundedToFp8 : roundedToInt8) : exact;
    const product = (outputs: readonly number[]): Float32Array =>
      linearReference(
        x,
        pick(this.#weight, outputs),
        Float32Array.from(outputs, (output) => this.#bias[output]!),
      ).data;
    if (epilogue !== 'swiglu') return product(this.#columns);
    const [gate, up] = [product(this.#columns), product(this.#columns.map((column) => columns + column))];
    return gate.map((value, i) => (value / (1 + Math.exp(-value))) * up[i]!);
  }
}

/** At most `most` of `count` indices, evenly spread, the first and the last among them. */
function spread(count: number, most: number): number[] {
  if (count <= most) return Array.from({ length: count }, (_, i) => i);
  return Array.from({ length: most }, (_, i) => Math.floor((i * (count - 1)) / (most - 1)));
}

function pick(matrix: Matrix, rows: readonly number[]): Matrix {
  const data = new Float32Array(rows.length * matrix.columnCount);
  for (const [i, row] of rows.entries()) data.set(rowOf(matrix, row), i * matrix.columnCount);
  return { rowCount: rows.length, columnCount: matrix.columnCount, data };
}

/** Rows as 8 bits and a scale for each hold them. */
function roundedRows(x: Matrix, rounded: (row: Float32Array) => Float32Array): Matrix {
  const data = new Float32Array(x.data.length);
  for (let row = 0; row < x.rowCount; row++) data.set(rounded(rowOf(x, row)), row * x.columnCount);
  return { ...x, data };
}

/** Rows in int8 as kernels read them, see row-codes.cuh: word t of 16 columns has 2t, 2t + 1, 2t + 8 and 2t + 9. */
function codesOf(
  { data, rowCount, columnCount }: Matrix,
  rows: number,
): { readonly codes: Int8Array; readonly scales: Float32Array } {
  const rowBytes = codeColumns(columnCount);
  const codes = new Int8Array(rows * rowBytes);
  const scales = new Float32Array(rows);
  for (let row = 0; row < rowCount; row++) {
    const { quantised, scale } = quantiseRow(data.subarray(row * columnCount, (row + 1) * columnCount));
    scales[row] = scale;
    for (const [column, code] of quantised.entries()) {
      const place = ((column % 8) >> 1) * 4 + (column % 16 >= 8 ? 2 : 0) + (column % 2);
      codes[row * rowBytes + column - (column % 16) + place] = code;
    }
  }
  return { codes, scales };
}

function roundedToInt8(row: Float32Array): Float32Array {
  const { quantised, scale } = quantiseRow(row);
  return Float32Array.from(quantised, (code) => code * scale);
}

const roundedToFp8 = (row: Float32Array): Float32Array => restoreFp8(quantiseFp8Row(row));
