/** How a CUDA device wants weights: dense in 16 bits, row-major; int8 in tiles that are matrix operands as they lie. */
import { floatToBfloat16, floatToHalf, bfloat16ToFloat, halfToFloat } from '../../core/dtype.js';
import { AloftError } from '../../core/errors.js';
import type { HostTensor } from '../../core/tensor.js';
import { ceilDiv } from '../../ops/cuda/launch.js';
import type { PlanWeight, WeightName } from '../../plan/plan.js';
import type { PackReport, PackedTensorSpec, WeightLayout, WeightUse } from '../weight-layout.js';

export const cudaWeightLayout: WeightLayout = { device: 'cuda', version: 1, specs, pack };

const TILE_ROWS = 16;
const TILE_COLUMNS = 64;
const TILE_BYTES = TILE_ROWS * TILE_COLUMNS;
const INT8_MAX = 127;
/** Stored weights are value + 128, so that they are unsigned. */
const INT8_OFFSET = 128;

function specs(name: WeightName, { shape, format }: PlanWeight, use: WeightUse): readonly PackedTensorSpec[] {
  const [rows, columns] = [shape[0]!, shape[1] ?? 1];
  if (format.type === 'dense') return [{ name, dtype: denseDtype(name, format.dtype), shape }];
  const scale: PackedTensorSpec = { name: `${name}.scale`, dtype: 'f32', shape: [rows] };
  if (use === 'table') return [{ name, dtype: 'i8', shape }, scale];
  const tiles = [ceilDiv(rows, TILE_ROWS), ceilDiv(columns, TILE_COLUMNS), TILE_BYTES];
  return [{ name, dtype: 'u8', shape: tiles }, scale];
}

function denseDtype(name: string, dtype: 'f32' | 'f16' | 'bf16'): 'f16' | 'bf16' {
  if (dtype === 'f32')
    throw new AloftError(
      'UNSUPPORTED',
      `CUDA engines compute in 16 bits, and the weight ${name} is float32; build with --dtype float16 or bfloat16.`,
    );
  return dtype;
}

function pack(
  source: HostTensor,
  weight: PlanWeight,
  use: WeightUse,
  targets: readonly Uint8Array[],
): PackReport {
  const { format } = weight;
  if (format.type === 'dense') {
    packDense(source, denseDtype('', format.dtype), targets[0]!);
    return { squaredError: 0, squaredSum: 0 };
  }
  return packInt8(source, weight, use, targets);
}

/** Element `index` of a tensor as a number. */
function reader(source: HostTensor): (index: number) => number {
  const { buffer, byteOffset, byteLength } = source.bytes;
  switch (source.dtype) {
    case 'f32': {
      const values = new Float32Array(buffer, byteOffset, byteLength / 4);
      return (index) => values[index]!;
    }
    case 'f16': {
      const values = new Uint16Array(buffer, byteOffset, byteLength / 2);
      return (index) => halfToFloat(values[index]!);
    }
    case 'bf16': {
      const values = new Uint16Array(buffer, byteOffset, byteLength / 2);
      return (index) => bfloat16ToFloat(values[index]!);
    }
    default:
      throw new AloftError('TENSOR_MISMATCH', `Weights of type ${source.dtype} cannot be packed for CUDA.`);
  }
}

function packDense(source: HostTensor, dtype: 'f16' | 'bf16', target: Uint8Array): void {
  target.fill(0);
  if (source.dtype === dtype) {
    target.set(source.bytes);
    return;
  }
  const read = reader(source);
  const convert = dtype === 'f16' ? floatToHalf : floatToBfloat16;
  const out = new Uint16Array(target.buffer, target.byteOffset, target.byteLength / 2);
  const count = source.shape.reduce((product, dim) => product * dim, 1);
  for (let i = 0; i < count; i++) out[i] = convert(read(i));
}

/** Symmetric, per output channel: scale = largest magnitude / 127. */
function packInt8(
  source: HostTensor,
  { shape }: PlanWeight,
  use: WeightUse,
  [target, scaleBytes]: readonly Uint8Array[],
): PackReport {
  const read = reader(source);
  const columns = shape[1]!;
  const isTable = use === 'table';
  const scales = new Float32Array(scaleBytes!.buffer, scaleBytes!.byteOffset, shape[0]!).fill(0);
  target!.fill(isTable ? 0 : INT8_OFFSET);
  let [squaredError, squaredSum] = [0, 0];
  for (let row = 0; row < source.shape[0]!; row++) {
    let largest = 0;
    for (let column = 0; column < columns; column++)
      largest = Math.max(largest, Math.abs(read(row * columns + column)));
    const scale = Math.fround(largest / INT8_MAX);
    scales[row] = scale;
    for (let column = 0; column < columns; column++) {
      const value = read(row * columns + column);
      const quantised = scale === 0 ? 0 : Math.max(-INT8_MAX, Math.min(INT8_MAX, Math.round(value / scale)));
      squaredError += (value - quantised * scale) ** 2;
      squaredSum += value ** 2;
      if (isTable) target![row * columns + column] = quantised;
      else target![tileOffset(row, column, columns)] = quantised + INT8_OFFSET;
    }
  }
  return { squaredError, squaredSum };
}

/** Byte of an int8 weight: [row / 16][column / 64][rows 0-7, 8-15][lane = row % 8 * 4 + column % 64 / 16][column % 16]. */
export function tileOffset(row: number, column: number, columns: number): number {
  const tile =
    Math.floor(row / TILE_ROWS) * ceilDiv(columns, TILE_COLUMNS) + Math.floor(column / TILE_COLUMNS);
  const half = (row >> 3) & 1;
  const lane = (row & 7) * 4 + ((column & 63) >> 4);
  return tile * TILE_BYTES + half * (TILE_BYTES / 2) + lane * 16 + (column & 15);
}
