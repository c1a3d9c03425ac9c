/** Opens an engine directory on this machine's GPU. */
import { AloftError } from '../../../core/errors.js';
import { present } from '../../../core/present.js';
import { openGpu, type Gpu, type GpuProperties } from '../../../device/cuda/gpu.js';
import { architectureName } from '../../../device/cuda/architecture.js';
import type { KernelFacts } from '../../../device/cuda/kernel-facts.js';
import { KERNEL_TENSOR_PREFIX } from '../../../engine/format.js';
import type { EngineRank } from '../../../engine/rank-file-reader.js';
import { linearChooser } from '../../../ops/linear/cuda/choose.js';
import { parseWinners } from '../../../ops/linear/cuda/keys.js';
import type { Executor } from '../executor.js';
import type { OpenExecutorOptions } from '../opening/open-options.js';
import { openRank } from '../opening/open-rank.js';
import { shapeOf } from '../opening/sizing.js';
import { openCudaExecutor } from './cuda-executor.js';
import { cudaLimits, DEFAULT_FREE_FRACTION } from './cuda-sizing.js';

/** @throws {AloftError} of the engine reader, DEVICE_UNAVAILABLE, ENGINE_DEVICE, OUT_OF_MEMORY, UNSUPPORTED */
export async function openCudaEngine(given: OpenExecutorOptions): Promise<Executor> {
  const engine = openRank(given, { device: 'cuda' });
  try {
    const gpu = openGpu(given.gpu ?? 0, given.cudaLibraryPath);
    try {
      return open(engine, gpu, given);
    } catch (fault) {
      gpu.dispose();
      throw fault;
    }
  } finally {
    engine.dispose();
  }
}

function open(engine: EngineRank, gpu: Gpu, given: OpenExecutorOptions): Executor {
  checkArchitecture(engine, gpu.properties);
  const facts = kernelFactsOf(engine);
  const { units, addresses } = takeTensors(engine, gpu);
  return openCudaExecutor({
    plan: engine.plan,
    gpu,
    units,
    chooseLinear: (libraryVersion) => linearChooser(facts.target, parseWinners(facts.linear, libraryVersion)),
    tensorAddress: (name) => addresses.get(name)!,
    limits: cudaLimits(shapeOf(engine), given),
    maxPromptTokens: engine.manifest.builder_config.max_input_len,
    kv: {
      weightBytes: engine.weightBytes,
      kvCacheFreeMemFraction: given.kvCacheFreeMemFraction ?? DEFAULT_FREE_FRACTION,
      maxKvTokens: given.maxKvTokens,
      maxDeviceBytes: given.maxDeviceBytes,
    },
    cudaLibraryPath: given.cudaLibraryPath,
    ...present({ profile: given.profile }),
  });
}

interface TakenTensors {
  /** Machine code by unit. */
  readonly units: ReadonlyMap<string, Uint8Array>;
  /** Device addresses of the weights by tensor. */
  readonly addresses: ReadonlyMap<string, number>;
}

/** Copies an engine's weights to the device and its machine code to the heap. @throws {AloftError} OUT_OF_MEMORY */
function takeTensors(engine: EngineRank, gpu: Gpu): TakenTensors {
  const addresses = new Map<string, number>();
  const units = new Map<string, Uint8Array>();
  for (const name of engine.tensorNames) {
    const tensor = engine.tensor(name);
    if (name.startsWith(KERNEL_TENSOR_PREFIX)) {
      units.set(name.slice(KERNEL_TENSOR_PREFIX.length), tensor.bytes());
      continue;
    }
    const target = gpu.allocate(tensor.byteLength, `the weight ${name}`);
    gpu.driver.call('cuMemcpyHtoD_v2', target, tensor.address, tensor.byteLength);
    addresses.set(name, target);
  }
  return { units, addresses };
}

/** @throws {AloftError} ENGINE_VERSION for engines of a builder that left no facts */
export function kernelFactsOf({
  kernelFacts,
  directory,
}: Pick<EngineRank, 'kernelFacts' | 'directory'>): KernelFacts {
  if (kernelFacts !== undefined) return kernelFacts as KernelFacts;
  throw new AloftError(
    'ENGINE_VERSION',
    `The engine in ${directory} does not say which kernels it holds, because an older Aloft built it; build it again.`,
  );
}

/** Machine code runs on its own architecture only. @throws {AloftError} ENGINE_DEVICE */
export function checkArchitecture(
  { manifest, directory }: Pick<EngineRank, 'manifest' | 'directory'>,
  gpu: Pick<GpuProperties, 'ordinal' | 'name' | 'computeCapability'>,
): void {
  const built = manifest.aloft.device_architecture;
  const here = architectureName(gpu.computeCapability);
  if (built === here) return;
  throw new AloftError(
    'ENGINE_DEVICE',
    `The engine in ${directory} was built for ${built}, and GPU ${gpu.ordinal} (${gpu.name}) is ${here}; build it again with 'aloft build --device cuda --arch ${here}'.`,
  );
}
