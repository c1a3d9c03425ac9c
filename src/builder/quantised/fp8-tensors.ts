/** The tensors of an FP8 checkpoint under the names of dense ones: `X.weight` in E4M3 and `X.weight_scale` are `X.weight`. */
import { e4m3ToFloat } from '../../core/dtype.js';
import { AloftError } from '../../core/errors.js';
import type { HostTensor } from '../../core/tensor.js';
import { FP8_PER_CHANNEL, formatText } from '../../plan/weight-format.js';
import type { CodedTensor, TensorInfo, TensorSource } from '../checkpoint/checkpoint.js';
import { floatValues } from '../float-values.js';

const WEIGHT = '.weight';
const SCALE = '.weight_scale';
const SCALE_DTYPES: readonly (string | undefined)[] = ['f32', 'f16', 'bf16'];
const NOT_A_NUMBER = 0x7f;
const NUMBERS = Float32Array.from({ length: 256 }, (_, code) => e4m3ToFloat(code));

export class Fp8Tensors implements TensorSource {
  readonly names: readonly string[];
  readonly #inner: TensorSource;
  /** Names of weights in E4M3. */
  readonly #weights: ReadonlySet<string>;

  /** Disposes `inner` with itself. @throws {AloftError} TENSOR_MISSING, TENSOR_MISMATCH */
  constructor(inner: TensorSource) {
    this.#inner = inner;
    const isFp8 = (name: string): boolean => name.endsWith(WEIGHT) && inner.info(name)?.dtype === 'f8e4m3';
    this.#weights = new Set(inner.names.filter(isFp8));
    const scales = new Set(Array.from(this.#weights, scaleOf));
    for (const name of this.#weights) this.#check(name);
    this.names = inner.names.filter((name) => !scales.has(name));
  }

  info(name: string): TensorInfo | undefined {
    const info = this.#inner.info(name);
    if (info === undefined || !this.#weights.has(name)) return info;
    const { file, shape } = info;
    return { file, shape, dtype: 'f32', dtypeName: formatText(FP8_PER_CHANNEL), format: FP8_PER_CHANNEL };
  }

  read(name: string): HostTensor {
    if (!this.#weights.has(name)) return this.#inner.read(name);
    const { codes, scales } = this.readCodes(name);
    const [rows, columns] = [codes.shape[0]!, codes.shape[1]!];
    const scaleOfRow = floatValues(scales);
    const values = new Float32Array(rows * columns);
    for (let row = 0; row < rows; row++) {
      const scale = scaleOfRow[row]!;
      const end = (row + 1) * columns;
      for (let at = row * columns; at < end; at++) values[at] = NUMBERS[codes.bytes[at]!]! * scale;
    }
    return { dtype: 'f32', shape: codes.shape, bytes: new Uint8Array(values.buffer) };
  }

  readCodes(name: string): CodedTensor {
    const scale = scaleOf(name);
    const stored = floatValues(this.#inner.read(scale));
    if (!stored.every(Number.isFinite)) throw corrupt(scale, 'scales that are infinite or not numbers');
    const codes = this.#inner.read(name);
    if (hasNotANumber(codes.bytes)) throw corrupt(name, 'values that are not numbers');
    const rows = codes.shape[0]!;
    const scales = stored.length === rows ? stored : new Float32Array(rows).fill(stored[0]!);
    return {
      codes,
      scales: { dtype: 'f32', shape: [rows, 1], bytes: new Uint8Array(scales.buffer) },
      zeros: null,
      order: null,
    };
  }

  lostPages(): number {
    return this.#inner.lostPages?.() ?? 0;
  }

  dispose(): void {
    this.#inner.dispose();
  }

  #check(name: string): void {
    const { file, shape } = this.#inner.info(name)!;
    const scale = this.#inner.info(scaleOf(name));
    if (scale === undefined)
      throw new AloftError(
        'TENSOR_MISSING',
        `${file}: tensor '${name}' is FP8, but the checkpoint has no '${scaleOf(name)}'${this.#inner.info(`${name}_scale_inv`) === undefined ? '. Download it again.' : ': it has scales of blocks, which are not supported. Use a checkpoint with a scale for each tensor or channel.'}`,
      );
    const count = scale.shape.reduce((product, size) => product * size, 1);
    const isFit = shape.length === 2 && (count === 1 || (count === shape[0] && scale.shape[0] === count));
    if (!isFit || !SCALE_DTYPES.includes(scale.dtype))
      throw new AloftError(
        'TENSOR_MISMATCH',
        `${scale.file}: tensor '${scaleOf(name)}' is ${scale.dtypeName} [${scale.shape.join(', ')}], but '${name}' [${shape.join(', ')}] needs one float, or one for each row. Use a checkpoint with a scale for each tensor or channel.`,
      );
  }
}

/** A plain loop: a call for each of billions of codes takes minutes. */
function hasNotANumber(codes: Uint8Array): boolean {
  for (let i = 0; i < codes.length; i++) if ((codes[i]! & NOT_A_NUMBER) === NOT_A_NUMBER) return true;
  return false;
}

const scaleOf = (name: string): string => name.slice(0, -WEIGHT.length) + SCALE;

const corrupt = (name: string, what: string): AloftError =>
  new AloftError('CHECKPOINT_CORRUPT', `Checkpoint tensor ${name} has ${what}; fetch the checkpoint again.`);
