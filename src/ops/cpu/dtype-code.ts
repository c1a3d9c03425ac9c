/** Numbers that name dense dtypes in calls of CPU kernels: `enum class DType` in dtype.h. */
export const DTYPE_CODE = { f32: 0, f16: 1, bf16: 2 } as const;

export type DenseDType = keyof typeof DTYPE_CODE;
