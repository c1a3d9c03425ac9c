/** Links between the GPUs of a machine, by what the driver and NVML say. */
import { P2P_ATTRIBUTE } from './driver-api.js';
import { type CudaDriver, openDriver } from './driver.js';
import type { GpuProperties } from './gpu.js';
import { openNccl } from './nccl.js';
import { type GpuPath, type Nvml, openNvml } from './nvml.js';
import { attemptsInto } from './survey-attempts.js';

/** Two GPUs. */
export interface PairLink {
  /** Their ordinals, the lower one first. */
  readonly gpus: readonly [number, number];
  /** Whether each may map the other's memory, as the driver says. */
  readonly reachesMemory: boolean;
  /** Whether all atomic operations work on the other's memory. */
  readonly hasAtomics: boolean;
  /** The driver's rank of the link's speed: 0 is that of the fastest. */
  readonly performanceRank: number;
  /** Undefined where NVML is missing or does not know. */
  readonly path: GpuPath | undefined;
}

export interface LinkSurvey {
  readonly pairs: readonly PairLink[];
  readonly nvml: string | undefined;
  /** Undefined also where every GPU reaches every other one, so that nobody needs it. */
  readonly nccl: string | undefined;
  /** Sentences on what could not be found out. */
  readonly notes: readonly string[];
}

/** Looks without taking a GPU: no context is made. One GPU has no links. */
export function surveyLinks(gpus: readonly GpuProperties[], libraryPath?: string): LinkSurvey {
  if (gpus.length < 2) return { pairs: [], nvml: undefined, nccl: undefined, notes: [] };
  const notes: string[] = [];
  const attempt = attemptsInto(notes);
  const nvml = attempt(() => openNvml(libraryPath));
  const readPairs = (): PairLink[] => {
    const driver = openDriver(libraryPath);
    return gpus.flatMap((a, i) => gpus.slice(i + 1).map((b) => pairLink(driver, nvml, a, b)));
  };
  const pairs = attempt(readPairs) ?? [];
  nvml?.dispose();
  const areApart = pairs.some(({ reachesMemory }) => !reachesMemory);
  const nccl = areApart ? attempt(() => openNccl(libraryPath).version) : undefined;
  return { pairs, nvml: nvml?.version, nccl, notes };
}

function pairLink(driver: CudaDriver, nvml: Nvml | undefined, a: GpuProperties, b: GpuProperties): PairLink {
  const [from, to] = [a.ordinal, b.ordinal];
  const reaches = (one: number, other: number): boolean =>
    driver.out32('cuDeviceCanAccessPeer', one, other) !== 0;
  const attribute = (id: number): number => driver.out32('cuDeviceGetP2PAttribute', id, from, to);
  return {
    gpus: [from, to],
    reachesMemory: reaches(from, to) && reaches(to, from),
    hasAtomics: attribute(P2P_ATTRIBUTE.nativeAtomics) !== 0,
    performanceRank: attribute(P2P_ATTRIBUTE.performanceRank),
    path: nvml?.path(a.uuid, b.uuid),
  };
}
