/** Connects ranks: each proves that it reaches the others' memory, or all take NCCL. */
import { hostname } from 'node:os';
import { AloftError } from '../../../core/errors.js';
import type { CollectivesWay } from '../../../core/engine-options.js';
import type { RankGroup } from '../../../device/cpu/rank-group.js';
import { memoryHandle, openPeerMemory, type PeerMemory } from '../../../device/cuda/peer-memory.js';
import { type Communicator, NCCL_ID_BYTES, type Nccl, openNccl } from '../../../device/cuda/nccl.js';
import type { Gpu, PinnedArea } from '../../../device/cuda/gpu.js';
import type { Kernels } from '../../../device/cuda/kernels.js';
import type { Stream } from '../../../device/cuda/stream.js';
import { cudaDtype } from '../../../ops/cuda/dtype.js';
import type { KernelLaunch } from '../../../ops/cuda/launch.js';
import type { LibraryExchange } from '../../../ops/cuda/sink.js';
import {
  crossingOf,
  decodeTimes,
  encodeTimes,
  isOneShot,
  slowestTimes,
  timesText,
  wholeClasses,
} from '../../../ops/exchange/crossing.js';
import { proofLaunch } from '../../../ops/exchange/cuda.js';
import type { RankConnection, ReduceWay } from '../../../ops/exchange/ranks.js';
import {
  type ExchangeLayout,
  MAX_PEERS,
  ONE_SHOT_ROWS,
  REGION_NAMES,
  type RegionName,
  regionTable,
} from '../../../ops/exchange/region.js';
import type { Plan } from '../../../plan/plan.js';
import { timedBytes, timeReduces } from './reduce-timer.js';
import { checkCards, decodeCard, encodeCard, type RankCard } from './rank-card.js';

/** Words of the host's memory that kernels look at while they wait; SignalWord in exchange.cuh. */
const SIGNAL = { stop: 0, late: 1 } as const;
const SIGNAL_BYTES = 64;
/** Most rows of sums in one shot where they are not timed; of more than two ranks, each would send too much in one. */
const UNTIMED_ONE_SHOT_ROWS = 64;
const MARK = 0x1a10f7;

/** Parts of a rank that the connection uses. */
interface LinkParts {
  readonly plan: Plan;
  readonly group: RankGroup;
  readonly gpu: Gpu;
  readonly kernels: Kernels;
  readonly stream: Stream;
  /** Memory that the other ranks store into. */
  readonly memory: number;
  readonly layout: ExchangeLayout;
  readonly options: GpuLinkOptions;
}

interface GpuLinkOptions {
  readonly collectives?: CollectivesWay | undefined;
  readonly shareGpu?: boolean | undefined;
  readonly oneShotRows?: number | undefined;
  readonly cudaLibraryPath: string | undefined;
}

/** A rank's connection with the others. Kernels of it that wait in vain end by themselves. */
export class GpuLink {
  readonly connection: RankConnection;
  /** Sentence on the ranks' GPUs and the way between them. */
  readonly summary: string;
  readonly #parts: LinkParts;
  readonly #signals: PinnedArea;
  readonly #peers: (PeerMemory | undefined)[] = [];
  readonly #communicator: Communicator | undefined;

  /** Returns when all ranks are connected. @throws {AloftError} DEVICE_UNAVAILABLE, RANK_DIVERGED, and as exchanges of the group */
  constructor(parts: LinkParts) {
    const { plan, group, gpu, options, memory, layout } = parts;
    this.#parts = parts;
    this.#signals = gpu.allocatePinned(SIGNAL_BYTES);
    new Uint32Array(this.#signals.buffer).fill(0);
    const cards = this.#showCards();
    checkCards(cards, options.shareGpu ?? false);
    const obstacle = options.collectives === 'nccl' ? 'as asked' : this.#reachPeers(cards);
    const hasPeerMemory = obstacle === undefined;
    const nccl = hasPeerMemory ? undefined : this.#joinNccl(obstacle);
    this.#communicator = nccl?.communicator;
    const connection = {
      rank: group.rank,
      worldSize: group.rankCount,
      dtype: cudaDtype(plan),
      multiprocessorCount: gpu.properties.multiprocessorCount,
      hasPeerMemory,
      table: (name: RegionName) => memory + layout.tableOffset(name),
      room: (name: RegionName) => memory + layout.regions[name].offset,
    };
    const crossing = hasPeerMemory ? this.#findCrossing(connection) : undefined;
    const wayOf = (rows: number): ReduceWay => {
      if (crossing === undefined) return 'library';
      return isOneShot(rows, crossing.rows) ? 'oneShot' : 'twoShot';
    };
    this.connection = { ...connection, wayOf };
    const places = cards.map(({ uuid }, rank) => `rank ${rank} on ${uuid}`).join(', ');
    const way =
      crossing !== undefined
        ? `sums of up to ${crossing.rows} rows in one shot over peer memory, of more in two (${crossing.reason})`
        : `sums by NCCL ${nccl!.version} (${obstacle})`;
    this.summary = `${places}; ${way}`;
  }

  /** Enqueues an exchange by NCCL. */
  exchange(call: LibraryExchange): void {
    this.#communicator!.exchange(call, this.#parts.stream);
  }

  /** Error of a connection that has broken. */
  fault(): AloftError | undefined {
    const { group } = this.#parts;
    const late = new Uint32Array(this.#signals.buffer)[SIGNAL.late]!;
    if (late > 0) return group.fail('RANK_LATE', late - 1);
    if (this.#communicator?.hasFailed() === true)
      return new AloftError(
        'DEVICE_FAILED',
        'NCCL lost its connection with another rank; load the engine again.',
      );
    return undefined;
  }

  /** Ends what waits for other ranks on the device. */
  stop(): void {
    new Uint32Array(this.#signals.buffer)[SIGNAL.stop] = 1;
    this.#communicator?.abort();
  }

  dispose(): void {
    this.#communicator?.dispose();
    for (const peer of this.#peers) peer?.dispose();
  }

  #showCards(): readonly RankCard[] {
    const { group, gpu, memory, layout } = this.#parts;
    const card = {
      host: hostname(),
      uuid: gpu.properties.uuid,
      byteLength: layout.byteLength,
      handle: attempt(() => memoryHandle(gpu.driver, memory)).value,
    };
    return group.exchange(encodeCard(card)).map(decodeCard);
  }

  /** Maps the memory of all others and proves it. @returns why that is not possible, the same on every rank */
  #reachPeers(cards: readonly RankCard[]): string | undefined {
    const { group, gpu } = this.#parts;
    if (group.rankCount > MAX_PEERS) return `more than ${MAX_PEERS} ranks`;
    const away = cards.findIndex(({ host }) => host !== cards[0]!.host);
    if (away > 0) return `rank ${away} is on another host than rank 0`;
    const opened = attempt(() => {
      for (const [rank, { handle }] of cards.entries())
        this.#peers[rank] =
          rank === group.rank || handle === undefined ? undefined : openPeerMemory(gpu.driver, handle);
      return cards.every(({ handle }) => handle !== undefined);
    }).value;
    if (opened === true) this.#prepareRegions();
    const blind = this.#firstWithout(opened === true);
    if (blind !== undefined) return `GPUs cannot map the memory of each other, says rank ${blind}`;
    const forgetful = this.#firstWithout(this.#provePeers());
    return forgetful === undefined
      ? undefined
      : `stores into the memory of another GPU are lost, says rank ${forgetful}`;
  }

  /** Most rows of sums in one shot, the same on every rank. */
  #findCrossing(connection: Omit<RankConnection, 'wayOf'>): {
    readonly rows: number;
    readonly reason: string;
  } {
    const { group, gpu, kernels, stream, plan, options } = this.#parts;
    if (options.oneShotRows !== undefined)
      return { rows: wholeClasses(options.oneShotRows), reason: 'as asked' };
    const { hidden } = plan.dims;
    // Ranks that share a GPU wait for each other's turn on it, which says nothing about their sums.
    const memory =
      options.shareGpu === true
        ? undefined
        : attempt(() => gpu.allocate(timedBytes(hidden), 'timed sums')).value;
    if (this.#firstWithout(memory !== undefined) !== undefined) {
      if (memory !== undefined) gpu.free(memory);
      return { rows: group.rankCount > 2 ? UNTIMED_ONE_SHOT_ROWS : ONE_SHOT_ROWS, reason: 'not timed' };
    }
    const sink = {
      kernel: (launch: KernelLaunch) => kernels.launch(stream, launch, true),
      matmul: () => undefined,
    };
    const own = timeReduces({ gpu, stream, sink, connection, hidden, memory: memory! });
    gpu.free(memory!);
    const times = slowestTimes(group.exchange(encodeTimes(own)).map(decodeTimes));
    return { rows: crossingOf(times), reason: `timed, us in one and in two: ${timesText(times)}` };
  }

  /** Asks all ranks. @returns the first that says no, the same on every rank */
  #firstWithout(isGood: boolean): number | undefined {
    const answers = this.#parts.group.exchange(Uint8Array.of(isGood ? 1 : 0, 0, 0, 0));
    const rank = answers.findIndex(([answer]) => answer === 0);
    return rank < 0 ? undefined : rank;
  }

  /** Makes this rank's regions empty, and describes all of them to kernels. */
  #prepareRegions(): void {
    const { gpu, stream, memory, layout, group } = this.#parts;
    const peers = Array.from({ length: group.rankCount }, (_, rank) => this.#peers[rank]?.address ?? memory);
    const place = {
      rank: group.rank,
      own: memory,
      peers,
      signals: this.#signals.address,
      deadlineNs: group.patienceMs * 1e6,
    };
    for (const name of REGION_NAMES) {
      const { offset, byteLength, sentinel } = layout.regions[name];
      if (byteLength > 0) stream.fillWords(memory + offset, sentinel, byteLength / 4);
      stream.fillWords(memory + layout.stateOffset(name), 0, 4);
      gpu.upload(memory + layout.tableOffset(name), regionTable(layout, name, place));
    }
    stream.synchronize();
  }

  /** Stores a mark in the memory of every other rank, and reads it back there and what others stored here. */
  #provePeers(): boolean {
    const { gpu, group, kernels, stream, memory, layout } = this.#parts;
    const { rank, rankCount } = group;
    const args = {
      region: memory + layout.tableOffset('proof'),
      read: memory + layout.marksOffset,
      mark: MARK,
    };
    const run = (kernel: 'store_marks' | 'read_marks'): void => {
      kernels.launch(stream, proofLaunch(kernel, args), false);
      stream.synchronize();
    };
    run('store_marks');
    this.#firstWithout(true); // all have stored theirs
    run('read_marks');
    const marks = new Uint32Array(new ArrayBuffer(8 * rankCount));
    gpu.download(args.read, marks);
    return marks.every((mark, i) => mark === MARK + (i < rankCount ? i : rank));
  }

  /** @param obstacle on the way by peer memory @throws {AloftError} DEVICE_UNAVAILABLE, the same on every rank that has NCCL */
  #joinNccl(obstacle: string): { readonly communicator: Communicator; readonly version: string } {
    const { group, options, gpu } = this.#parts;
    const { value: nccl, fault } = attempt((): Nccl => openNccl(options.cudaLibraryPath));
    const without = this.#firstWithout(nccl !== undefined);
    if (nccl === undefined) throw fault;
    if (without !== undefined)
      throw new AloftError(
        'DEVICE_UNAVAILABLE',
        `Rank ${without} has no NCCL, which ranks need here (${obstacle}); install NCCL 2 for all of them.`,
      );
    const own = group.rank === 0 ? nccl.createId() : new Uint8Array(NCCL_ID_BYTES);
    const id = group.exchange(own)[0]!;
    gpu.synchronize();
    const communicator = nccl.join({ id, rank: group.rank, rankCount: group.rankCount });
    return { communicator, version: nccl.version };
  }
}

/** Value of a call, or the error that it threw. */
function attempt<Value>(call: () => Value): { readonly value?: Value; readonly fault?: AloftError } {
  try {
    return { value: call() };
  } catch (fault) {
    if (fault instanceof AloftError) return { fault };
    throw fault;
  }
}
