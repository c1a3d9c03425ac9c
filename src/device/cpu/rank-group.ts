/**
 * Processes that run an engine together: counters and buffers in shared memory, with a native half in `rank-group.cpp`. Ranks of
 * other hosts are shown in it by `rank-mirror.ts`.
 */
import { AloftError } from '../../core/errors.js';
import type { NativeFunction } from '../../ffi/library.js';
import { addressOf } from '../../ffi/memory.js';
import { openKernelLibrary } from './kernel-library.js';

/** Numbers of one buffer of a rank; larger exchanges take several rounds. */
const PIECE_COUNT = 65_536;

/** Answer of a wait whose time was over before anything came. */
const NOT_YET = -1;

/** Most ranks of an engine. */
const MAX_RANKS = 64;

/**
 * Time that a rank waits for another one that lives, ms. Ranks arrive within milliseconds of each other; the rest is for
 * machines that do much else.
 */
const DEFAULT_PATIENCE_MS = 10_000;

/** Kinds of failure in the order of the native half's numbers, which begin with 1. */
const FAULTS = ['RANK_DIED', 'RANK_LATE', 'RANK_DIVERGED'] as const;
type Fault = (typeof FAULTS)[number];

export interface RankPlace {
  readonly rank: number;
  readonly rankCount: number;
  /** Default {@link DEFAULT_PATIENCE_MS}. */
  readonly patienceMs?: number;
}

/** @throws {AloftError} UNSUPPORTED */
function checkRankCount(rankCount: number): void {
  if (rankCount <= MAX_RANKS) return;
  throw new AloftError(
    'UNSUPPORTED',
    `An engine runs on ${MAX_RANKS} ranks at most, not ${rankCount}; build the engine with a smaller --tp_size.`,
  );
}

/** Failure of a group, with the rank that is to blame. */
export class RankError extends AloftError {
  readonly rank: number;

  constructor(code: Fault, rank: number, message: string) {
    super(code, message);
    this.rank = rank;
  }
}

/** Bytes of shared memory that the native half of a group takes. @throws {AloftError} UNSUPPORTED for too many ranks */
export function rankGroupBytes(rankCount: number): number {
  checkRankCount(rankCount);
  const bytes = openKernelLibrary().bind('int64_t aloft_ranks_bytes(int rankCount, int64_t pieceCount)');
  return Number(bytes(rankCount, PIECE_COUNT));
}

/** One rank's side of a group. Every wait ends: with the others, or with a coded error that names the rank to blame. */
export class RankGroup {
  readonly rank: number;
  readonly rankCount: number;
  /** Time that a rank waits for another one that lives, ms. */
  readonly patienceMs: number;
  /** Names of processes, as messages have them. */
  readonly #names: string[] = [];
  /** The native half. */
  readonly handle: number;
  readonly #native: ReturnType<typeof bindGroup>;

  /** @param address of {@link rankGroupBytes} of shared memory, zero before the first rank joins */
  constructor(address: number, { rank, rankCount, patienceMs = DEFAULT_PATIENCE_MS }: RankPlace) {
    this.rank = rank;
    this.rankCount = rankCount;
    this.patienceMs = patienceMs;
    this.#native = bindGroup();
    this.handle = Number(this.#native.join(address, rank, rankCount, PIECE_COUNT, patienceMs));
  }

  /**
   * Stores which process a rank is, so that all others notice its end.
   * @param pid of a rank on another host: the process of this host that is connected with it
   */
  register(rank: number, pid: number, name = `process ${pid}`): void {
    this.#names[rank] = name;
    this.#native.register(this.handle, rank, pid);
  }

  /** Number of exchanges so far: equal on all ranks between two steps. */
  get round(): number {
    return Number(this.#native.round(this.handle));
  }

  /** Replaces x by the sum over ranks.  x [count] f32 @throws {AloftError} RANK_DIED, RANK_LATE, RANK_DIVERGED */
  allReduce(x: number, count: number): void {
    this.#check(this.#native.allReduce(this.handle, x, count));
  }

  /** x [rows, columns] f32 of all ranks -> out [rows, outColumns] f32 @throws {AloftError} as {@link allReduce} */
  allGather(
    x: number,
    out: number,
    shape: readonly [rows: number, columns: number, outColumns: number],
  ): void {
    this.#check(this.#native.allGather(this.handle, x, out, ...shape));
  }

  /**
   * Shows bytes to all ranks and returns those of all, in order. All ranks have come when it returns.
   * @param own a multiple of 4 bytes, as many on every rank @throws {AloftError} as {@link allReduce}
   */
  exchange(own: Uint8Array): Uint8Array[] {
    const count = own.byteLength / 4;
    // Memory of an ArrayBuffer does not move, unlike that of a small array.
    const from = new Float32Array(new ArrayBuffer(4 * count));
    const all = new Float32Array(new ArrayBuffer(4 * count * this.rankCount));
    new Uint8Array(from.buffer).set(own);
    this.allGather(addressOf(from), addressOf(all), [1, count, all.length]);
    const bytes = new Uint8Array(all.buffer);
    return Array.from({ length: this.rankCount }, (_, rank) =>
      bytes.slice(rank * own.byteLength, (rank + 1) * own.byteLength),
    );
  }

  /** Rank 0: wakes the others for message `number`. */
  command(number: number): void {
    this.#native.command(this.handle, number);
  }

  /**
   * Other ranks: waits for message `number` for as long as rank 0 lives.
   * @param look called about every 20 ms while nothing comes @throws {AloftError} as {@link allReduce}, and what `look` throws
   */
  awaitCommand(number: number, look: () => void): void {
    for (;;) {
      const result = this.#native.awaitCommand(this.handle, number);
      if (result !== NOT_YET) return this.#check(result);
      look();
    }
  }

  /** Other ranks: message `number` is done. */
  echo(number: number): void {
    this.#native.echo(this.handle, number);
  }

  /** Rank 0: waits until all others have done message `number`. @throws {AloftError} as {@link allReduce} */
  awaitEcho(number: number): void {
    this.#check(this.#native.awaitEcho(this.handle, number));
  }

  /** Makes all waits of all ranks end. @returns the error of the first failure, which may be an earlier one */
  fail(fault: Fault, rank: number): RankError {
    return this.#errorOf(Number(this.#native.fail(this.handle, FAULTS.indexOf(fault) + 1, rank)));
  }

  dispose(): void {
    this.#native.leave(this.handle);
  }

  #check(failure: number | bigint): void {
    if (failure !== 0) throw this.#errorOf(Number(failure));
  }

  #errorOf(failure: number): RankError {
    const [fault, rank] = [FAULTS[(failure >> 8) - 1]!, failure & 255];
    const name = this.#names[rank];
    const whole = `Rank ${rank} of ${this.rankCount}${name === undefined ? '' : ` (${name})`}`;
    return new RankError(fault, rank, `${whole} ${SENTENCES[fault]}`);
  }
}

const SENTENCES: Readonly<Record<Fault, string>> = {
  RANK_DIED:
    'has ended, and the other ranks with it; see what ended it (memory, a signal), then load the engine again.',
  RANK_LATE:
    'is stopped or did not answer in time, and the others were ended; see what keeps it from running, then load the engine again.',
  RANK_DIVERGED:
    'ran something else than the other ranks; start all ranks from one engine and one version of Aloft.',
};

function bindGroup() {
  const library = openKernelLibrary();
  const bind = (result: string, name: string, parameters: string): NativeFunction =>
    library.bind(`${result} aloft_ranks_${name}(${parameters})`);
  return {
    join: bind(
      'uint64_t',
      'join',
      'uint64_t address, int rank, int rankCount, int64_t pieceCount, int patienceMs',
    ),
    leave: bind('void', 'leave', 'uint64_t group'),
    register: bind('void', 'register', 'uint64_t group, int rank, int pid'),
    fail: bind('int', 'fail', 'uint64_t group, int fault, int rank'),
    round: bind('uint32_t', 'round', 'uint64_t group'),
    allReduce: bind('int', 'all_reduce', 'uint64_t group, uint64_t x, int64_t count'),
    allGather: bind(
      'int',
      'all_gather',
      'uint64_t group, uint64_t x, uint64_t out, int64_t rows, int64_t columns, int64_t outColumns',
    ),
    command: bind('void', 'command', 'uint64_t group, uint32_t number'),
    awaitCommand: bind('int', 'await_command', 'uint64_t group, uint32_t number'),
    echo: bind('void', 'echo', 'uint64_t group, uint32_t number'),
    awaitEcho: bind('int', 'await_echo', 'uint64_t group, uint32_t number'),
  };
}
