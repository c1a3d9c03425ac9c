/** What a linear layer on the CPU is multiplied with, for its share of the machine's peak. Pure. */
import type { IsaLevel } from './isa.js';
import type { Arithmetic } from '../../ops/cpu/limits.js';
import type { LinearFormat } from '../../ops/linear/contract.js';

/** The instructions, and hardware products per multiply-add: operands of more bits are sums of terms. */
export function arithmeticOf(format: LinearFormat, isa: IsaLevel): readonly [Arithmetic, number] {
  if (format === 'int8' && isa === 'amx') return ['amxInt8', 2];
  if (format === 'int8' && isa === 'avx512vnni') return ['int8', 2];
  if (format === 'f16' && isa === 'amx') return ['amxBf16', 4];
  if (format === 'bf16' && isa === 'amx') return ['amxBf16', 2];
  return ['f32', 1];
}
