/** Launches of the small CUDA kernels, which move as many bytes as they must and no more. Pure. */
import { ceilDiv, f32, i32, pointer, type KernelArgument, type KernelLaunch } from './launch.js';

const UNIT = 'common';
const VECTOR = 8;
const THREADS = 256;
const WARP = 32;

function launch(kernel: string, grid: KernelLaunch['grid'], args: readonly KernelArgument[]): KernelLaunch {
  return { unit: UNIT, kernel, grid, blockThreads: THREADS, sharedBytes: 0, args };
}

export function embeddingLaunch(
  shape: { readonly tokens: number; readonly hidden: number },
  o: {
    readonly table: number;
    /** Of an int8 table, else 0. */
    readonly scale: number;
    readonly tokenIds: number;
    readonly tokenRows: number;
    readonly rowSlots: number;
    readonly lastTokens: number;
    readonly out: number;
  },
): KernelLaunch {
  const tables = o.scale === 0 ? [o.table] : [o.table, o.scale];
  const addresses = [...tables, o.tokenIds, o.tokenRows, o.rowSlots, o.lastTokens, o.out];
  const kernel = o.scale === 0 ? 'embedding' : 'embedding_int8';
  return launch(kernel, [shape.tokens, 1, 1], [...addresses.map(pointer), i32(shape.hidden)]);
}

export function rmsNormLaunch(
  rows: number,
  epsilon: number,
  o: { readonly x: number; readonly delta: number | null; readonly weight: number; readonly out: number },
): KernelLaunch {
  const inputs = o.delta === null ? [o.x] : [o.x, o.delta];
  return launch(
    o.delta === null ? 'rms_norm' : 'add_rms_norm',
    [rows, 1, 1],
    [...inputs.map(pointer), pointer(o.weight), f32(epsilon), pointer(o.out)],
  );
}

export function addLaunch(count: number, residual: number, delta: number): KernelLaunch {
  const vectors = ceilDiv(count, VECTOR);
  return launch('add', [ceilDiv(vectors, THREADS), 1, 1], [pointer(residual), pointer(delta), i32(vectors)]);
}

export function addBiasLaunch(rows: number, columns: number, out: number, bias: number): KernelLaunch {
  const blocks = ceilDiv(columns, THREADS * VECTOR);
  return launch('add_bias', [blocks, rows, 1], [pointer(out), pointer(bias), i32(columns)]);
}

export function swigluLaunch(rows: number, inter: number, gateUp: number, out: number): KernelLaunch {
  const blocks = ceilDiv(inter, THREADS * VECTOR);
  return launch('swiglu', [blocks, rows, 1], [pointer(gateUp), pointer(out), i32(inter)]);
}

export function gatherLaunch(
  count: number,
  columns: number,
  o: { readonly x: number; readonly rows: number; readonly out: number },
): KernelLaunch {
  return launch('gather', [count, 1, 1], [pointer(o.x), pointer(o.rows), pointer(o.out), i32(columns)]);
}

export interface RopeOperands {
  readonly qkv: number;
  readonly cache: number;
  readonly cosTable: number;
  readonly sinTable: number;
  readonly positions: number;
  readonly tokenRows: number;
  readonly rowOffsets: number;
  readonly blockTables: number;
}

export function ropeAppendLaunch(
  shape: {
    readonly tokens: number;
    readonly headCount: number;
    readonly kvHeadCount: number;
    readonly headDim: number;
    readonly blockStride: number;
    readonly isQuantised: boolean;
    readonly maxBlocks: number;
  },
  o: RopeOperands,
): KernelLaunch {
  // A warp a head where a scale of the whole vector is wanted.
  const headThreads = shape.isQuantised ? WARP : shape.headDim / 2 / VECTOR;
  const threads = (shape.headCount + 2 * shape.kvHeadCount) * headThreads;
  const addresses = [
    o.qkv,
    o.cache,
    o.cosTable,
    o.sinTable,
    o.positions,
    o.tokenRows,
    o.rowOffsets,
    o.blockTables,
  ];
  return launch(
    'rope_append',
    [ceilDiv(threads, THREADS), shape.tokens, 1],
    [
      ...addresses.map(pointer),
      pointer(shape.blockStride),
      ...[shape.headCount, shape.kvHeadCount, shape.maxBlocks].map(i32),
    ],
  );
}
