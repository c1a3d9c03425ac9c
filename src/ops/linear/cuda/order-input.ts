/** Inputs of weights in act order: before such a layer, columns of x are brought into the order of its codes. */
import { commonPart, type UnitPart } from '../../cuda/definition.js';
import type { KernelLaunch } from '../../cuda/launch.js';
import { smallLaunch } from '../../cuda/small-launch.js';
import type { ValuesOf } from '../../struct.js';
import { ORDER_INPUT_ARGS } from './args.js';

export const ORDER_INPUT_PART: UnitPart = commonPart('linear/cuda/order-input.cu');

/** @param rows of x; order [k] i32, out [rows, k] activations */
export function orderInputLaunch(rows: number, args: ValuesOf<typeof ORDER_INPUT_ARGS>): KernelLaunch {
  return smallLaunch('order_input', [rows, 1, 1], ORDER_INPUT_ARGS.of(args));
}
