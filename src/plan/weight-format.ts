/**
 * Weight formats: how the numbers of a weight are stored. This module alone takes a format apart; everything else asks
 * it, or looks the element up in a table of its own (kernels, packers, costs).
 */

/** Element type of weights that are stored as they are. */
export type DenseDtype = 'f32' | 'f16' | 'bf16';

/** Element type of weights that are stored as integers with scales. */
export type QuantisedElement = 'int8';

export interface DenseFormat {
  readonly type: 'dense';
  readonly dtype: DenseDtype;
}

/** value[o][i] = codes[o][i] * scale[o][i / group]; symmetric unless there are zeros: (codes - zero) * scale. */
export interface QuantisedFormat {
  readonly type: 'quantised';
  readonly element: QuantisedElement;
  /** Inputs that share a scale; null: one scale for a whole row (output channel). */
  readonly group: number | null;
  readonly hasZeros: boolean;
  readonly scaleDtype: 'f32' | 'f16';
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

export function isQuantised(format: WeightFormat): format is QuantisedFormat {
  return format.type === 'quantised';
}

export function elementOf(format: WeightFormat): WeightElement {
  return format.type === 'dense' ? format.dtype : format.element;
}

/** A format for people: printed plans, reports. */
export function formatText(format: WeightFormat): string {
  if (format.type === 'dense') return format.dtype;
  const scales = format.group === null ? 'channel' : `${format.group} inputs`;
  return `${format.element} per ${scales}${format.hasZeros ? ' with zeros' : ''}`;
}
