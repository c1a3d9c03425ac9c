import { AloftError } from '../../core/errors.js';
import type { FromRank, Greeting, ToRank } from './rank-messages.js';

/** Connection of rank 0 with the process of another rank. */
export interface RankLink {
  send(message: ToRank): void;
  next(): Promise<FromRank>;
  /** Resolves when the process has ended, with a phrase that says how. */
  readonly ended: Promise<string>;
  /** Lets this process end although the rank runs, or not. */
  keepAlive(isKept: boolean): void;
  /** Ends the rank's process. */
  kill(): void;
}

/** Another rank, as rank 0 sees it. */
export class RankPeer {
  readonly rank: number;
  /** Process of this host that ends with the rank: its own, or the one that is connected with the rank's host. */
  readonly pid: number;
  /** Name of the rank's own process. */
  readonly name: string;
  readonly ended: Promise<string>;
  readonly #link: RankLink;
  #hasEnded = false;

  constructor({ rank, pid, remote }: Pick<Greeting, 'rank' | 'pid' | 'remote'>, link: RankLink) {
    this.rank = rank;
    this.pid = pid;
    this.name = remote === undefined ? `process ${pid}` : `process ${remote.pid} on ${remote.host}`;
    this.#link = link;
    this.ended = link.ended.then((how) => {
      this.#hasEnded = true;
      return how;
    });
  }

  /** Sends a message and waits for the answer. @throws {AloftError} the failure of the rank, RANK_DIED */
  async ask<Type extends FromRank['type']>(
    message: ToRank,
    type: Type,
  ): Promise<Extract<FromRank, { type: Type }>> {
    const answer = this.#link.next();
    this.#link.send(message);
    const first = await Promise.race([answer, this.ended]);
    if (typeof first === 'string')
      throw new AloftError(
        'RANK_DIED',
        `Rank ${this.rank} (${this.name}) ${first} while it loaded; see what ended it (memory, a signal), then load again.`,
      );
    if (first.type === 'failed') throw new AloftError(first.error.code, first.error.message);
    if (first.type === type) return first as Extract<FromRank, { type: Type }>;
    throw new AloftError('INTERNAL', `rank ${this.rank} answered '${first.type}' for '${type}'`);
  }

  kill(): void {
    if (this.#hasEnded) return;
    try {
      this.#link.kill();
    } catch {
      // It ended a moment ago.
    }
  }

  keepAlive(isKept: boolean): void {
    this.#link.keepAlive(isKept);
  }
}
