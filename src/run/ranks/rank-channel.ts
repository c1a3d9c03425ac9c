/** Messages from rank 0 to all others through shared memory, each answered by an echo that rank 0 compares. */
import type { RankGroup } from '../../device/cpu/rank-group.js';
import type { RankMemory } from './rank-memory.js';

/** Rank 0's end. */
export class RankSender {
  readonly #group: RankGroup;
  readonly #memory: RankMemory;
  /** Number of the last piece; wraps around at 32 bits, as the counters of the group do. */
  #number = 0;
  #expected: readonly number[] | undefined;

  constructor(group: RankGroup, memory: RankMemory) {
    this.#group = group;
    this.#memory = memory;
  }

  /** Sends a message, in pieces if it is long. @throws {AloftError} RANK_DIED, RANK_LATE, RANK_DIVERGED */
  send(parts: readonly Int32Array[]): void {
    this.settle();
    const { message } = this.#memory;
    message[0] = parts.reduce((sum, part) => sum + part.length, 0);
    let at = 1;
    for (const part of parts)
      for (let done = 0; done < part.length;) {
        if (at === message.length) {
          this.#command();
          this.#group.awaitEcho(this.#number);
          at = 0;
        }
        const piece = part.subarray(done, done + message.length - at);
        message.set(piece, at);
        at += piece.length;
        done += piece.length;
      }
    this.#command();
  }

  /** Stores the echo that all ranks must give to the message that was sent last. */
  expect(echo: readonly number[]): void {
    this.#expected = echo;
  }

  /** Waits until all have done the last message, and compares their echoes. @throws {AloftError} as {@link send} */
  settle(): void {
    this.#group.awaitEcho(this.#number);
    const expected = this.#expected;
    if (expected === undefined) return;
    this.#expected = undefined;
    for (let rank = 1; rank < this.#group.rankCount; rank++) {
      const echo = this.#memory.echoes[rank]!;
      if (!expected.every((value, i) => value === echo[i])) throw this.#group.fail('RANK_DIVERGED', rank);
    }
  }

  #command(): void {
    this.#number = (this.#number + 1) >>> 0;
    this.#group.command(this.#number);
  }
}

/** The end of any other rank. */
export class RankReceiver {
  readonly #group: RankGroup;
  readonly #memory: RankMemory;
  #number = 0;
  #received = new Int32Array(1024);

  constructor(group: RankGroup, memory: RankMemory) {
    this.#group = group;
    this.#memory = memory;
  }

  /**
   * Waits for the next message; it is valid until the one after.
   * @param look called now and then while nothing comes @throws {AloftError} RANK_DIED, RANK_LATE, RANK_DIVERGED, and what `look` throws
   */
  receive(look: () => void = () => undefined): Int32Array {
    this.#await(look);
    const { message } = this.#memory;
    const length = message[0]!;
    if (this.#received.length < length) this.#received = new Int32Array(2 * length);
    let at = 0;
    let piece = message.subarray(1, 1 + length);
    for (;;) {
      this.#received.set(piece, at);
      at += piece.length;
      if (at === length) return this.#received.subarray(0, length);
      this.#group.echo(this.#number);
      this.#await(look);
      piece = message.subarray(0, length - at);
    }
  }

  /** Answers the message: it is done. */
  answer(echo: readonly number[]): void {
    this.#memory.echoes[this.#group.rank]!.set(echo);
    this.#group.echo(this.#number);
  }

  #await(look: () => void): void {
    this.#number = (this.#number + 1) >>> 0;
    this.#group.awaitCommand(this.#number, look);
  }
}
