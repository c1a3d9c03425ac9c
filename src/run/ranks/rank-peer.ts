import { AloftError } from '../../core/errors.js';
import type { FromRank, ToRank } from './rank-messages.js';

/** Connection of rank 0 with the process of another rank. */
export interface RankLink {
  send(message: ToRank): void;
  next(): Promise<FromRank>;
  /** Resolves when the process has ended, with a phrase that says how. */
  readonly ended: Promise<string>;
  /** Lets this process end although the rank runs, or not. */
  keepAlive(isKept: boolean): void;
}

/** Another rank, as rank 0 sees it. */
export class RankPeer {
  readonly rank: number;
  readonly pid: number;
  readonly ended: Promise<string>;
  readonly #link: RankLink;
  #hasEnded = false;

  constructor(rank: number, pid: number, link: RankLink) {
    this.rank = rank;
    this.pid = pid;
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
        `Rank ${this.rank} (process ${this.pid}) ${first} while it loaded; see what ended it (memory, a signal), then load again.`,
      );
    if (first.type === 'failed') throw new AloftError(first.error.code, first.error.message);
    if (first.type === type) return first as Extract<FromRank, { type: Type }>;
    throw new AloftError('INTERNAL', `rank ${this.rank} answered '${first.type}' for '${type}'`);
  }

  kill(): void {
    if (this.#hasEnded) return;
    try {
      process.kill(this.pid, 'SIGKILL');
    } catch {
      // It ended a moment ago.
    }
  }

  keepAlive(isKept: boolean): void {
    this.#link.keepAlive(isKept);
  }
}
