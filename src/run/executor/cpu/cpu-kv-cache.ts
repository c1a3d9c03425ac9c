import type { StepInput } from '../../../core/step.js';
import { allocateHost, copyHost, type HostArea } from '../../../ffi/memory.js';
import { createKvLayout, type CpuKvDtype, type KvLayout } from '../../../ops/cpu/kv-layout.js';
import type { PlanDims } from '../../../plan/plan.js';

export interface CpuKvCacheOptions {
  readonly dims: PlanDims;
  readonly dtype: CpuKvDtype;
  readonly blockTokens: number;
  readonly blockCount: number;
  readonly hostBlockCount: number;
}

/** The KV cache of a CPU: one area of blocks, and another one for the host tier, whose blocks look alike. */
export class CpuKvCache {
  readonly layout: KvLayout;
  readonly #device: HostArea;
  readonly #host: HostArea;

  /** @throws {AloftError} OUT_OF_MEMORY */
  constructor({ dims, dtype, blockTokens, blockCount, hostBlockCount }: CpuKvCacheOptions) {
    this.layout = createKvLayout(dims, dtype, blockTokens);
    this.#device = allocateHost(blockCount * this.layout.blockStrideBytes);
    this.#host = hostBlockCount === 0 ? NO_AREA : allocateHost(hostBlockCount * this.layout.blockStrideBytes);
  }

  get deviceBytes(): number {
    return this.#device.byteLength;
  }

  get hostBytes(): number {
    return this.#host.byteLength;
  }

  /** Address of a layer's keys in block 0. */
  layerAddress(layer: number): number {
    return this.#device.address + layer * this.layout.layerStrideBytes;
  }

  /** Makes the block moves of a step. */
  move({ blocksToHost, blocksFromHost, blockCopies }: StepInput): void {
    const bytes = this.layout.blockStrideBytes;
    const device = (block: number): number => this.#device.address + block * bytes;
    const host = (block: number): number => this.#host.address + block * bytes;
    for (let i = 0; i < blocksToHost.length; i += 2)
      copyHost(host(blocksToHost[i + 1]!), device(blocksToHost[i]!), bytes);
    for (let i = 0; i < blocksFromHost.length; i += 2)
      copyHost(device(blocksFromHost[i]!), host(blocksFromHost[i + 1]!), bytes);
    for (let i = 0; i < blockCopies.length; i += 2)
      copyHost(device(blockCopies[i + 1]!), device(blockCopies[i]!), bytes);
  }

  dispose(): void {
    this.#device.dispose();
    this.#host.dispose();
  }
}

const NO_AREA: HostArea = {
  address: 0,
  byteLength: 0,
  bytes: () => new Uint8Array(0),
  release() {},
  lostPages: () => 0,
  dispose() {},
};
