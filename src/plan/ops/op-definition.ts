import type { PlanDims, SymbolicDim } from '../dims.js';
import type { BufferName, WeightName } from '../names.js';
import type { CostContext, OpCost } from './op-cost.js';

/** Shape [rows, columns] and type of what a buffer holds. */
export interface ValueShape {
  readonly rows: SymbolicDim;
  readonly columns: number;
  /** 'activation' is the plan's activationDtype on a 16-bit device and f32 on a CPU. */
  readonly dtype: 'activation' | 'f32';
}

/** Use that an op makes of a weight: as a table of rows, as a vector, as a matrix that multiplies, or as the matrices of several experts. */
export type WeightRole = 'table' | 'vector' | 'linear' | 'experts';

export type WeightReference = readonly [name: WeightName, role: WeightRole];

/** Use that an op makes of the paged cache of a layer. */
interface CacheUse {
  readonly layer: number;
  readonly access: 'append' | 'attend';
}

/**
 * Everything that the plan knows about one op kind. An op with a field `out` defines that buffer; an op without it works
 * in place. A weight that an op takes is a field too, so that passes can rewrite it.
 */
export interface OpDefinition<Op> {
  /** Buffers that the op reads, those that it changes in place included. */
  readonly reads: (op: Op) => readonly BufferName[];
  /** Weights that the op needs. Absent: none. */
  readonly weights?: (op: Op) => readonly WeightReference[];
  /** The layer whose cache the op touches. Absent: it touches no cache. */
  readonly cache?: (op: Op) => CacheUse;
  /** True if ranks exchange data in the op, so that only plans of several ranks may have it. */
  readonly isCollective?: true;
  /** Checks the operands and returns the shape of what the op defines. */
  readonly infer: (op: Op, at: InferContext) => DefinedShape<Op>;
  /** The op on one line, with the shapes of its operands. */
  readonly print: (op: Op, at: PrintContext) => string;
  /** Absent: the links between ranks bound the op, not the device. */
  readonly cost?: (op: Op, at: CostContext) => OpCost;
}

/** An op that defines a buffer has a shape for it, any other has none. */
type DefinedShape<Op> = Op extends { readonly out: BufferName } ? ValueShape : undefined;

/** Facts that shape inference knows when it comes to an op. */
export interface InferContext {
  readonly dims: PlanDims;
  readonly worldSize: number;
  /** Shape of a buffer that the op reads. */
  readonly buffer: (name: BufferName) => ValueShape;
  /** Shape of a weight after a check against `expected`, where null stands for any size. */
  readonly weight: (name: WeightName, expected: readonly (number | null)[]) => readonly number[];
  /** @throws {AloftError} INTERNAL that names the op */
  readonly fail: (why: string) => never;
}

/** Operands as text. */
export interface PrintContext {
  /** `name[rows, columns]` */
  readonly buffer: (name: BufferName) => string;
  /** `name[shape] format` */
  readonly weight: (name: WeightName) => string;
}

/** Fails unless a buffer has as many columns as the op needs. */
export function expectColumns(at: InferContext, name: BufferName, columns: number): void {
  const actual = at.buffer(name).columns;
  if (actual !== columns) at.fail(`buffer '${name}' has ${actual} columns, ${columns} are needed`);
}

/** Fails unless a buffer has the rows of all tokens of the step. */
export function expectTokenRows(at: InferContext, name: BufferName): void {
  if (at.buffer(name).rows !== 'tokens') at.fail(`buffer '${name}' must have one row per token`);
}
