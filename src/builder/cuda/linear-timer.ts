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

/** Operands of the problem that is timed, with its first result. */
interface Subject {
  readonly key: string;
  readonly operands: TimedOperands;
  expected?: Float32Array;
}

/** Operands in device memory, which are kept as long as the same problems are timed. */
class OperandStore {
  readonly #gpu: Gpu;
  readonly #dtype: CudaDtype;
  #subject: Subject | undefined;
  /** Operands of the layers of a row, which those of its class share. */
  readonly #ofRow = new Map<string, TimedOperands>();

  constructor({ gpu, dtype }: TimerTools) {
    this.#gpu = gpu;
    this.#dtype = dtype;
  }

  subject(given: CudaLinearProblem): Subject {
    const key = problemKey(given);
    if (this.#subject?.key === key) return this.#subject;
    this.#subject?.operands.dispose();
    return (this.#subject = { key, operands: this.#create(given) });
  }

  ofRow(row: readonly LinearCall[]): readonly TimedOperands[] {
    const keys = row.map(({ problem }) => problemKey(problem));
    if (!keys.every((key) => this.#ofRow.has(key))) {
      for (const operands of this.#ofRow.values()) operands.dispose();
      this.#ofRow.clear();
      for (const [index, key] of keys.entries())
        if (!this.#ofRow.has(key)) this.#ofRow.set(key, this.#create(row[index]!.problem));
    }
    return keys.map((key) => this.#ofRow.get(key)!);
  }

  /** Whoever does not read the weights as they are stored reads a dense copy, which is made before the product is timed. */
  asRead(problem: CudaLinearProblem): CudaLinearProblem {
    return readsStored(chooseLinear(problem, this.#gpu.properties), problem)
      ? problem
      : { ...problem, format: NAMED_FORMATS[this.#dtype] };
  }

  #create(problem: CudaLinearProblem): TimedOperands {
    return createTimedOperands(this.#gpu, this.asRead(problem), this.#dtype);
  }
}

type CandidatesOf = (problem: CudaLinearProblem) => readonly LinearConfig[];

/** @returns loads the kernels to try on a problem, with those of all problems of its unit, the first time */
function trialLoader(
  { gpu, nvrtc, dtype }: TimerTools,
  kernels: ReturnType<typeof createKernels>,
  problems: readonly CudaLinearProblem[],
  candidates: CandidatesOf,
): (problem: CudaLinearProblem) => void {
  const loaded = new Set<string>();
  return ({ format }) => {
    const unit = linearUnit(format);
    if (loaded.has(unit)) return;
    loaded.add(unit);
    const same = problems.filter((one) => linearUnit(one.format) === unit);
    const { computeCapability } = gpu.properties;
    const trials = trialUnit(same, candidates, { computeCapability, dtype });
    if (trials !== undefined) kernels.load(unit, nvrtc.compile(trials).cubin);
  };
}

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
  const candidates: CandidatesOf = (problem) => candidatesOf(problem, device);
  // Compiled when first needed: with every problem in the timing cache, not at all.
  const loadTrials = trialLoader(tools, kernels, problems, candidates);
  const store = new OperandStore(tools);
  const sink: LaunchSink = {
    kernel: (launch) => kernels.launch(stream, launch, true),
    matmul: (shape, pointers, algorithm) => matmuls.matmul(stream, shape, pointers, algorithm),
  };
  /** A call of a configuration, by its number: one after the other reads another copy of the weight. */
  const callOf = (config: LinearConfig, given: CudaLinearProblem, operands: TimedOperands) => {
    const problem = store.asRead(given);
    return (index: number): void => {
      const at = operands.at(config, index % operands.copyCount);
      methodOf(config).bind(config, problem, at)(problem.m, sink);
    };
  };

  return {
    libraryVersion: matmuls.version,
    candidates,
    microseconds(problem, config) {
      loadTrials(problem);
      const subject = store.subject(problem);
      const call = callOf(config, problem, subject.operands);
      call(0);
      stream.synchronize();
      const result = subject.operands.result();
      subject.expected ??= result;
      if (differ(result, subject.expected)) return undefined;
      return callMicroseconds(gpu.driver, stream, BY_ITSELF, call);
    },
    microsecondsInRow(row) {
      const operands = store.ofRow(row);
      const calls = row.map(({ problem, config }, i) => callOf(config, problem, operands[i]!));
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
