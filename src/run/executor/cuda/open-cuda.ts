/** Opens an engine directory on this machine's GPU. */
import { AloftError } from '../../../core/errors.js';
import { present } from '../../../core/present.js';
import { openDriver } from '../../../device/cuda/driver.js';
import { gpuCount, openGpu, type Gpu, type GpuProperties } from '../../../device/cuda/gpu.js';
import { architectureName } from '../../../device/cuda/architecture.js';
import type { KernelFacts } from '../../../device/cuda/kernel-facts.js';
import { KERNEL_TENSOR_PREFIX } from '../../../engine/format.js';
import type { EngineRank } from '../../../engine/rank-file-reader.js';
import { linearChooser } from '../../../ops/linear/cuda/choose.js';
import { parseWinners } from '../../../ops/linear/cuda/keys.js';
import type { Executor } from '../executor.js';
import type { OpenExecutorOptions } from '../opening/open-options.js';
import { openRank } from '../opening/open-rank.js';
import type { PreparedRank } from '../opening/prepared-rank.js';
import { shapeOf } from '../opening/sizing.js';
import { prepareCudaExecutor } from './cuda-executor.js';
import { cudaLimits, DEFAULT_FREE_FRACTION } from './cuda-sizing.js';

/** @throws {AloftError} of the engine reader, DEVICE_UNAVAILABLE, ENGINE_DEVICE, OUT_OF_MEMORY, UNSUPPORTED */
export async function openCudaEngine(given: OpenExecutorOptions): Promise<Executor> {
  const prepared = prepareCudaRank(given);
  return prepared.open({ blockCount: prepared.blockCount });
}

/** Loads the weights of a rank and allocates all but its KV cache. @throws {AloftError} as {@link openCudaEngine} */
export function prepareCudaRank(given: OpenExecutorOptions): PreparedRank {
  const engine = openRank(given, { device: 'cuda' });
  try {
    const gpu = openGpu(
      ordinalOfRank(given, () => countGpus(given.cudaLibraryPath)),
      given.cudaLibraryPath,
    );
    const attempt = <Value>(call: () => Value): Value => {
      try {
        return call();
      } catch (fault) {
        gpu.dispose();
        throw fault;
      }
    };
    const prepared = attempt(() => prepare(engine, gpu, given));
    return { ...prepared, open: (agreement) => attempt(() => prepared.open(agreement)) };
  } finally {
    engine.dispose();
  }
}

/**
 * GPU of a rank: rank 0 takes `--gpu`, the others those after it. Where a process sees a single GPU, it takes that: launchers
 * show each rank its own.
 * @throws {AloftError} USAGE for a `--gpu` that is not there, DEVICE_UNAVAILABLE for fewer GPUs than ranks
 */
export function ordinalOfRank(
  { gpu = 0, rank = 0, worldSize = 1, shareGpu = false, place }: OpenExecutorOptions,
  countAll: () => number,
): number {
  if (worldSize === 1 && gpu === 0) return gpu;
  const count = countAll();
  if (gpu >= count && count > 0)
    throw new AloftError(
      'USAGE',
      `--gpu is ${gpu}, but this machine shows ${count === 1 ? '1 GPU' : `${count} GPUs`}, counted from 0; give a smaller number.`,
    );
  if (worldSize === 1) return gpu;
  const { localRank, localSize } = place ?? { localRank: rank, localSize: worldSize };
  if (gpu + localSize <= count) return gpu + localRank;
  if (shareGpu) return (gpu + localRank) % Math.max(1, count);
  const isGivenOne = count === 1 && (rank > 0 || place !== undefined);
  if (isGivenOne) return 0;
  throw new AloftError(
    'DEVICE_UNAVAILABLE',
    `The engine runs on ${worldSize} GPUs, one for each rank, and this machine shows ${count}${gpu > 0 ? `, of which --gpu ${gpu} leaves out ${gpu}` : ''}; build one with a smaller --tp_size, or let ranks share GPUs with --share_gpu, which is slow and for checks.`,
  );
}

const countGpus = (libraryPath: string | undefined): number => gpuCount(openDriver(libraryPath));

function prepare(engine: EngineRank, gpu: Gpu, given: OpenExecutorOptions): PreparedRank {
  checkArchitecture(engine, gpu.properties);
  const facts = kernelFactsOf(engine);
  const units = copyMachineCode(engine);
  const addresses = uploadWeights(engine, gpu, given.onWeightBytes);
  const { cudaLibraryPath, collectives, oneShotRows, shareGpu, profile, useGraphs } = given;
  return prepareCudaExecutor({
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
      maxDeviceBytes: given.maxDeviceBytes ?? shareOfDevice(given, gpu.properties),
    },
    cudaLibraryPath,
    collectives,
    oneShotRows,
    shareGpu,
    ...present({ profile, useGraphs }),
  });
}

/** Bytes for each rank where ranks share a GPU: they load at the same time, so that none can see what is left. */
function shareOfDevice(
  { shareGpu, worldSize = 1, place }: OpenExecutorOptions,
  { totalBytes }: GpuProperties,
): number | undefined {
  const hostRanks = place?.localSize ?? worldSize;
  return shareGpu === true ? Math.floor((totalBytes * DEFAULT_FREE_FRACTION) / hostRanks) : undefined;
}

/** Machine code by unit, on the heap: kernels are loaded when the engine's file is no longer mapped. */
export function copyMachineCode({
  tensorNames,
  tensor,
}: Pick<EngineRank, 'tensorNames' | 'tensor'>): ReadonlyMap<string, Uint8Array> {
  const names = tensorNames.filter((name) => name.startsWith(KERNEL_TENSOR_PREFIX));
  return new Map(
    names.map((name) => [name.slice(KERNEL_TENSOR_PREFIX.length), Uint8Array.from(tensor(name).bytes())]),
  );
}

/** Copies an engine's weights to the device. @returns their addresses there by tensor. @throws {AloftError} OUT_OF_MEMORY */
function uploadWeights(
  engine: EngineRank,
  gpu: Gpu,
  onBytes: OpenExecutorOptions['onWeightBytes'],
): ReadonlyMap<string, number> {
  const addresses = new Map<string, number>();
  let bytes = 0;
  for (const name of engine.tensorNames) {
    if (name.startsWith(KERNEL_TENSOR_PREFIX)) continue;
    const { address, byteLength } = engine.tensor(name);
    const target = gpu.allocate(byteLength, `the weight ${name}`);
    gpu.driver.call('cuMemcpyHtoD_v2', target, address, byteLength);
    addresses.set(name, target);
    onBytes?.((bytes += byteLength));
  }
  return addresses;
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
