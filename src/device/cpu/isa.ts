/** Instruction-set levels of CPU kernels, lowest first; a machine that has a level has all lower ones. See src/ops/cpu/isa.h. */
export const ISA_LEVELS = ['portable', 'avx2', 'avx512', 'avx512vnni', 'amx'] as const;

export type IsaLevel = (typeof ISA_LEVELS)[number];

/** The levels up to `highest`, lowest first. */
export function levelsUpTo(highest: IsaLevel): readonly IsaLevel[] {
  return ISA_LEVELS.slice(0, ISA_LEVELS.indexOf(highest) + 1);
}
