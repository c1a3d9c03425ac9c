/** Matrices that kernels read through tensor maps, as data: op folders describe them, the CUDA device encodes them. */
import type { CudaDtype } from './dtype.js';

/** A row-major [rows, columns] matrix of activations or bytes in device memory, to be copied in boxes of 128 bytes a row. */
interface MappedMatrix {
  readonly address: number;
  readonly rows: number;
  /** Rows start at multiples of 16 bytes. */
  readonly columns: number;
  readonly boxRows: number;
  /** Boxes beside each other that one copy brings, one after the other: rows are whole boxes then. One if undefined. */
  readonly boxCount?: number;
  readonly dtype: CudaDtype | 'i8';
}

/** Tiles of weights that one copy brings. */
export interface TileBox {
  /** Along columns. */
  readonly across: number;
  /** Along rows. */
  readonly down: number;
}

/** Tiles of quantised weights, [down, across], to be copied in boxes of some of both; tiles outside are zeros. */
interface MappedTiles {
  readonly address: number;
  readonly down: number;
  readonly across: number;
  readonly tileBytes: number;
  readonly box: TileBox;
}

export type Mapped = MappedMatrix | MappedTiles;
