/** The tensors of an AWQ or GPTQ checkpoint under the names of dense ones: `X.qweight`, `X.scales` and `X.qzeros` are `X.weight`. */
import { bfloat16ToFloat, elementCount, floatToHalf, halfToFloat } from '../../core/dtype.js';
import { AloftError } from '../../core/errors.js';
import type { HostTensor } from '../../core/tensor.js';
import { formatText, groupsOf, hasOrder } from '../../plan/weight-format.js';
import type { CodedTensor, TensorInfo, TensorSource } from '../checkpoint/checkpoint.js';
import type { GroupedQuantisation } from './quantisation-config.js';
import { COLUMN_ORDERS, unpackColumns, unpackRows } from './unpack.js';

const CODES = '.qweight';
const PARTS = /\.(qweight|qzeros|scales|g_idx)$/;

interface Sizes {
  readonly inCount: number;
  readonly outCount: number;
  /** Groups of inputs in the checkpoint. */
  readonly storedGroups: number;
}

export class QuantisedTensors implements TensorSource {
  readonly names: readonly string[];
  readonly #inner: TensorSource;
  readonly #quantisation: GroupedQuantisation;
  /** By the name of the module. */
  readonly #sizes: ReadonlyMap<string, Sizes>;
  /** The module that was read last: ranks and the parts of a joined weight ask for it again. */
  #last: { readonly module: string; readonly coded: CodedTensor } | undefined;

  /** Disposes `inner` with itself. @throws {AloftError} TENSOR_MISSING, TENSOR_MISMATCH, UNSUPPORTED */
  constructor(inner: TensorSource, quantisation: GroupedQuantisation) {
    this.#inner = inner;
    this.#quantisation = quantisation;
    const modules = inner.names
      .filter((name) => name.endsWith(CODES))
      .map((name) => name.slice(0, -CODES.length));
    this.#sizes = new Map(modules.map((module) => [module, this.#sizesOf(module)]));
    const isPart = (name: string): boolean => PARTS.test(name) && this.#sizes.has(name.replace(PARTS, ''));
    this.names = inner.names.flatMap((name) => {
      if (!isPart(name)) return [name];
      return name.endsWith(CODES) ? [`${name.slice(0, -CODES.length)}.weight`] : [];
    });
  }

  info(name: string): TensorInfo | undefined {
    const module = this.#moduleOf(name);
    if (module === undefined) return this.#inner.info(name);
    const { outCount, inCount } = this.#sizes.get(module)!;
    const { format } = this.#quantisation;
    const { file } = this.#inner.info(module + CODES)!;
    return { file, shape: [outCount, inCount], dtype: 'f32', dtypeName: formatText(format), format };
  }

  read(name: string): HostTensor {
    if (this.#moduleOf(name) === undefined) return this.#inner.read(name);
    const { codes, scales, zeros, order } = this.readCodes(name);
    const [rows, columns] = [codes.shape[0]!, codes.shape[1]!];
    const groups = scales.shape[1]!;
    const [signed, bits] = [signedBytes(codes), halfBits(scales)];
    const inputs = order === null ? undefined : wordsOf(order);
    const values = new Float32Array(rows * columns);
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        const group = row * groups + Math.floor(column / this.#quantisation.format.group!);
        const code = signed[row * columns + column]! - (zeros?.bytes[group] ?? 0);
        values[row * columns + (inputs?.[column] ?? column)] = code * halfToFloat(bits[group]!);
      }
    }
    return { dtype: 'f32', shape: codes.shape, bytes: new Uint8Array(values.buffer) };
  }

  readCodes(name: string): CodedTensor {
    const module = this.#moduleOf(name)!;
    if (this.#last?.module !== module) this.#last = { module, coded: this.#unpacked(module) };
    return this.#last.coded;
  }

  #unpacked(module: string): CodedTensor {
    const sizes = this.#sizes.get(module)!;
    const { format } = this.#quantisation;
    const shape = [sizes.outCount, groupsOf(format, sizes.inCount)];
    const order = this.#order(module, sizes);
    const codes = inOrder(this.#codes(module, sizes), order);
    const count = elementCount(shape);
    const zeros = this.#spread(this.#zeros(module, sizes), new Uint8Array(count), sizes);
    const scales = this.#spread(this.#scales(module, sizes), new Uint16Array(count), sizes);
    if (!format.hasZeros) {
      if (zeros.some((zero) => zero !== SYMMETRIC_ZERO))
        throw mismatch(
          `${module}.qzeros has other zeros than ${SYMMETRIC_ZERO}, although 'sym' of the quantization_config is not false. Set it to false`,
        );
      for (const [i, code] of codes.entries()) codes[i] = code - SYMMETRIC_ZERO;
    }
    return {
      codes: { dtype: 'i8', shape: [sizes.outCount, sizes.inCount], bytes: codes },
      scales: { dtype: 'f16', shape, bytes: new Uint8Array(scales.buffer) },
      zeros: format.hasZeros ? { dtype: 'u8', shape, bytes: zeros } : null,
      order: order && { dtype: 'i32', shape: [sizes.inCount], bytes: new Uint8Array(order.buffer) },
    };
  }

  lostPages(): number {
    return this.#inner.lostPages?.() ?? 0;
  }

  dispose(): void {
    this.#inner.dispose();
  }

  #moduleOf(name: string): string | undefined {
    const module = name.replace(/\.weight$/, '');
    return name !== module && this.#sizes.has(module) ? module : undefined;
  }

  /** Sizes of a module, after a check of its tensors against each other. */
  #sizesOf(module: string): Sizes {
    const { method, storedGroup } = this.#quantisation;
    const [rows, columns] = this.#shapeOf(module + CODES, ['i32']);
    const [inCount, outCount] = method === 'gptq' ? [rows * 8, columns] : [rows, columns * 8];
    const storedGroups = storedGroup === null ? 1 : Math.ceil(inCount / storedGroup);
    for (const [suffix, dtypes, wanted] of [
      ['.qzeros', ['i32'], outCount / 8],
      ['.scales', ['f16', 'bf16'], outCount],
    ] as const) {
      const found = this.#shapeOf(module + suffix, dtypes);
      if (found[0] !== storedGroups || found[1] !== wanted)
        throw mismatch(
          `${module}${suffix} has the shape [${found.join(', ')}], but ${inCount} inputs in groups of ${storedGroup ?? inCount} and ${outCount} outputs ask for [${storedGroups}, ${wanted}]. Correct the quantization_config`,
        );
    }
    this.#checkOrder(module, inCount);
    return { inCount, outCount, storedGroups };
  }

  #shapeOf(name: string, dtypes: readonly string[]): readonly [number, number] {
    const info = this.#inner.info(name);
    if (info === undefined) throw missing(name);
    if (info.shape.length !== 2 || info.dtype === undefined || !dtypes.includes(info.dtype))
      throw mismatch(
        `${info.file}: tensor '${name}' is ${info.dtypeName} [${info.shape.join(', ')}], but a matrix of ${dtypes.join(' or ')} is needed. Convert the checkpoint`,
      );
    return [info.shape[0]!, info.shape[1]!];
  }

  /** Groups must lie in the order of inputs unless the format has an order, and must be whole: g_idx[i] is the group of input i. */
  #checkOrder(module: string, inCount: number): void {
    const { format, storedGroup } = this.#quantisation;
    const name = `${module}.g_idx`;
    if (storedGroup === null) return;
    if (this.#inner.info(name) === undefined) {
      if (hasOrder(format)) throw missing(name);
      return;
    }
    const groups = wordsOf(this.#inner.read(name));
    const found = hasOrder(format) ? groups.toSorted() : groups;
    if (found.length === inCount && found.every((group, i) => group === Math.floor(i / storedGroup))) return;
    throw new AloftError(
      'UNSUPPORTED',
      hasOrder(format)
        ? `${name} does not have ${storedGroup} inputs in each group, as 'group_size' says. Correct the quantization_config.`
        : `${name} groups inputs in another order than theirs, but 'desc_act' of the quantization_config is not true. Correct it.`,
    );
  }

  /** Inputs by their groups; null where they lie so. */
  #order(module: string, { inCount }: Sizes): Int32Array | null {
    if (!hasOrder(this.#quantisation.format)) return null;
    const groups = wordsOf(this.#inner.read(`${module}.g_idx`));
    const inputs = Int32Array.from({ length: inCount }, (_, i) => i);
    return inputs.toSorted((a, b) => groups[a]! - groups[b]! || a - b);
  }

  /** [out, in] in [0, 15]. */
  #codes(module: string, { inCount, outCount }: Sizes): Uint8Array {
    const words = wordsOf(this.#inner.read(module + CODES));
    const codes = new Uint8Array(inCount * outCount);
    if (this.#quantisation.method === 'gptq') unpackRows(words, outCount, codes);
    else unpackColumns(words, inCount, COLUMN_ORDERS.awq, codes);
    return codes;
  }

  /** [out, stored groups]. A zero of 0 was written as 15 by GPTQ's first format, which stores one less in four bits. */
  #zeros(module: string, { outCount, storedGroups }: Sizes): Uint8Array {
    const { method, zeroOffset } = this.#quantisation;
    const zeros = new Uint8Array(outCount * storedGroups);
    const words = wordsOf(this.#inner.read(`${module}.qzeros`));
    unpackColumns(words, storedGroups, COLUMN_ORDERS[method], zeros);
    return zeros.map((zero) => (zero + zeroOffset) & 15);
  }

  /** [out, stored groups] as bits of f16. */
  #scales(module: string, { outCount, storedGroups }: Sizes): Uint16Array {
    const name = `${module}.scales`;
    const tensor = this.#inner.read(name);
    const stored = halfBits(tensor);
    const bits = new Uint16Array(stored.length);
    for (let group = 0; group < storedGroups; group++) {
      for (let o = 0; o < outCount; o++) {
        const value = stored[group * outCount + o]!;
        const half = tensor.dtype === 'f16' ? value : floatToHalf(bfloat16ToFloat(value));
        const isKept = tensor.dtype === 'f16' || halfToFloat(half) === bfloat16ToFloat(value);
        if (!isKept || (half & 0x7c00) === 0x7c00)
          throw mismatch(
            `${name} has a scale that float16 cannot hold. Use the float16 or bfloat16 checkpoint`,
          );
        bits[o * storedGroups + group] = half;
      }
    }
    return bits;
  }

  /** [out, stored groups] to [out, groups] of the format, each of which lies in one of the checkpoint's. */
  #spread<T extends Uint8Array | Uint16Array>(stored: T, spread: T, { outCount, storedGroups }: Sizes): T {
    const { format, storedGroup } = this.#quantisation;
    const count = spread.length / outCount;
    for (let group = 0; group < count; group++) {
      const from = storedGroup === null ? 0 : Math.floor((group * format.group!) / storedGroup);
      for (let o = 0; o < outCount; o++) spread[o * count + group] = stored[o * storedGroups + from]!;
    }
    return spread;
  }
}

/** Columns of codes [rows, columns] in another order. */
function inOrder(codes: Uint8Array, order: Int32Array | null): Uint8Array {
  if (order === null) return codes;
  const ordered = new Uint8Array(codes.length);
  for (let at = 0; at < codes.length; at += order.length)
    for (const [i, input] of order.entries()) ordered[at + i] = codes[at + input]!;
  return ordered;
}

/** Zero of symmetric codes, which are stored without a sign. */
const SYMMETRIC_ZERO = 8;

const missing = (name: string): AloftError =>
  new AloftError(
    'TENSOR_MISSING',
    `The checkpoint has quantised weights without their tensor '${name}'. Download it again.`,
  );

const mismatch = (fault: string): AloftError => new AloftError('TENSOR_MISMATCH', `${fault}.`);

/** Bytes where typed arrays can lie: a file promises no alignment. */
const aligned = (bytes: Uint8Array): Uint8Array => (bytes.byteOffset % 4 === 0 ? bytes : bytes.slice());

function wordsOf(tensor: HostTensor): Uint32Array {
  const { buffer, byteOffset, byteLength } = aligned(tensor.bytes);
  return new Uint32Array(buffer, byteOffset, byteLength / 4);
}

function halfBits(tensor: HostTensor): Uint16Array {
  const { buffer, byteOffset, byteLength } = aligned(tensor.bytes);
  return new Uint16Array(buffer, byteOffset, byteLength / 2);
}

const signedBytes = ({ bytes }: HostTensor): Int8Array =>
  new Int8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
