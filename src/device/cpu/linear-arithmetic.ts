/** Arithmetic that a linear layer on the CPU uses, for its share of the machine's peak. Pure. */
import type { IsaLevel } from './isa.js';
import type { Arithmetic } from '../../ops/cpu/limits.js';
import type { WeightElement } from '../../plan/weight-format.js';

/** The instructions, and hardware products per multiply-add: operands of more bits are sums of terms. */
export function arithmeticOf(element: WeightElement, isa: IsaLevel): readonly [Arithmetic, number] {
  const isOfBytes = element === 'int8' || element === 'int4';
  if (isOfBytes && isa === 'amx') return ['amxInt8', 2];
  if (isOfBytes && (isa === 'avx512vnni' || isa === 'dotprod')) return ['int8', 2];
  // At most: words, which inputs of 16 bits are multiplied as, take somewhat longer.
  if (isOfBytes && isa === 'avx2') return ['int8', 1];
  if (element === 'f16' && isa === 'amx') return ['amxBf16', 4];
  if ((element === 'bf16' || element === 'fp8') && isa === 'amx') return ['amxBf16', 2];
  return ['f32', 1];
}
