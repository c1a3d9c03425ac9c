import type { DeviceName } from '../core/device.js';
import type { DType } from '../core/dtype.js';
import { AloftError } from '../core/errors.js';
import type { HostTensor } from '../core/tensor.js';
import type { Plan, PlanWeight, WeightName } from '../plan/plan.js';
import { weightRoles } from '../plan/validate.js';
import { formatText, sameFormat, type WeightFormat } from '../plan/weight-format.js';

/** Use that an op makes of a weight, which decides its layout: looked up by row, multiplied elementwise, as a matrix, or as the matrices of several experts. */
export type WeightUse = 'table' | 'vector' | 'linear' | 'experts';

/** One tensor of an engine file. */
export interface PackedTensorSpec {
  /** The weight's name, or the name with a suffix such as `.scale`. */
  readonly name: string;
  readonly dtype: DType;
  /** Shape as stored, padding and tiling included. */
  readonly shape: readonly number[];
}

/** A weight as a checkpoint holds it: numbers, or codes and scales of a checkpoint that is quantised already. */
export type WeightData =
  | { readonly kind: 'dense'; readonly tensor: HostTensor }
  | {
      readonly kind: 'quantised';
      /** [rows, columns] in the format's type of codes: a byte each, whatever the bits of the element. */
      readonly codes: HostTensor;
      /** [rows, groups] in the format's type of scales; one group where the format has one scale for a row. */
      readonly scales: HostTensor;
      /** [rows, groups] u8; null in a format without zeros. */
      readonly zeros: HostTensor | null;
      /** [columns] i32: the input of each code; null where codes lie in the order of inputs. */
      readonly order: HostTensor | null;
    };

/** Squared error of a quantised weight, to report what quantisation cost. */
export interface PackReport {
  readonly squaredError: number;
  readonly squaredSum: number;
}

/** Layout of weights in an engine file for one kind of device, without the packing. Engines load without any further transform. */
export interface StoredLayout {
  readonly device: DeviceName;
  /** Changes whenever packed bytes change meaning; engines of another version are refused. */
  readonly version: number;
  /** Formats in which this device stores a weight of a use. */
  formats(use: WeightUse): readonly WeightFormat[];
  /** Pure: the tensors that `pack` will fill, in order. */
  specs(name: WeightName, weight: PlanWeight, use: WeightUse): readonly PackedTensorSpec[];
}

/** A layout with the packing, which needs native state. */
export interface WeightLayout extends StoredLayout {
  /**
   * Converts, quantises and packs one weight.
   * @param source logical row-major matrix; its rows may be fewer than the weight's (padding rows are zero)
   * @param targets one per spec, of exactly its bytes
   * @throws {AloftError} CHECKPOINT_CORRUPT, TENSOR_MISMATCH when the weight's format cannot hold the source
   */
  pack(source: WeightData, weight: PlanWeight, use: WeightUse, targets: readonly Uint8Array[]): PackReport;
}

/** Stops before anything is read or compiled when a device cannot store a weight of the plan. @throws {AloftError} UNSUPPORTED */
export function checkFormats(plan: Plan, layout: Pick<StoredLayout, 'device' | 'formats'>): void {
  for (const [name, use] of weightRoles(plan)) {
    const { format } = plan.weights[name]!;
    const known = layout.formats(use);
    if (known.some((one) => sameFormat(one, format))) continue;
    throw new AloftError(
      'UNSUPPORTED',
      `The device '${layout.device}' does not store ${name} as ${formatText(format)}; choose one of: ${known.map(formatText).join(', ')}.`,
    );
  }
}
