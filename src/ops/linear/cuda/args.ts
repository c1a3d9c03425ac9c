/** Arguments of the CUDA kernels of linear layers. */
import { Struct } from '../../struct.js';

export const RING_ARGS = new Struct('RingArgs', 'linear/cuda/ring.cu', {
  x: 'address',
  weight: 'address',
  scale: 'address',
  bias: 'address',
  out: 'address',
  m: 'i32',
  n: 'i32',
  k: 'i32',
  outStride: 'i32',
  stageCount: 'i32',
  xRows: 'i32',
  xBoxCount: 'i32',
  lead: 'i32',
  xMap: 'tensorMap',
  weightMap: 'tensorMap',
  normWeight: 'address',
  squares: 'address',
  nextNormWeight: 'address',
  nextSquares: 'address',
  residual: 'address',
  epsilon: 'f32',
});

export const STREAM_ARGS = new Struct('StreamArgs', 'linear/cuda/stream.cu', {
  x: 'address',
  weight: 'address',
  scale: 'address',
  bias: 'address',
  out: 'address',
  m: 'i32',
  n: 'i32',
  k: 'i32',
  outStride: 'i32',
});

const WIDE_FIELDS = {
  scale: 'address',
  bias: 'address',
  out: 'address',
  m: 'i32',
  n: 'i32',
  k: 'i32',
  outStride: 'i32',
  stageCount: 'i32',
  xMap: 'tensorMap',
  weightMap: 'tensorMap',
} as const;

export const WIDE_ARGS = new Struct('WideArgs', 'linear/cuda/wide-args.cuh', WIDE_FIELDS);

export const WIDE8_ARGS = new Struct('Wide8Args', 'linear/cuda/wide-args.cuh', {
  ...WIDE_FIELDS,
  inputScale: 'address',
});

export const ROUND_INPUT_ARGS = new Struct('RoundInputArgs', 'linear/cuda/round-input.cuh', {
  x: 'address',
  out: 'address',
  scale: 'address',
  k: 'i32',
});

export const ORDER_INPUT_ARGS = new Struct('OrderInputArgs', 'linear/cuda/order-input.cu', {
  x: 'address',
  order: 'address',
  out: 'address',
  k: 'i32',
});

export const DEQUANTISE_ARGS = new Struct('DequantiseArgs', 'linear/cuda/dequantise-args.cuh', {
  tiles: 'address',
  scale: 'address',
  out: 'address',
  n: 'i32',
  k: 'i32',
});
