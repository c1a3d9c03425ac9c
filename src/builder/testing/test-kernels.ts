/** Runs single kernels on a GPU, for tests that compare them with their references. */
import { afterAll, afterEach } from 'vitest';
import { present } from '../../core/present.js';
import { architectureName } from '../../device/cuda/architecture.js';
import { type CublasLt, openCublasLt } from '../../device/cuda/cublaslt.js';
import { type Gpu, openGpu } from '../../device/cuda/gpu.js';
import { createKernels, type Kernels } from '../../device/cuda/kernels.js';
import { type CompileRequest, type Nvrtc, openNvrtc } from '../../device/cuda/nvrtc.js';
import { createStream, type Stream } from '../../device/cuda/stream.js';
import { createTensorMapEncoder } from '../../device/cuda/tensor-map.js';
import { describeOnGpu } from '../../device/cuda/testing/on-gpu.js';
import type { CudaTarget } from '../../ops/cuda/capability.js';
import type { CudaDtype } from '../../ops/cuda/dtype.js';
import type { KernelLaunch, TensorMap } from '../../ops/cuda/launch.js';
import type { Mapped } from '../../ops/cuda/mapped.js';
import type { LaunchSink } from '../../ops/cuda/sink.js';
import { linearUnit } from '../../ops/linear/cuda/generated-kernel.js';
import type { GeneratedKernel } from '../../ops/linear/cuda/method.js';
import type { LinearConfig } from '../../ops/linear/cuda/methods.js';
import type { CudaLinearProblem } from '../../ops/linear/cuda/problem.js';
import { decodeActivations, encodeActivations } from '../../ops/testing/activations.js';
import type { QuantisedKvDtype } from '../../plan/kv-dtype.js';
import type { AttentionScores, Plan } from '../../plan/plan.js';
import { kernelUnits, linearTrials, trialUnit } from '../cuda/kernel-sources.js';
import { namedShape } from '../random-weights/shapes.js';
import { asInGemma, asMixture, benchmarkPlan, type PlanChoice, withScores } from './benchmark-plans.js';

/** Target that kernels are compiled for. */
export interface KernelChoice {
  readonly dtype: CudaDtype;
  /** Sizes of heads; rows have `headCount * headDim` numbers. Default: one head of 16. */
  readonly heads?: { readonly headCount: number; readonly kvHeadCount: number; readonly headDim: number };
  /** Type of the KV cache. Default: that of activations. */
  readonly kvDtype?: QuantisedKvDtype | undefined;
  readonly blockTokens?: number;
  /** Window and soft cap of attention. */
  readonly scores?: AttentionScores;
  /** Adds the ops that Gemma has beside those of LLaMA. */
  readonly isGemma?: boolean;
  /** Adds the ops of a mixture of experts. */
  readonly isMixture?: boolean;
  /** Format of linears and of experts. Default: dense. */
  readonly weights?: PlanChoice['weights'];
  /** Inputs of linears; as in {@link PlanChoice}. */
  readonly inputBits?: PlanChoice['inputBits'];
  /** Chooses the kernels of compute capability 8.0. */
  readonly isOldDevice?: boolean;
}

const ONE_HEAD = { headCount: 1, kvHeadCount: 1, headDim: 16 };
const OLD_CAPABILITY = 80;
const DEFAULT_BLOCK_TOKENS = 16;
/** Bytes before and after every area, which no kernel may write. */
const MARGIN_BYTES = 256;
const MARGIN = 0xa5;
const MATMUL_WORKSPACE_BYTES = 64 << 20;

/** @param body defines tests; `open` may be called in them, and gives kernels that live until the test ends */
export function describeGpuKernels(
  name: string,
  body: (open: (choice: KernelChoice) => TestKernels) => void,
): void {
  describeOnGpu(`${name} on a GPU`, () => {
    let device: TestDevice | undefined;
    const opened: TestKernels[] = [];
    afterEach(() => {
      for (const kernels of opened.splice(0)) kernels.dispose();
    });
    afterAll(() => device?.gpu.dispose());
    body((choice) => {
      device ??= { gpu: openGpu(0), nvrtc: openNvrtc(), compiled: new Map() };
      const kernels = new TestKernels(device, choice);
      opened.push(kernels);
      return kernels;
    });
  });
}

interface TestDevice {
  readonly gpu: Gpu;
  readonly nvrtc: Nvrtc;
  /** Machine code by what it was compiled from. */
  readonly compiled: Map<string, Uint8Array>;
}

interface Area {
  readonly address: number;
  readonly byteLength: number;
}

/** The kernels of a choice, and device memory for their operands. */
export class TestKernels {
  readonly dtype: CudaDtype;
  readonly blockTokens: number;
  readonly plan: Plan;
  readonly target: CudaTarget & { readonly sharedBytesPerBlock: number };
  readonly tensorMap: (mapped: Mapped) => TensorMap;
  readonly #device: TestDevice;
  readonly #kernels: Kernels;
  readonly #stream: Stream;
  readonly #loaded = new Set<string>();
  readonly #areas: Area[] = [];
  #matmuls: CublasLt | undefined;
  #isDisposed = false;

  constructor(device: TestDevice, choice: KernelChoice) {
    const { dtype, heads = ONE_HEAD, kvDtype, blockTokens = DEFAULT_BLOCK_TOKENS, isOldDevice } = choice;
    const { driver, properties } = device.gpu;
    const { weights = 'dense' as const, inputBits } = choice;
    const linears = { weights, ...present({ inputBits }) };
    const llama = withScores(planOf(dtype, heads, linears), choice.scores ?? {});
    const dense = choice.isGemma === true ? asInGemma(llama) : llama;
    const plan = choice.isMixture === true ? asMixture(dense, weights) : dense;
    this.#device = device;
    this.dtype = dtype;
    this.blockTokens = blockTokens;
    this.plan = kvDtype === undefined ? plan : { ...plan, kvDtype };
    this.target = isOldDevice ? { ...properties, computeCapability: OLD_CAPABILITY } : properties;
    this.tensorMap = createTensorMapEncoder(driver);
    this.#kernels = createKernels(driver, properties.computeCapability);
    this.#stream = createStream(driver);
  }

  /** Runs a kernel to its end. Its unit is one of the plan's, or one that was loaded. */
  run(launch: KernelLaunch): void {
    if (!this.#loaded.has(launch.unit)) {
      const units = kernelUnits(this.plan, this.target, this.blockTokens);
      this.#load(
        launch.unit,
        units.find(({ name }) => name === launch.unit)!,
      );
    }
    this.#kernels.launch(this.#stream, launch, false);
    this.#stream.synchronize();
  }

  /** Runs what it is given, each to its end. */
  get sink(): LaunchSink {
    return {
      kernel: (launch) => this.run(launch),
      matmul: (shape, pointers, algorithm) => {
        this.#matmuls ??= openCublasLt({
          address: this.reserve(MATMUL_WORKSPACE_BYTES),
          byteLength: MATMUL_WORKSPACE_BYTES,
        });
        this.#matmuls.matmul(this.#stream, shape, pointers, algorithm);
        this.#stream.synchronize();
      },
    };
  }

  /** Loads the kernels of linear layers that configurations of these problems run; all have weights in one format. */
  loadLinear(
    problems: readonly CudaLinearProblem[],
    configsOf: (problem: CudaLinearProblem) => readonly LinearConfig[],
  ): void {
    const { computeCapability } = this.target;
    const unit = trialUnit(problems, configsOf, { computeCapability, dtype: this.dtype });
    this.#load(linearUnit(problems[0]!.format), unit!);
  }

  /** Loads kernels of linear layers, all of which are of one unit. */
  loadGenerated(kernels: readonly GeneratedKernel[]): void {
    const { computeCapability } = this.target;
    this.#load(kernels[0]!.unit, linearTrials(kernels, { computeCapability, dtype: this.dtype }));
  }

  /** Compiles a unit, for the device that is here, and loads it under a name. */
  #load(name: string, request: CompileRequest): void {
    const { compiled, nvrtc, gpu } = this.#device;
    const unit = { ...request, arch: architectureName(gpu.properties.computeCapability) };
    const key = JSON.stringify([unit.source, unit.defines, unit.isFastMath]);
    let cubin = compiled.get(key);
    if (cubin === undefined) compiled.set(key, (cubin = nvrtc.compile(unit).cubin));
    this.#kernels.load(name, cubin);
    this.#loaded.add(name);
  }

  /** Zeroed memory between margins. @returns its address */
  reserve(byteLength: number): number {
    const { gpu } = this.#device;
    const start = gpu.allocate(byteLength + 2 * MARGIN_BYTES, 'operands of a test');
    const address = start + MARGIN_BYTES;
    gpu.driver.call('cuMemsetD8Async', start, MARGIN, byteLength + 2 * MARGIN_BYTES, 0);
    gpu.driver.call('cuMemsetD8Async', address, 0, byteLength, 0);
    gpu.synchronize();
    this.#areas.push({ address, byteLength });
    return address;
  }

  upload(data: ArrayBufferView): number {
    const address = this.reserve(data.byteLength);
    // A copy, because the memory of a small array may move.
    const bytes = new Uint8Array(new ArrayBuffer(data.byteLength));
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    this.#device.gpu.upload(address, bytes);
    return address;
  }

  uploadActivations(values: ArrayLike<number>): number {
    return this.upload(encodeActivations(values, this.dtype));
  }

  /** Copies activations into memory that is larger. */
  write(address: number, values: ArrayLike<number>): void {
    const bits = new Uint16Array(new ArrayBuffer(2 * values.length));
    bits.set(encodeActivations(values, this.dtype));
    this.#device.gpu.upload(address, bits);
  }

  bytes(address: number, byteLength: number): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(new ArrayBuffer(byteLength));
    this.#device.gpu.download(address, bytes);
    return bytes;
  }

  integers(address: number, count: number): Int32Array {
    return new Int32Array(this.bytes(address, 4 * count).buffer);
  }

  floats(address: number, count: number): Float32Array {
    return new Float32Array(this.bytes(address, 4 * count).buffer);
  }

  activations(address: number, count: number): Float32Array {
    return decodeActivations(new Uint16Array(this.bytes(address, 2 * count).buffer), this.dtype);
  }

  /** Frees all memory, once. @throws an error when a kernel wrote into a margin */
  dispose(): void {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    const { gpu } = this.#device;
    const spoilt = this.#areas.filter((area) => !this.#hasWholeMargins(area));
    for (const { address } of this.#areas) gpu.free(address - MARGIN_BYTES);
    this.#matmuls?.dispose();
    this.#kernels.dispose();
    this.#stream.dispose();
    if (spoilt.length > 0)
      throw new Error(`a kernel wrote beside areas of ${spoilt.map((area) => area.byteLength).join()} bytes`);
  }

  #hasWholeMargins({ address, byteLength }: Area): boolean {
    return [address - MARGIN_BYTES, address + byteLength].every((start) =>
      this.bytes(start, MARGIN_BYTES).every((byte) => byte === MARGIN),
    );
  }
}

/** A plan of two layers with these heads. */
function planOf(
  dtype: CudaDtype,
  heads: NonNullable<KernelChoice['heads']>,
  linears: Pick<PlanChoice, 'weights' | 'inputBits'>,
): Plan {
  const shape = {
    ...namedShape('tinyllama_1b'),
    num_hidden_layers: 2,
    hidden_size: heads.headCount * heads.headDim,
    num_attention_heads: heads.headCount,
    num_key_value_heads: heads.kvHeadCount,
  };
  return benchmarkPlan({ shape, dtype, ...linears });
}
