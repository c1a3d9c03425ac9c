/** Instruction-set levels of CPU kernels, lowest first; a machine that has a level has all lower ones. See src/ops/cpu/isa.h. */
const LEVELS = {
  x64: ['portable', 'avx2', 'avx512', 'avx512vnni', 'amx'],
  arm64: ['portable', 'neon', 'dotprod'],
} as const;

export type IsaLevel = (typeof LEVELS)[keyof typeof LEVELS][number];

/** Those of the kind of processor that runs this. */
export const ISA_LEVELS: readonly IsaLevel[] = process.arch === 'arm64' ? LEVELS.arm64 : LEVELS.x64;

/** The levels up to `highest`, lowest first. */
export function levelsUpTo(highest: IsaLevel): readonly IsaLevel[] {
  return ISA_LEVELS.slice(0, ISA_LEVELS.indexOf(highest) + 1);
}
