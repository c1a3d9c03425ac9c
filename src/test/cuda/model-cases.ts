/** Whole models whose every step is compared with the reference executor. */
import type { QuantisedKvDtype } from '../../plan/kv-dtype.js';
import type { TestModelShape } from '../../run/executor/testing/test-model.js';
import { type Load, LONG_LOAD, MANY_LOAD, MIXED_LOAD } from './loads.js';
import {
  BF16,
  BIASED,
  F16,
  FP8,
  FP8_IN_BF16,
  FP8_INPUTS,
  GEMMA,
  GEMMA_INT8,
  HEADS_OF_128,
  HEADS_OF_64,
  INT4,
  INT4_G32,
  INT4_G32_ZEROS,
  INT4_IN_BF16,
  INT8,
  INT8_INPUTS,
  INT8_TABLE,
  MIXTURE,
  MIXTURE_FP8,
  MIXTURE_INT4,
  MIXTURE_INT4_ZEROS,
  MIXTURE_INT8,
  ODD,
  OWN_KEYS,
} from './test-shapes.js';
import { CACHE_TOLERANCE, INPUT_TOLERANCE, TOLERANCE } from './tolerances.js';

export interface ModelCase {
  readonly name: string;
  readonly shape: TestModelShape;
  readonly load: Load;
  readonly useGraphs: boolean;
  /** Type of the KV cache. Default: that of activations. */
  readonly kvDtype?: QuantisedKvDtype;
  /** Runs the kernels that are chosen for compute capability 8.0. */
  readonly isOldDevice?: boolean;
  /** Largest difference of logits, as a share of their largest magnitude. */
  readonly tolerance: number;
}

const OLD = { isOldDevice: true } as const;
const IN_F16 = { load: MIXED_LOAD, useGraphs: true, tolerance: TOLERANCE.f16 } as const;
const INT8_IN_F16 = { ...IN_F16, tolerance: TOLERANCE.f16 + INPUT_TOLERANCE.int8 } as const;
const FP8_IN_F16 = { ...IN_F16, tolerance: TOLERANCE.f16 + INPUT_TOLERANCE.fp8 } as const;
const IN_BF16 = { ...IN_F16, tolerance: TOLERANCE.bf16 } as const;
const CACHE_I8 = { kvDtype: 'i8' } as const;
const CACHE_F8 = { kvDtype: 'f8e4m3' } as const;
const I8_IN_F16 = { ...IN_F16, ...CACHE_I8, tolerance: TOLERANCE.f16 + CACHE_TOLERANCE.i8 } as const;
const F8_IN_F16 = { ...IN_F16, ...CACHE_F8, tolerance: TOLERANCE.f16 + CACHE_TOLERANCE.f8e4m3 } as const;
const I8_IN_BF16 = { ...IN_BF16, ...CACHE_I8, tolerance: TOLERANCE.bf16 + CACHE_TOLERANCE.i8 } as const;
const F8_IN_BF16 = { ...IN_BF16, ...CACHE_F8, tolerance: TOLERANCE.bf16 + CACHE_TOLERANCE.f8e4m3 } as const;

export const MODEL_CASES: readonly ModelCase[] = [
  { name: 'f16', shape: F16, ...IN_F16 },
  { name: 'int8', shape: INT8, ...IN_F16 },
  {
    name: 'int8 with bias, not fused, no graphs',
    shape: { ...INT8, bias: true, fused: false },
    ...IN_F16,
    useGraphs: false,
  },
  { name: 'int8, kernels for compute capability 8.0', shape: INT8, ...IN_F16, ...OLD },
  { name: 'fp8', shape: FP8, ...IN_F16 },
  { name: 'fp8, kernels for compute capability 8.0', shape: FP8, ...IN_F16, ...OLD },
  { name: 'bf16 activations, fp8, not fused', shape: { ...FP8_IN_BF16, fused: false }, ...IN_BF16 },
  { name: 'int4', shape: INT4, ...IN_F16 },
  {
    name: 'int4, groups of 32, not fused, no graphs',
    shape: { ...INT4_G32, fused: false },
    ...IN_F16,
    useGraphs: false,
  },
  { name: 'int4, kernels for compute capability 8.0', shape: INT4, ...IN_F16, ...OLD },
  { name: 'bf16 activations, int4', shape: INT4_IN_BF16, ...IN_BF16 },
  { name: 'bf16, kernels for compute capability 8.0', shape: BF16, ...IN_BF16, ...OLD },
  { name: 'bf16, grouped queries, odd sizes', shape: ODD, ...IN_BF16 },
  { name: 'f16, grouped queries, head size 64', shape: HEADS_OF_64, ...IN_F16 },
  { name: 'bf16 activations, int8, head size 128', shape: HEADS_OF_128, ...IN_BF16 },
  { name: 'f16, cache int8', shape: F16, ...I8_IN_F16 },
  { name: 'f16, cache fp8', shape: F16, ...F8_IN_F16 },
  {
    name: 'int8, cache int8, no graphs, kernels for compute capability 8.0',
    shape: INT8,
    ...I8_IN_F16,
    ...OLD,
    useGraphs: false,
  },
  { name: 'bf16, cache fp8, kernels for compute capability 8.0', shape: BF16, ...F8_IN_BF16, ...OLD },
  { name: 'bf16, grouped queries, odd sizes, cache int8', shape: ODD, ...I8_IN_BF16 },
  {
    name: 'bf16, grouped queries, odd sizes, cache fp8, kernels for compute capability 8.0',
    shape: ODD,
    ...F8_IN_BF16,
    ...OLD,
  },
  { name: 'bf16 activations, int8, head size 128, cache int8', shape: HEADS_OF_128, ...I8_IN_BF16 },
  { name: 'bf16 activations, int8, head size 128, cache fp8', shape: HEADS_OF_128, ...F8_IN_BF16 },
  { name: 'bf16, windows and soft caps', shape: GEMMA, ...IN_BF16 },
  {
    name: 'bf16, windows and soft caps, not fused, no graphs',
    shape: { ...GEMMA, fused: false },
    ...IN_BF16,
    useGraphs: false,
  },
  { name: 'int8, windows and soft caps, head size 64', shape: GEMMA_INT8, ...IN_F16 },
  {
    name: 'int8, windows and soft caps, kernels for compute capability 8.0',
    shape: GEMMA_INT8,
    ...IN_F16,
    ...OLD,
  },
  { name: 'bf16, windows and soft caps, cache int8', shape: GEMMA, ...I8_IN_BF16 },
  {
    name: 'int8, windows and soft caps, three pieces of attention',
    shape: GEMMA_INT8,
    ...IN_F16,
    load: LONG_LOAD,
  },
  { name: 'f16, experts', shape: MIXTURE, ...IN_F16 },
  { name: 'fp8, experts', shape: MIXTURE_FP8, ...IN_F16 },
  { name: 'bf16 activations, int8, experts, no graphs', shape: MIXTURE_INT8, ...IN_BF16, useGraphs: false },
  { name: 'int4, experts', shape: MIXTURE_INT4, ...IN_F16 },
  { name: 'bf16 activations, int4 with zeros, experts', shape: MIXTURE_INT4_ZEROS, ...IN_BF16 },
  { name: 'int8, head size 64, cache int8, teams of warps', shape: OWN_KEYS, ...I8_IN_F16 },
  { name: 'int8, head size 64, cache int8, long', shape: OWN_KEYS, ...I8_IN_F16, load: LONG_LOAD },
  { name: 'f16 with bias, kernels for compute capability 8.0', shape: BIASED, ...IN_F16, ...OLD },
  { name: 'int8, table int8', shape: INT8_TABLE, ...IN_F16 },
  { name: 'int4, groups of 32, kernels for compute capability 8.0', shape: INT4_G32, ...IN_F16, ...OLD },
  {
    name: 'int4, groups of 32 with zeros, kernels for compute capability 8.0',
    shape: INT4_G32_ZEROS,
    ...IN_F16,
    ...OLD,
  },
  { name: 'f16, many rows', shape: F16, ...IN_F16, load: MANY_LOAD },
  { name: 'int8, many rows', shape: INT8, ...IN_F16, load: MANY_LOAD },
  { name: 'int4, many rows', shape: INT4, ...IN_F16, load: MANY_LOAD },
  { name: 'int8, inputs of 8 bits, many rows', shape: INT8_INPUTS, ...INT8_IN_F16, load: MANY_LOAD },
  { name: 'fp8, inputs of 8 bits, many rows', shape: FP8_INPUTS, ...FP8_IN_F16, load: MANY_LOAD },
  // With a key head for each query head, compute capability 9.0 cuts 512 cached tokens into a piece.
  { name: 'f16, three pieces of attention', shape: F16, ...IN_F16, load: LONG_LOAD },
  { name: 'f16, three pieces of attention, cache int8', shape: F16, ...I8_IN_F16, load: LONG_LOAD },
];
