/** Ranks of several hosts, as the process of a host sees them that is connected with the other hosts. Native half: `rank-mirror.cpp`. */
import { addressOf } from '../../ffi/memory.js';
import { openKernelLibrary } from './kernel-library.js';
import type { RankGroup } from './rank-group.js';

/** Rank of a process that belongs to a group and is none of its ranks. */
export const NO_RANK = -1;

/** Bytes of a number that ranks exchange, and numbers of an exchange by its code (see `RankState` in rank-wait.h). */
const NUMBER_BYTES = 4;
const exchangeBytes = (exchange: number): number => Math.floor(exchange / 4) * NUMBER_BYTES;

/** Numbers that a rank shows in a round. */
export interface ShownPiece {
  readonly rank: number;
  readonly round: number;
  /** Kind and count, equal on all ranks. */
  readonly exchange: number;
  readonly bytes: Uint8Array;
}

/** The shared memory of a group, read for other hosts and written for them. */
export class RankMirror {
  readonly #handle: number;
  readonly #native = bindMirror();

  /** @param group of {@link NO_RANK} */
  constructor({ handle }: RankGroup) {
    this.#handle = handle;
  }

  /** Last round in which a rank has shown numbers. */
  arrived(rank: number): number {
    return Number(this.#native.arrived(this.#handle, rank));
  }

  /** Last message that a rank has done. */
  echoed(rank: number): number {
    return Number(this.#native.echoed(this.#handle, rank));
  }

  /** Last message of rank 0. */
  get commanded(): number {
    return Number(this.#native.commanded(this.#handle));
  }

  /** The group's failure as a number, the same on all hosts; 0: none. */
  get failure(): number {
    return Number(this.#native.failure(this.#handle));
  }

  /** Makes all waits of this host's ranks end. The first failure stays. */
  fail(failure: number): void {
    this.#native.fail(this.#handle, failure >> 8, failure & 255);
  }

  /** Looks whether all processes live that are registered and run; to be called every 20 ms. */
  check(): void {
    this.#native.check(this.#handle);
  }

  /** Copies the numbers that a rank shows in a round. */
  read(rank: number, round: number): ShownPiece {
    const exchange = Number(this.#native.exchange(this.#handle, rank, round));
    const bytes = new Uint8Array(new ArrayBuffer(exchangeBytes(exchange)));
    this.#native.read(this.#handle, rank, round, addressOf(bytes), bytes.length);
    return { rank, round, exchange, bytes };
  }

  /** Shows the numbers of a rank of another host. */
  arrive({ rank, round, exchange, bytes }: ShownPiece): void {
    this.#native.arrive(this.#handle, rank, round, exchange, addressOf(bytes), bytes.length);
  }

  /** A rank of another host has done a message. */
  echo(rank: number, number: number): void {
    this.#native.echo(this.#handle, rank, number);
  }
}

function bindMirror() {
  const library = openKernelLibrary();
  const bind = (result: string, name: string, parameters: string) =>
    library.bind(`${result} aloft_mirror_${name}(uint64_t group${parameters})`);
  return {
    arrived: bind('uint32_t', 'arrived', ', int rank'),
    echoed: bind('uint32_t', 'echoed', ', int rank'),
    commanded: bind('uint32_t', 'commanded', ''),
    failure: bind('int', 'failure', ''),
    fail: library.bind('int aloft_ranks_fail(uint64_t group, int fault, int rank)'),
    check: bind('int', 'check', ''),
    exchange: bind('int64_t', 'exchange', ', int rank, uint32_t round'),
    read: bind('void', 'read', ', int rank, uint32_t round, uint64_t to, int64_t byteCount'),
    arrive: bind(
      'void',
      'arrive',
      ', int rank, uint32_t round, int64_t exchange, uint64_t from, int64_t byteCount',
    ),
    echo: bind('void', 'echo', ', int rank, uint32_t number'),
  };
}
