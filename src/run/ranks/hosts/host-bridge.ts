/** Connects the ranks of one host with those of the others. One process of each host runs it; it is no rank. */
import { availableParallelism } from 'node:os';
import { AloftError } from '../../../core/errors.js';
import type { JobPlace } from '../../../core/job-place.js';
import type { MpiJob } from '../../../device/cpu/mpi.js';
import { RankGroup } from '../../../device/cpu/rank-group.js';
import { NO_RANK } from '../../../device/cpu/rank-mirror.js';
import { sleepMicroseconds } from '../../../ffi/scheduling.js';
import { createRankMemory, joinRankMemory, type RankMemory } from '../rank-memory.js';
import { BranchSockets, type BridgeSession, HeadSockets } from './bridge-sockets.js';
import { decodeHostMessage, encodeHostMessage, HOST_MESSAGE, type HostMessage } from './host-message.js';
import { MemoryMirror } from './memory-mirror.js';

/** Time between looks at processes, and at other hosts, ms. */
const LOOK_MS = 20;
const SIGN_OF_LIFE_MS = 200;
/** Time without a sign of life after which a host is lost, ms. */
const LOST_MS = 2000;
/**
 * Part of the time between two looks that counts, ms: it stands still while this process does. Open MPI 4 takes two seconds
 * to find that the process of another host, to which it sends, has ended.
 */
const MAX_LOOK_MS = 500;
/** Time after the last message in which the next one is awaited without a pause, ms. */
const EAGER_MS = 20;
/** Pause between polls where ranks need all cores, us. */
const SHARED_CORE_PAUSE_US = 50;
/** Time that an engine's memory is looked at after its last connection has ended, ms. */
const LINGER_MS = 1000;
/** Time for the last messages to leave, ms. */
const FLUSH_MS = 500;

/** Engine that is open. */
interface Session {
  readonly number: number;
  readonly memory: RankMemory;
  readonly group: RankGroup;
  readonly mirror: MemoryMirror;
}

export class HostBridge implements BridgeSession {
  readonly #mpi: MpiJob;
  readonly #isHead: boolean;
  readonly #localRanks: readonly number[];
  /** Processes like this one, on the other hosts. */
  readonly #others: readonly number[];
  readonly #sockets: HeadSockets | BranchSockets;
  readonly #pids = new Map<number, number>();
  /** Time since another host gave a sign of life, and since this one did, ms. */
  readonly #silenceMs = new Map<number, number>();
  #quietMs = 0;
  #lastLookMs = performance.now();
  #session: Session | undefined;
  /** Set when the session has no connections any more. */
  #lingering: NodeJS.Timeout | undefined;
  #sessionCount = 0;
  #lastNewsMs = 0;
  #isOver = false;
  #isLost = false;

  constructor(mpi: MpiJob, place: JobPlace) {
    this.#mpi = mpi;
    this.#isHead = mpi.rank === 0;
    const ranks = mpi.hosts.map((_, rank) => rank);
    this.#localRanks = ranks.filter((rank) => mpi.hosts[rank] === mpi.rank);
    this.#others = ranks.filter((rank) => mpi.hosts[rank] === rank && rank !== mpi.rank);
    this.#sockets = this.#isHead ? new HeadSockets(place, this) : new BranchSockets(place, this, 0);
  }

  /** Runs until {@link close}, or until another host is lost. @throws {AloftError} ADDRESS_IN_USE */
  async run(): Promise<'closed' | 'lost'> {
    if (this.#sockets instanceof BranchSockets) await this.#sockets.listen();
    const clock = setInterval(() => this.#look(), LOOK_MS);
    while (!this.#isOver) {
      this.#turn();
      await this.#pause();
    }
    clearInterval(clock);
    return this.#isLost ? 'lost' : 'closed';
  }

  /** Ends all connections, and returns when that is on its way to the other hosts. */
  async close(): Promise<void> {
    this.#sockets.close();
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS)); // sockets say that they are closed
    const startMs = performance.now();
    while (this.#mpi.isSending && performance.now() - startMs < FLUSH_MS) {
      this.#turn();
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    this.#isOver = true;
  }

  /** Something has ended somewhere, and no host has said what: the most silent one is to blame. */
  suspect(): void {
    const [first, ...others] = this.#others;
    const silenceMs = (host: number): number => this.#silenceMs.get(host) ?? 0;
    const host = others.reduce((most, one) => (silenceMs(one) > silenceMs(most) ? one : most), first!);
    this.#session?.group.fail('RANK_DIED', host);
  }

  send(target: number, message: HostMessage): void {
    this.#mpi.send(target, encodeHostMessage(message));
  }

  register(rank: number, pid: number): void {
    this.#pids.set(rank, pid);
  }

  begin(session: number, path: string): { readonly session: number; readonly memoryPath: string } {
    if (this.#lingering !== undefined) this.#dispose();
    if (this.#session === undefined) this.#open(this.#isHead ? ++this.#sessionCount : session, path);
    const { number, memory } = this.#session!;
    return { session: number, memoryPath: `/proc/${process.pid}/fd/${memory.descriptor}` };
  }

  end(): void {
    // The connections of a process that was killed end before the process does, and the failure is still to come.
    this.#lingering = setTimeout(() => this.#dispose(), LINGER_MS).unref();
  }

  #dispose(): void {
    clearTimeout(this.#lingering);
    this.#lingering = undefined;
    const { memory, group } = this.#session ?? {};
    this.#session = undefined;
    group?.dispose();
    memory?.dispose();
  }

  #open(number: number, path: string): void {
    const rankCount = this.#mpi.size;
    const memory = this.#isHead ? joinRankMemory(path, rankCount) : createRankMemory(rankCount);
    const group = new RankGroup(memory.groupAddress, { rank: NO_RANK, rankCount });
    // Rank 0 does this on its own host.
    if (!this.#isHead)
      for (let rank = 0; rank < rankCount; rank++) group.register(rank, this.#pids.get(rank) ?? process.pid);
    const mirror = new MemoryMirror(
      {
        session: number,
        localRanks: this.#localRanks,
        rankCount,
        send: (message, target) => this.#broadcast(message, target === 'leader' ? [0] : this.#others),
      },
      memory,
      group,
    );
    this.#session = { number, memory, group, mirror };
  }

  #broadcast(message: HostMessage, targets: readonly number[]): void {
    for (const target of targets) this.send(target, message);
    this.#lastNewsMs = performance.now();
  }

  #turn(): void {
    this.#session?.mirror.sendNews();
    for (let message = this.#mpi.poll(); message !== undefined; message = this.#mpi.poll()) {
      this.#silenceMs.set(message.source, 0);
      this.#receive(message.source, message.bytes);
    }
  }

  #receive(source: number, bytes: Uint8Array): void {
    const message = decodeHostMessage(bytes);
    if (message.kind === HOST_MESSAGE.alive) return;
    this.#lastNewsMs = performance.now();
    if (message.kind <= HOST_MESSAGE.close) this.#sockets.receive(source, message);
    // Messages of an engine that has closed here may still be on their way.
    else if (message.session === this.#session?.number) this.#session.mirror.receive(message);
  }

  /** Looks at the processes of this host and at other hosts. */
  #look(): void {
    this.#session?.mirror.check();
    const nowMs = performance.now();
    const passedMs = Math.min(nowMs - this.#lastLookMs, MAX_LOOK_MS);
    this.#lastLookMs = nowMs;
    for (const host of this.#others) {
      const silenceMs = (this.#silenceMs.get(host) ?? 0) + passedMs;
      this.#silenceMs.set(host, silenceMs);
      if (silenceMs >= LOST_MS) this.#lose(host);
    }
    this.#quietMs += passedMs;
    if (this.#quietMs < SIGN_OF_LIFE_MS) return;
    this.#quietMs = 0;
    for (const host of this.#others) this.send(host, { kind: HOST_MESSAGE.alive });
  }

  /** Another host is silent: its first rank is to blame. */
  #lose(host: number): void {
    this.#session?.group.fail('RANK_LATE', host);
    this.#isLost = true;
    this.#isOver = true;
  }

  async #pause(): Promise<void> {
    const isEager = this.#session !== undefined && performance.now() - this.#lastNewsMs < EAGER_MS;
    if (!isEager) return new Promise((resolve) => setTimeout(resolve, 1));
    // Ranks take the cores that they have, so this process polls without a pause only where one is left.
    if (availableParallelism() <= this.#localRanks.length) sleepMicroseconds(SHARED_CORE_PAUSE_US);
    return new Promise((resolve) => setImmediate(resolve));
  }
}

/** @throws {AloftError} UNSUPPORTED when the processes have not found each other */
export function checkJob({ size, rank }: MpiJob, place: JobPlace): void {
  if (size === place.worldSize && rank === place.rank) return;
  throw new AloftError(
    'UNSUPPORTED',
    `Open MPI connects ${size} processes, and the job has ${place.worldSize}; start all of them with the mpirun that belongs to its libmpi.so.40.`,
  );
}
