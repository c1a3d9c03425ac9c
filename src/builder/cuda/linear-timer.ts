/** Times linear kernels and cuBLASLt's algorithms on a GPU, on operands of the real shapes. */
import type { CudaDtype } from '../../ops/cuda/dtype.js';
import type { LaunchSink } from '../../ops/cuda/sink.js';
import { chooseLinear, linearCandidates, readsStored } from '../../ops/linear/cuda/choose.js';
import { linearUnit } from '../../ops/linear/cuda/generated-kernel.js';
import { problemKey } from '../../ops/linear/cuda/keys.js';
import { matmulShape } from '../../ops/linear/cuda/matmul.js';
import { type LinearConfig, methodOf } from '../../ops/linear/cuda/methods.js';
import type { CudaLinearProblem } from '../../ops/linear/cuda/problem.js';
import { NAMED_FORMATS } from '../../plan/weight-format.js';
import { openCublasLt } from '../../device/cuda/cublaslt.js';
import { callMicroseconds } from '../../device/cuda/fastest.js';
import type { Gpu } from '../../device/cuda/gpu.js';
import { createKernels } from '../../device/cuda/kernels.js';
import type { Nvrtc } from '../../device/cuda/nvrtc.js';
import { createStream } from '../../device/cuda/stream.js';
import { trialUnit } from './kernel-sources.js';
import { createTimedOperands, type TimedOperands } from './timed-operands.js';
import type { LinearCall, LinearTimer } from './tune.js';

export interface TimerTools {
  readonly gpu: Gpu;
  readonly nvrtc: Nvrtc;
  readonly dtype: CudaDtype;
  readonly libraryPath: string | undefined;
}

const WORKSPACE_BYTES = 64 << 20;
const BY_ITSELF = { calls: 12, runs: 4 };
/** Short runs are more often left alone by others who use the device. */
const IN_ROW = { calls: 8, runs: 6 };
/** Largest difference between results, relative to the largest of them. */
const TOLERANCE = 0.01;

/**
 * @param problems what will be timed, to compile their kernels together. Device memory is freed when `gpu` is disposed.
 * @param candidatesOf what is worth trying; the tuner's choice by default
 */
export function createLinearTimer(
  tools: TimerTools,
  problems: readonly CudaLinearProblem[],
  candidatesOf: typeof linearCandidates = linearCandidates,
): LinearTimer {
  const { gpu, libraryPath, dtype } = tools;
  const { properties } = gpu;
  const workspace = { address: gpu.allocate(WORKSPACE_BYTES, 'cuBLASLt'), byteLength: WORKSPACE_BYTES };
  const matmuls = openCublasLt(workspace, libraryPath);
  const kernels = createKernels(gpu.driver, properties.computeCapability);
  const stream = createStream(gpu.driver);
  const device = {
    ...properties,
    proposalCount: (problem: CudaLinearProblem) => matmuls.algorithmCount(matmulShape(problem, dtype)),
  };
  const candidates = (problem: CudaLinearProblem): readonly LinearConfig[] => candidatesOf(problem, device);
  // Compiled when first needed: with every problem in the timing cache, not at all.
  const loaded = new Set<string>();
  const loadTrials = ({ format }: CudaLinearProblem): void => {
    const unit = linearUnit(format);
    if (loaded.has(unit)) return;
    loaded.add(unit);
    const same = problems.filter((one) => linearUnit(one.format) === unit);
    const { computeCapability } = properties;
    const trials = trialUnit(same, candidates, { computeCapability, dtype });
    if (trials !== undefined) kernels.load(unit, tools.nvrtc.compile(trials).cubin);
  };

  let current:
    | { readonly key: string; readonly operands: TimedOperands; expected?: Float32Array }
    | undefined;
  const operandsFor = (key: string, problem: CudaLinearProblem): NonNullable<typeof current> => {
    if (current?.key === key) return current;
    current?.operands.dispose();
    return (current = { key, operands: createTimedOperands(gpu, problem, dtype) });
  };
  /** Operands of the layers of a row, which those of its class share. */
  const ofRow = new Map<string, TimedOperands>();
  const rowOperands = (row: readonly LinearCall[]): readonly TimedOperands[] => {
    const keys = row.map(({ problem }) => problemKey(problem));
    if (!keys.every((key) => ofRow.has(key))) {
      for (const operands of ofRow.values()) operands.dispose();
      ofRow.clear();
      for (const [index, key] of keys.entries())
        if (!ofRow.has(key)) ofRow.set(key, createTimedOperands(gpu, asRead(row[index]!.problem), dtype));
    }
    return keys.map((key) => ofRow.get(key)!);
  };
  /** Whoever does not read the weights as they are stored reads a dense copy, which is made before the product is timed. */
  const asRead = (problem: CudaLinearProblem): CudaLinearProblem =>
    readsStored(chooseLinear(problem, properties), problem)
      ? problem
      : { ...problem, format: NAMED_FORMATS[dtype] };
  const sink: LaunchSink = {
    kernel: (launch) => kernels.launch(stream, launch, true),
    matmul: (shape, pointers, algorithm) => matmuls.matmul(stream, shape, pointers, algorithm),
  };
  /** A call of a configuration, by its number: one after the other reads another copy of the weight. */
  const callOf = (config: LinearConfig, problem: CudaLinearProblem, operands: TimedOperands) => {
    return (index: number): void => {
      const at = operands.at(config, index % operands.copyCount);
      methodOf(config).bind(config, problem, at)(problem.m, sink);
    };
  };

  return {
    libraryVersion: matmuls.version,
    candidates,
    microseconds(given, config) {
      loadTrials(given);
      const problem = asRead(given);
      const subject = operandsFor(problemKey(given), problem);
      const { operands } = subject;
      const call = callOf(config, problem, operands);
      call(0);
      stream.synchronize();
      const result = operands.result();
      subject.expected ??= result;
      if (differ(result, subject.expected)) return undefined;
      return callMicroseconds(gpu.driver, stream, BY_ITSELF, call);
    },
    microsecondsInRow(row) {
      const operands = rowOperands(row);
      const calls = row.map(({ problem, config }, i) => callOf(config, asRead(problem), operands[i]!));
      return callMicroseconds(gpu.driver, stream, IN_ROW, (index) => {
        for (const call of calls) call(index);
      });
    },
  };
}

function differ(actual: Float32Array, expected: Float32Array): boolean {
  const largest = expected.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
  return !actual.every((value, index) => Math.abs(value - expected[index]!) <= TOLERANCE * largest);
}
