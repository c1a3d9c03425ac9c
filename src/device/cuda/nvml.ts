/** NVIDIA's management library: how GPUs are linked. https://docs.nvidia.com/deploy/nvml-api */
import { AloftError } from '../../core/errors.js';
import type { NativeFunction } from '../../ffi/library.js';
import { addressOf } from '../../ffi/memory.js';
import { openCudaLibrary } from './library-search.js';

/** Devices are handles; results go to addresses. */
const PROTOTYPES = {
  nvmlInit_v2: '()',
  nvmlShutdown: '()',
  nvmlSystemGetNVMLVersion: '(uint64_t text, uint32_t length)',
  nvmlDeviceGetHandleByUUID: '(str uuid, uint64_t device)',
  nvmlDeviceGetPciInfo_v3: '(uint64_t device, uint64_t place)',
  nvmlDeviceGetNvLinkState: '(uint64_t device, uint32_t link, uint64_t isActive)',
  nvmlDeviceGetNvLinkRemoteDeviceType: '(uint64_t device, uint32_t link, uint64_t type)',
  nvmlDeviceGetNvLinkRemotePciInfo_v2: '(uint64_t device, uint32_t link, uint64_t place)',
  nvmlDeviceGetP2PStatus: '(uint64_t device, uint64_t peer, int capability, uint64_t status)',
  nvmlDeviceGetTopologyCommonAncestor: '(uint64_t device, uint64_t peer, uint64_t level)',
} as const;

type CallName = keyof typeof PROTOTYPES;

const SUCCESS = 0;
/** More links than any GPU has so far; asking for one that is not there fails. */
const MAX_LINKS = 36;
/** nvml.h: enumeration values. */
const ACTIVE = 1;
const SWITCH = 2;
const P2P_OVER_NVLINK = 2;
const P2P_OK = 0;
/** Room for every result: `nvmlPciInfo_t` has 68 bytes, a version 80 at most. */
const RESULT_BYTES = 128;
/** Domain, bus and device in `nvmlPciInfo_t`, words of 32 bits. */
const PCI_PLACE_OFFSETS = [16, 20, 24] as const;

/** The closest part of the host that two GPUs have in common. */
export type CommonAncestor = 'board' | 'switch' | 'switches' | 'host bridge' | 'NUMA node' | 'system';

/** By `nvmlGpuTopologyLevel_t`. */
const ANCESTORS: ReadonlyMap<number, CommonAncestor> = new Map([
  [0, 'board'],
  [10, 'switch'],
  [20, 'switches'],
  [30, 'host bridge'],
  [40, 'NUMA node'],
  [50, 'system'],
]);

/** The way of data from one GPU to another. */
export type GpuPath =
  | { readonly type: 'nvlink'; readonly linkCount: number; readonly isThroughSwitch: boolean }
  | { readonly type: 'pcie'; readonly ancestor: CommonAncestor };

/** Opens the library. @throws {AloftError} DEVICE_UNAVAILABLE when it is not installed or does not fit the driver */
export function openNvml(libraryPath?: string): Nvml {
  const calls = new NvmlCalls(libraryPath);
  if (calls.succeeds('nvmlInit_v2')) return new Nvml(calls);
  throw new AloftError(
    'DEVICE_UNAVAILABLE',
    'NVML (libnvidia-ml.so.1) cannot be used: it does not fit the driver that runs; restart after an update of the driver.',
  );
}

/** The library's functions. A GPU that lacks what is asked for says no, and so does a library that lacks the function. */
class NvmlCalls {
  readonly #functions: Partial<Record<CallName, NativeFunction>>;
  readonly #result = new DataView(new ArrayBuffer(RESULT_BYTES));
  readonly #out = addressOf(this.#result);

  constructor(libraryPath: string | undefined) {
    const library = openCudaLibrary('nvml', libraryPath);
    this.#functions = Object.fromEntries(
      Object.entries(PROTOTYPES)
        .filter(([name]) => library.has(name))
        .map(([name, parameters]) => [name, library.bind(`int ${name}${parameters}`)]),
    );
  }

  succeeds(name: CallName, ...args: readonly unknown[]): boolean {
    return Number(this.#functions[name]?.(...args) ?? -1) === SUCCESS;
  }

  /** A result of 32 bits. */
  word(name: CallName, ...args: readonly unknown[]): number | undefined {
    return this.succeeds(name, ...args, this.#out) ? this.#result.getUint32(0, true) : undefined;
  }

  device(uuid: string): number | undefined {
    const isKnown = this.succeeds('nvmlDeviceGetHandleByUUID', uuid, this.#out);
    return isKnown ? Number(this.#result.getBigUint64(0, true)) : undefined;
  }

  /** Domain, bus and device of a PCI place. */
  place(name: CallName, ...args: readonly unknown[]): string | undefined {
    if (!this.succeeds(name, ...args, this.#out)) return undefined;
    return PCI_PLACE_OFFSETS.map((offset) => this.#result.getUint32(offset, true)).join(':');
  }

  version(): string | undefined {
    if (!this.succeeds('nvmlSystemGetNVMLVersion', this.#out, RESULT_BYTES)) return undefined;
    const text = new Uint8Array(this.#result.buffer);
    return new TextDecoder().decode(text.subarray(0, text.indexOf(0)));
  }
}

/** Active links of a GPU, by where they lead. */
interface LinkEnds {
  /** Place of the GPU itself. */
  readonly place: string | undefined;
  /** Links by the places of the other ends. */
  readonly counts: ReadonlyMap<string, number>;
  readonly toSwitches: number;
}

export class Nvml {
  /** Such as `13.580.65.06`. */
  readonly version: string | undefined;
  readonly #calls: NvmlCalls;

  constructor(calls: NvmlCalls) {
    this.#calls = calls;
    this.version = calls.version();
  }

  /** The path between two GPUs, named by their UUIDs; undefined where the library does not know it, as for parts of a GPU. */
  path(a: string, b: string): GpuPath | undefined {
    const [from, to] = [this.#calls.device(a), this.#calls.device(b)];
    if (from === undefined || to === undefined) return undefined;
    const links = this.#nvLinks(from, to);
    if (links !== undefined) return links;
    const level = this.#calls.word('nvmlDeviceGetTopologyCommonAncestor', from, to);
    const ancestor = level === undefined ? undefined : ANCESTORS.get(level);
    return ancestor && { type: 'pcie', ancestor };
  }

  dispose(): void {
    this.#calls.succeeds('nvmlShutdown');
  }

  #nvLinks(from: number, to: number): GpuPath | undefined {
    const [ends, otherEnds] = [this.#endsOf(from), this.#endsOf(to)];
    const direct = ends.counts.get(otherEnds.place ?? '');
    if (direct !== undefined) return { type: 'nvlink', linkCount: direct, isThroughSwitch: false };
    const linkCount = Math.min(ends.toSwitches, otherEnds.toSwitches);
    // Links to a switch lead to another GPU only where the switch has been set up.
    const isSetUp = this.#calls.word('nvmlDeviceGetP2PStatus', from, to, P2P_OVER_NVLINK) === P2P_OK;
    return linkCount > 0 && isSetUp ? { type: 'nvlink', linkCount, isThroughSwitch: true } : undefined;
  }

  #endsOf(device: number): LinkEnds {
    const counts = new Map<string, number>();
    let toSwitches = 0;
    for (let link = 0; link < MAX_LINKS; link++) {
      if (this.#calls.word('nvmlDeviceGetNvLinkState', device, link) !== ACTIVE) continue;
      const type = this.#calls.word('nvmlDeviceGetNvLinkRemoteDeviceType', device, link);
      if (type === SWITCH) toSwitches++;
      const end = this.#calls.place('nvmlDeviceGetNvLinkRemotePciInfo_v2', device, link);
      if (end !== undefined) counts.set(end, (counts.get(end) ?? 0) + 1);
    }
    return { place: this.#calls.place('nvmlDeviceGetPciInfo_v3', device), counts, toSwitches };
  }
}
