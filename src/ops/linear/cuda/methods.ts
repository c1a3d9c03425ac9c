/** The methods of computing linear layers on a GPU. To add one: its file, and its line in the table. */
import type { InputCodes, LinearMethod } from './method.js';
import { matmul } from './matmul.js';
import { ring } from './ring.js';
import { stream } from './stream.js';
import { wide } from './wide.js';
import { wide8, widef8 } from './wide8.js';

/** Methods with kernels of ours. Where several run a problem, the first is the fastest. */
export const KERNEL_METHODS = { wide8, widef8, wide, ring, stream };
/** All methods; the last runs every problem. */
export const METHODS = { ...KERNEL_METHODS, matmul };

type ConfigOf<Method> = Method extends LinearMethod<infer Config> ? Config : never;
export type LinearConfig = ConfigOf<(typeof METHODS)[keyof typeof METHODS]>;

/** Codes in which a configuration takes its input; undefined: activations. */
export const inputCodesOf = (config: LinearConfig): InputCodes | undefined => methodOf(config).inputCodes;

/** The method of a configuration. */
export const methodOf = ({ method }: LinearConfig): LinearMethod<LinearConfig> => METHODS[method];
