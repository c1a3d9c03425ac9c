/**
 * Weight formats: how the numbers of a weight are stored. This module alone takes a format apart; everything else asks
 * it, or looks the element up in a table of its own (kernels, packers, costs).
 */

/** Element type of weights that are stored as they are. */
type DenseDtype = 'f32' | 'f16' | 'bf16';

/** Element type of weights that are stored as codes with scales: integers, or FP8 E4M3 numbers. */
export type QuantisedElement = 'int8' | 'int4' | 'fp8';

interface DenseFormat {
  readonly type: 'dense';
  readonly dtype: DenseDtype;
}

/**
 * value[o][i] = (code[o][i] - zero[o][g]) * scale[o][g] with g = floor(i / group); the last group of a row may be shorter.
 * Without zeros, zero is 0 and codes are in [-127, 127] (int8) or [-8, 7] (int4), or numbers of at most 448 (fp8). With zeros,
 * codes and zeros of int4 are in [0, 15]. Scales may be negative.
 */
export interface QuantisedFormat {
  readonly type: 'quantised';
  readonly element: QuantisedElement;
  /** Inputs that share a scale; null: one scale for a whole row (output channel). */
  readonly group: number | null;
  readonly hasZeros: boolean;
  readonly scaleDtype: 'f32' | 'f16';
  /** Whether codes lie in another order than inputs, so that inputs of a group need not be neighbours. Absent: no. */
  readonly hasOrder?: boolean;
}

export type WeightFormat = DenseFormat | QuantisedFormat;

/** Type of one stored number: what kernels and packers are chosen by. */
export type WeightElement = DenseDtype | QuantisedElement;

/** int8 with one f32 scale for each output channel, as TensorRT-LLM's `--use_weight_only`. */
export const INT8_PER_CHANNEL: QuantisedFormat = {
  type: 'quantised',
  element: 'int8',
  group: null,
  hasZeros: false,
  scaleDtype: 'f32',
};

/** FP8 E4M3 with one f32 scale for each output channel. */
export const FP8_PER_CHANNEL: QuantisedFormat = { ...INT8_PER_CHANNEL, element: 'fp8' };

/** int4 with an f16 scale for each group of inputs. */
export function int4Format(group: Int4Group, hasZeros: boolean, hasOrder = false): QuantisedFormat {
  const format = { type: 'quantised', element: 'int4', group, hasZeros, scaleDtype: 'f16' } as const;
  return hasOrder ? { ...format, hasOrder } : format;
}

/** Inputs of a group of int4: 128 is what AWQ and GPTQ use as a rule, 32 what GGUF does. */
export const INT4_GROUPS = [128, 64, 32] as const;
export type Int4Group = (typeof INT4_GROUPS)[number];

const QUANTISED = {
  int8: INT8_PER_CHANNEL,
  fp8: FP8_PER_CHANNEL,
  int4: int4Format(128, false),
  int4_g64: int4Format(64, false),
  int4_g32: int4Format(32, false),
  int4_zeros: int4Format(128, true),
  int4_g64_zeros: int4Format(64, true),
  int4_g32_zeros: int4Format(32, true),
};

export type FormatName = DenseDtype | keyof typeof QUANTISED;

/** Formats by the name that a user chooses them by. */
export const NAMED_FORMATS: Readonly<Record<FormatName, WeightFormat>> = {
  f32: { type: 'dense', dtype: 'f32' },
  f16: { type: 'dense', dtype: 'f16' },
  bf16: { type: 'dense', dtype: 'bf16' },
  ...QUANTISED,
};

/** The quantised ones of {@link NAMED_FORMATS}. */
export const QUANTISED_FORMATS: ReadonlyMap<string, QuantisedFormat> = new Map(Object.entries(QUANTISED));

const ELEMENT_BITS: Readonly<Record<WeightElement, number>> = {
  f32: 32,
  f16: 16,
  bf16: 16,
  int8: 8,
  int4: 4,
  fp8: 8,
};

/** Bytes that a [rows, columns] weight has at least: its numbers, and the scales and zeros of its groups. */
export function weightBytes(format: WeightFormat, rows: number, columns: number): number {
  const numbers = (rows * columns * ELEMENT_BITS[elementOf(format)]) / 8;
  if (format.type === 'dense') return numbers;
  const groups = rows * groupsOf(format, columns);
  const zeros = format.hasZeros ? (groups * ELEMENT_BITS[format.element]) / 8 : 0;
  const order = hasOrder(format) ? 4 * columns : 0;
  return numbers + (groups * ELEMENT_BITS[format.scaleDtype]) / 8 + zeros + order;
}

/** Groups of a row of `columns` inputs. */
export function groupsOf({ group }: QuantisedFormat, columns: number): number {
  return Math.ceil(columns / (group ?? columns));
}

/** Whether two formats store the same numbers in the same way. */
export function sameFormat(a: WeightFormat, b: WeightFormat): boolean {
  if (a.type === 'dense' || b.type === 'dense') return elementOf(a) === elementOf(b);
  return (
    a.element === b.element &&
    a.group === b.group &&
    a.hasZeros === b.hasZeros &&
    a.scaleDtype === b.scaleDtype &&
    hasOrder(a) === hasOrder(b)
  );
}

/** Whether codes lie in another order than inputs. */
export function hasOrder(format: WeightFormat): boolean {
  return format.type === 'quantised' && format.hasOrder === true;
}

export function isQuantised(format: WeightFormat): format is QuantisedFormat {
  return format.type === 'quantised';
}

export function elementOf(format: WeightFormat): WeightElement {
  return format.type === 'dense' ? format.dtype : format.element;
}

/** Type of a stored code as a checkpoint's tensor: a byte each, whatever the bits of the element. */
export function codeDtype({ element }: QuantisedFormat): 'i8' | 'f8e4m3' {
  return element === 'fp8' ? 'f8e4m3' : 'i8';
}

/** A format for people: printed plans, reports. */
export function formatText(format: WeightFormat): string {
  if (format.type === 'dense') return format.dtype;
  const scales = format.group === null ? 'channel' : `${format.group} inputs`;
  return `${format.element} per ${scales}${format.hasZeros ? ' with zeros' : ''}${hasOrder(format) ? ' in act order' : ''}`;
}
