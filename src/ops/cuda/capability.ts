/** Facts of a GPU by which kernels are chosen, cut and launched. */
export interface CudaTarget {
  /** 90 for 9.0. */
  readonly computeCapability: number;
  readonly multiprocessorCount: number;
}

/**
 * Whether weights and keys stream through rings of bulk copies. The copies exist from compute capability 9.0 on, and 9.0 and
 * 10.x have the shared memory for the rings (227 KB a block). 12.x has 99 KB and runs the kernels of older GPUs.
 * @param computeCapability 90 for 9.0
 */
export function hasBulkRings(computeCapability: number): boolean {
  return computeCapability >= 90 && computeCapability < 110;
}

/** Whether warpgroups multiply (`wgmma`): an instruction set of 9.0 that no later GPU has. */
export function hasWarpgroupProducts(computeCapability: number): boolean {
  return computeCapability === 90;
}
