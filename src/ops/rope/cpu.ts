import { addressOf } from '../../ffi/memory.js';
import type { NativeLibrary } from '../../ffi/library.js';
import type { RotationTable } from './rotation.js';

/**
 * Rotates q and k of qkv in place and appends k and v to one layer of the KV cache; by address.
 * step: StepView, layout: KvLayout, layer: the layer's keys in block 0; qkv [tokens, (headCount + 2 kvHeads) * headDim] f32;
 * rotations: RowRotations.
 */
export type RopeAppendKernel = (
  pool: number,
  step: number,
  layout: number,
  layer: number,
  qkv: number,
  headCount: number,
  rotations: number,
) => void;

export function bindRopeAppend(library: NativeLibrary): RopeAppendKernel {
  return library.bind(
    'void aloft_rope_append(uint64_t pool, uint64_t step, uint64_t layout, uint64_t layer, uint64_t qkv, int64_t heads, uint64_t rotations)',
  );
}

/** Which rotation table each row of a step uses, as the kernel reads it: [rows, 2] addresses of cosines and sines. */
export class RowRotations {
  readonly address: number;
  readonly #addresses: BigInt64Array;
  /** Keeps tables alive while their addresses are in use. */
  readonly #tables: RotationTable[];

  constructor(maxRows: number, table: RotationTable) {
    this.#addresses = new BigInt64Array(2 * maxRows);
    this.address = addressOf(this.#addresses);
    this.#tables = [];
    for (let row = 0; row < maxRows; row++) this.set(row, table);
  }

  set(row: number, table: RotationTable): void {
    if (this.#tables[row] === table) return;
    this.#tables[row] = table;
    this.#addresses[2 * row] = BigInt(addressOf(table.cos));
    this.#addresses[2 * row + 1] = BigInt(addressOf(table.sin));
  }
}
