/** Parts that the methods with kernels of their own share: names of generated kernels, keys that list numbers, and arguments. */
import type { WeightFormat } from '../../../plan/weight-format.js';
import type { ValuesOf } from '../../struct.js';
import type { STREAM_ARGS } from './args.js';
import type { GeneratedKernel, LinearMethod, LinearOperands } from './method.js';
import { type CudaLinearProblem, type Epilogue, outColumns } from './problem.js';
import { storedWeights } from './stored-weights.js';

/** Epilogues of kernels: those of problems, and the addition that a norm after the layer begins with. */
type KernelEpilogue = Epilogue | 'add';
const EPILOGUES: Readonly<Record<KernelEpilogue, string>> = {
  store: 'STORE',
  f32: 'STORE_F32',
  swiglu: 'SWIGLU',
  add: 'ADD',
};

interface KernelProblem extends Pick<CudaLinearProblem, 'format'> {
  readonly epilogue: KernelEpilogue;
}

/** Unit that has the kernels for weights in a format. */
export const linearUnit = (format: WeightFormat): string => `linear-${storedWeights(format).key}`;

/** Unit and name of a kernel, as launches need them. @param numbers template parameters, in the order of the source */
export function kernelCode(
  method: string,
  numbers: readonly number[],
  { format, epilogue }: KernelProblem,
): { readonly unit: string; readonly kernel: string } {
  return {
    unit: linearUnit(format),
    kernel: `${method}_${numbers.join('_')}_${epilogue}`,
  };
}

/** A kernel of the template in `<method>.cu`. */
export function generatedKernel(
  method: string,
  numbers: readonly number[],
  problem: KernelProblem,
): GeneratedKernel {
  const { unit, kernel: name } = kernelCode(method, numbers, problem);
  const parameters = [
    storedWeights(problem.format).templateArgument,
    ...numbers,
    EPILOGUES[problem.epilogue],
  ];
  const line = `${method.toUpperCase()}_KERNEL(${[name, ...parameters].join(', ')})`;
  return { unit, name, file: `linear/cuda/${method}.cu`, line };
}

/** Fields that the arguments of all kernels have. */
export function commonArguments(
  problem: CudaLinearProblem,
  { scale, bias, out }: LinearOperands,
): Omit<ValuesOf<typeof STREAM_ARGS>, 'x' | 'weight'> {
  const { m, n, k } = problem;
  return { scale, bias, out, m, n, k, outStride: outColumns(problem) };
}

/** Keys of configurations that are a name and numbers. @param fields in the order of the key */
export function numberedKeys<Config extends { readonly method: string }>(
  method: Config['method'],
  fields: readonly (keyof Config)[],
): Pick<LinearMethod<Config>, 'key' | 'parse'> {
  return {
    key: (config) => [method, ...fields.map((field) => config[field])].join(' '),
    parse(key) {
      const [first, ...words] = key.split(' ');
      if (first !== method || words.length !== fields.length) return undefined;
      if (!words.every((word) => /^\d+$/.test(word))) return undefined;
      const numbers = Object.fromEntries(fields.map((field, index) => [field, Number(words[index])]));
      return { method, ...numbers } as unknown as Config;
    },
  };
}
