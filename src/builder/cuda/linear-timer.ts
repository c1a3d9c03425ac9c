/** Times linear kernels and cuBLASLt's algorithms on a GPU, on operands of the real shapes. */
import { bfloat16ToFloat, halfToFloat } from '../../core/dtype.js';
import { hasBulkRings } from '../../ops/cuda/capability.js';
import { ceilDiv, type TensorMap } from '../../ops/cuda/launch.js';
import {
  chooseLinear,
  linearLaunch,
  linearUnit,
  xMapRows,
  type LinearConfig,
  type LinearOperands,
  type LinearProblem,
} from '../../ops/linear/cuda/cuda.js';
import { configKey, kernelCandidates, problemKey } from '../../ops/linear/cuda/tuning.js';
import { tileShape } from '../../ops/linear/cuda/tiles.js';
import { tileBox, type WideConfig } from '../../ops/linear/cuda/wide.js';
import { boxRowCounts, MIN_X_MAP_ROWS } from '../../ops/linear/cuda/row-classes.js';
import { openCublasLt, type CublasLt, type MatmulShape } from '../../device/cuda/cublaslt.js';
import type { Gpu, GpuProperties } from '../../device/cuda/gpu.js';
import { trialUnit } from './kernel-sources.js';
import { createKernels } from '../../device/cuda/kernels.js';
import type { Nvrtc } from '../../device/cuda/nvrtc.js';
import { createEvent, createStream } from '../../device/cuda/stream.js';
import { encodeTensorMaps } from '../../device/cuda/tensor-map.js';
import type { LinearTimer } from './tune.js';

export interface TimerTools {
  readonly gpu: Gpu;
  readonly nvrtc: Nvrtc;
  readonly dtype: 'f16' | 'bf16';
  readonly libraryPath: string | undefined;
}

const WORKSPACE_BYTES = 64 << 20;
/** Small 16-bit numbers of both types, and the INT8 weights that the same bits are. */
const PATTERN = 0x2c1f2a5e;
/** 0.001f: the scale of INT8 weights. */
const SCALE_WORD = 0x3a83126f;
/** Weights are read from memory, not from L2: copies of them take turns until they are this many times as large. */
const L2_MULTIPLE = 3;
const MAX_COPIES = 12;
const CALLS = 12;
const ROUNDS = 4;
/** Rows of the result that are compared, and by how much they may differ, relative to the largest. */
const COMPARED_ROWS = 8;
const TOLERANCE = 0.01;

/** @param problems what will be timed, to compile their kernels together. Device memory is freed when `gpu` is disposed. */
export function createLinearTimer(tools: TimerTools, problems: readonly LinearProblem[]): LinearTimer {
  const { gpu, libraryPath } = tools;
  const { properties } = gpu;
  const workspace = { address: gpu.allocate(WORKSPACE_BYTES, 'cuBLASLt'), byteLength: WORKSPACE_BYTES };
  const matmuls = openCublasLt(workspace, libraryPath);
  const kernels = createKernels(gpu.driver, properties.computeCapability);
  const stream = createStream(gpu.driver);
  const [start, end] = [createEvent(gpu.driver), createEvent(gpu.driver)];
  const candidates = (problem: LinearProblem): readonly LinearConfig[] => {
    const first = chooseLinear(problem, properties);
    const all = [
      first,
      ...kernelCandidates(problem, properties),
      ...matmulCandidates(problem, matmuls, tools),
    ];
    return all.filter(
      (config, index) =>
        index === 0 || (configKey(config, 0) !== configKey(first, 0) && fits(config, properties)),
    );
  };
  // Compiled when first needed: with every problem in the timing cache, not at all.
  const loaded = new Set<boolean>();
  const loadTrials = (isInt8: boolean): void => {
    if (loaded.has(isInt8)) return;
    loaded.add(isInt8);
    const same = problems.filter((one) => one.isInt8 === isInt8);
    const { computeCapability } = properties;
    const unit = trialUnit(same, candidates, { computeCapability, dtype: tools.dtype });
    if (unit !== undefined) kernels.load(linearUnit(isInt8), tools.nvrtc.compile(unit).cubin);
  };

  let current: { readonly key: string; readonly operands: Operands; expected?: Float32Array } | undefined;
  const operandsFor = (problem: LinearProblem): NonNullable<typeof current> => {
    const key = problemKey(problem);
    if (current?.key === key) return current;
    current?.operands.dispose();
    return (current = { key, operands: createOperands(tools, problem) });
  };

  return {
    libraryVersion: matmuls.version,
    candidates,
    microseconds(problem, config) {
      loadTrials(problem.isInt8);
      const subject = operandsFor(problem);
      const { operands } = subject;
      const call = (copy: number): void => {
        const where = operands.at(config, copy);
        if (config.method === 'matmul')
          matmuls.matmul(stream, matmulShape(problem, tools), where, config.algorithm ?? 0);
        else kernels.launch(stream, linearLaunch(config, problem, where), true);
      };
      call(0);
      stream.synchronize();
      const result = operands.result();
      subject.expected ??= result;
      if (differ(result, subject.expected)) return undefined;
      const graph = stream.capture(() => {
        for (let i = 0; i < CALLS; i++) call(i % operands.copyCount);
      });
      let best = Infinity;
      for (let round = 0; round < ROUNDS; round++) {
        start.record(stream);
        graph.launch(stream);
        end.record(stream);
        end.synchronize();
        best = Math.min(best, end.msSince(start));
      }
      graph.dispose();
      return (best * 1000) / CALLS;
    },
  };
}

function fits(config: LinearConfig, { sharedBytesPerBlock }: GpuProperties): boolean {
  return config.method !== 'ring' || config.sharedBytes <= sharedBytesPerBlock;
}

/** Whether INT8 weights are read as they are. If not, products read a dense copy, which is made before they are timed. */
function readsTiles(problem: LinearProblem, properties: GpuProperties): boolean {
  return problem.isInt8 && chooseLinear(problem, properties).method !== 'matmul';
}

/** cuBLASLt's proposals, where our kernels do not read INT8 weights as they are. */
function matmulCandidates(problem: LinearProblem, matmuls: CublasLt, tools: TimerTools): LinearConfig[] {
  if (problem.epilogue === 'swiglu' || readsTiles(problem, tools.gpu.properties)) return [];
  const count = matmuls.algorithmCount(matmulShape(problem, tools));
  return Array.from({ length: count }, (_, algorithm) => ({ method: 'matmul', algorithm }));
}

function matmulShape({ m, n, k, epilogue }: LinearProblem, { dtype }: TimerTools): MatmulShape {
  return { m, n, k, inputDtype: dtype, outputDtype: epilogue === 'f32' ? 'f32' : dtype };
}

interface Operands {
  /** Copies of the weight. */
  readonly copyCount: number;
  at(config: LinearConfig, copy: number): LinearOperands;
  /** The first rows of the output. */
  result(): Float32Array;
  dispose(): void;
}

function createOperands({ gpu, dtype }: TimerTools, problem: LinearProblem): Operands {
  const { m, n, k, isInt8, epilogue } = problem;
  const { properties } = gpu;
  const areas: number[] = [];
  const filled = (bytes: number, word: number, purpose: string): number => {
    const words = ceilDiv(bytes, 4);
    const address = gpu.allocate(words * 4, purpose);
    areas.push(address);
    gpu.driver.call('cuMemsetD32Async', address, word, words, 0);
    return address;
  };
  const isTiled = readsTiles(problem, properties);
  const weightBytes = isTiled ? tileShape(n, k).reduce((product, dim) => product * dim) : n * k * 2;
  const copyCount = Math.max(
    1,
    Math.min(MAX_COPIES, ceilDiv(properties.l2CacheBytes * L2_MULTIPLE, weightBytes)),
  );
  const weight = filled(weightBytes * copyCount, PATTERN, 'weights to time');
  const rows = Math.max(m, MIN_X_MAP_ROWS);
  const x = filled(rows * k * 2, PATTERN, 'inputs to time');
  const scale = filled(n * 4, SCALE_WORD, 'scales to time');
  const outColumns = epilogue === 'swiglu' ? n / 2 : n;
  const outBytes = epilogue === 'f32' ? 4 : 2;
  const out = filled(rows * outColumns * outBytes, 0, 'outputs to time');
  const hasMaps = hasBulkRings(properties.computeCapability);
  const boxRows = boxRowCounts(rows);
  const matrices = [
    ...boxRows.map((count) => ({ address: x, rows, columns: k, boxRows: count, dtype })),
    ...(isTiled
      ? []
      : Array.from({ length: copyCount }, (_, copy) => ({
          address: weight + copy * weightBytes,
          rows: n,
          columns: k,
          boxRows: 16,
          dtype,
        }))),
  ];
  const maps = hasMaps ? encodeTensorMaps(gpu.driver, matrices) : [];
  const [down, across] = tileShape(n, k);
  const tileMap = (address: number, config: WideConfig): TensorMap =>
    encodeTensorMaps(gpu.driver, [{ address, down, across, box: tileBox(config, epilogue) }])[0]!;
  gpu.synchronize();
  return {
    copyCount,
    at: (config, copy) => ({
      x,
      weight: weight + copy * weightBytes,
      out,
      xMap: 'tokenGroups' in config ? maps[boxRows.indexOf(xMapRows(config, m))] : undefined,
      weightMap:
        config.method === 'wide' ? tileMap(weight + copy * weightBytes, config) : maps[boxRows.length + copy],
      scale: isInt8 ? scale : 0,
      bias: 0,
      multiprocessorCount: properties.multiprocessorCount,
    }),
    result() {
      const count = Math.min(m, COMPARED_ROWS) * outColumns;
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

function differ(actual: Float32Array, expected: Float32Array): boolean {
  const largest = expected.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
  return !actual.every((value, index) => Math.abs(value - expected[index]!) <= TOLERANCE * largest);
}
