/** Operands of a linear problem to time: patterns in device memory of the real sizes. */
import { bfloat16ToFloat, halfToFloat } from '../../core/dtype.js';
import type { Gpu } from '../../device/cuda/gpu.js';
import { createTensorMapEncoder } from '../../device/cuda/tensor-map.js';
import type { CudaDtype } from '../../ops/cuda/dtype.js';
import { ceilDiv } from '../../ops/cuda/launch.js';
import type { LinearOperands } from '../../ops/linear/cuda/method.js';
import { type LinearConfig, methodOf } from '../../ops/linear/cuda/methods.js';
import { type CudaLinearProblem, outColumns } from '../../ops/linear/cuda/problem.js';
import { MIN_X_MAP_ROWS } from '../../ops/linear/cuda/row-classes.js';
import { storedWeights } from '../../ops/linear/cuda/stored-weights.js';
import { tileShape } from '../../ops/linear/cuda/tiles.js';
import { codeColumns } from '../../ops/linear/cuda/wide8.js';

export interface TimedOperands {
  /** Copies of the weight. */
  readonly copyCount: number;
  at(config: LinearConfig, copy: number): LinearOperands;
  /** The first rows of the output. */
  result(): Float32Array;
  dispose(): void;
}

/** Small 16-bit numbers of both types, and the quantised weights and f16 scales that the same bits are. */
const PATTERN = 0x2c1f2a5e;
/** 0.001f: the scale of INT8 weights. */
const SCALE_WORD = 0x3a83126f;
/** Weights are read from memory, not from L2: copies of them take turns until they are this many times as large. */
const L2_MULTIPLE = 3;
const MAX_COPIES = 12;
/** Rows of the result that are compared. */
const COMPARED_ROWS = 8;

export function createTimedOperands(gpu: Gpu, problem: CudaLinearProblem, dtype: CudaDtype): TimedOperands {
  const { m, n, k, format, epilogue } = problem;
  const { driver, properties } = gpu;
  const areas: number[] = [];
  const filled = (bytes: number, word: number, purpose: string): number => {
    const words = ceilDiv(bytes, 4);
    const address = gpu.allocate(words * 4, purpose);
    areas.push(address);
    driver.call('cuMemsetD32Async', address, word, words, 0);
    return address;
  };
  const { isTiled, tile, hasRowScales } = storedWeights(format);
  const weightBytes = isTiled ? tileShape(tile, n, k).reduce((product, dim) => product * dim) : n * k * 2;
  const copyCount = Math.max(
    1,
    Math.min(MAX_COPIES, ceilDiv(properties.l2CacheBytes * L2_MULTIPLE, weightBytes)),
  );
  const weight = filled(weightBytes * copyCount, PATTERN, 'weights to time');
  const xRows = Math.max(m, MIN_X_MAP_ROWS);
  const x = filled(xRows * k * 2, PATTERN, 'inputs to time');
  const scale = filled(n * 4, SCALE_WORD, 'scales to time');
  const columns = outColumns(problem);
  const out = filled(xRows * columns * (epilogue === 'f32' ? 4 : 2), 0, 'outputs to time');
  const isRounded = problem.inputBits !== undefined;
  const inputCodes = isRounded ? filled(xRows * codeColumns(k), 0, 'inputs in 8 bits to time') : 0;
  const inputScale = isRounded ? filled(xRows * 4, 0, 'scales of inputs to time') : 0;
  const tensorMap = createTensorMapEncoder(driver);
  gpu.synchronize();
  return {
    copyCount,
    at(config, copy) {
      const matrices = { x, xRows, dtype, weight: weight + copy * weightBytes, inputCodes };
      return {
        ...matrices,
        maps: methodOf(config).maps(config, problem, matrices).map(tensorMap),
        scale: hasRowScales ? scale : 0,
        bias: 0,
        out,
        inputScale,
        hasCodes: problem.inputIsRounded ?? false,
        denseCopy: 0,
        multiprocessorCount: properties.multiprocessorCount,
      };
    },
    result() {
      const count = Math.min(m, COMPARED_ROWS) * columns;
      if (epilogue === 'f32') {
        const values = new Float32Array(new ArrayBuffer(count * 4));
        gpu.download(out, values);
        return values;
      }
      const bits = new Uint16Array(new ArrayBuffer(count * 2));
      gpu.download(out, bits);
      return Float32Array.from(bits, dtype === 'bf16' ? bfloat16ToFloat : halfToFloat);
    },
    dispose() {
      for (const address of areas) gpu.free(address);
    },
  };
}
