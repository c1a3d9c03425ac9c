/** CUDA executors of small random models, without an engine on disk. */
import { tensorBytes } from '../../core/dtype.js';
import { compileUnits, kernelUnits } from '../../builder/cuda/kernel-sources.js';
import { type CpuPool, createCpuPool } from '../../device/cpu/kernel-library.js';
import { architectureName } from '../../device/cuda/architecture.js';
import { createCudaWeightLayout } from '../../device/cuda/cuda-weight-layout.js';
import { type Gpu, type GpuProperties, openGpu } from '../../device/cuda/gpu.js';
import { type Nvrtc, openNvrtc } from '../../device/cuda/nvrtc.js';
import type { QuantisedKvDtype } from '../../plan/kv-dtype.js';
import { weightRoles } from '../../plan/validate.js';
import type { CudaExecutorLimits } from '../../run/executor/cuda/cuda-executor-options.js';
import { openCudaExecutor } from '../../run/executor/cuda/cuda-executor.js';
import type { Executor } from '../../run/executor/executor.js';
import type { TestModel } from '../../run/executor/testing/test-model.js';

/** Tools that stay the same from one executor to the next. */
export interface CudaTools {
  readonly libraryPath: string | undefined;
  readonly nvrtc: Nvrtc;
  readonly properties: GpuProperties;
  readonly pool: CpuPool;
  /** Machine code that was compiled, by what it was compiled for. */
  readonly compiled: Map<string, ReadonlyMap<string, Uint8Array>>;
  dispose(): void;
}

/** @throws {AloftError} DEVICE_UNAVAILABLE without a GPU or the compiler */
export function openCudaTools(libraryPath?: string): CudaTools {
  // Holds the device's context, which would be made anew for every executor.
  const holder = openGpu(0, libraryPath);
  const pool = createCpuPool();
  return {
    libraryPath,
    properties: holder.properties,
    nvrtc: openNvrtc(libraryPath),
    pool,
    compiled: new Map(),
    dispose() {
      pool.dispose();
      holder.dispose();
    },
  };
}

/** Setting in which a model runs. */
export interface CudaSetting {
  readonly model: TestModel;
  /** Type of the KV cache. Default: that of activations. */
  readonly kvDtype?: QuantisedKvDtype;
  readonly useGraphs: boolean;
  /** Runs the kernels that are chosen for compute capability 8.0. */
  readonly isOldDevice?: boolean;
  /** Changes packed weights before they are copied to the device. */
  readonly change?: (tensor: string, bytes: Uint8Array) => void;
  /** A tensor that the kernels look for where nothing is, so that the device fails. */
  readonly lostTensor?: string;
}

const OLD_CAPABILITY = 80;
/** A device address that no allocation has. */
const NOWHERE = 4096;

/** Opens an executor with exactly the blocks of `limits`. */
export function openTestExecutor(
  tools: CudaTools,
  setting: CudaSetting,
  limits: CudaExecutorLimits,
): Executor {
  const { model, useGraphs } = setting;
  const plan = { ...model.plan, kvDtype: setting.kvDtype ?? model.plan.kvDtype };
  const opened = openGpu(0, tools.libraryPath);
  const properties = setting.isOldDevice
    ? { ...opened.properties, computeCapability: OLD_CAPABILITY }
    : opened.properties;
  const gpu = { ...opened, properties };
  const addresses = uploadWeights(gpu, setting, tools.pool);
  const key = JSON.stringify([plan, properties.computeCapability, limits.blockTokens]);
  let units = tools.compiled.get(key);
  if (units === undefined) {
    const arch = architectureName(opened.properties.computeCapability);
    const requests = kernelUnits(plan, properties, limits.blockTokens).map((unit) => ({ ...unit, arch }));
    const compiled = compileUnits(tools.nvrtc, requests);
    units = new Map(Array.from(compiled, ([name, { cubin }]) => [name, cubin]));
    tools.compiled.set(key, units);
  }
  return openCudaExecutor({
    plan,
    gpu,
    limits,
    useGraphs,
    cudaLibraryPath: tools.libraryPath,
    units,
    tensorAddress: (name) => (name === setting.lostTensor ? NOWHERE : addresses.get(name)!),
    kv: {
      weightBytes: 0,
      kvCacheFreeMemFraction: 0.5,
      maxKvTokens: limits.blockCount * limits.blockTokens,
      maxDeviceBytes: undefined,
    },
  });
}

/** Packs a model's weights and copies them to the device. @returns addresses by tensor name */
export function uploadWeights(
  gpu: Gpu,
  { model: { plan, weights }, change }: Pick<CudaSetting, 'model' | 'change'>,
  pool: CpuPool,
): ReadonlyMap<string, number> {
  const layout = createCudaWeightLayout(pool);
  const addresses = new Map<string, number>();
  for (const [name, role] of weightRoles(plan)) {
    const weight = plan.weights[name]!;
    const specs = layout.specs(name, weight, role);
    const targets = specs.map(
      ({ dtype, shape }) => new Uint8Array(new ArrayBuffer(tensorBytes(dtype, shape))),
    );
    const { data, shape } = weights.get(name)!;
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    layout.pack({ kind: 'dense', tensor: { dtype: 'f32', shape, bytes } }, weight, role, targets);
    for (const [index, spec] of specs.entries()) {
      const target = targets[index]!;
      change?.(spec.name, target);
      const address = gpu.allocate(target.byteLength, spec.name);
      gpu.upload(address, target);
      addresses.set(spec.name, address);
    }
  }
  return addresses;
}
