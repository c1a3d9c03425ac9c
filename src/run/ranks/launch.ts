/** Starts the processes of ranks on this host, as children of this process. */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { AloftError } from '../../core/errors.js';
import type { FromRank, ToRank } from './rank-messages.js';

const ENTRY = fileURLToPath(new URL('./rank-process.js', import.meta.url));

/** The process of one rank. */
export class RankProcess {
  readonly rank: number;
  readonly pid: number;
  /** Resolves when it has ended, with a phrase that says how. */
  readonly ended: Promise<string>;
  readonly #child: ChildProcess;

  /** @param descriptor of the shared memory */
  constructor(rank: number, descriptor: number) {
    const stdio = ['ignore', 'inherit', 'inherit', 'ipc', descriptor] as const;
    // Flags of this process, such as those of an inspector or a test runner, are not for ranks.
    const child = fork(ENTRY, [], { stdio: [...stdio], serialization: 'advanced', execArgv: [] });
    if (child.pid === undefined)
      throw new AloftError(
        'RANK_DIED',
        `The process of rank ${rank} cannot be started; see the limits of this user.`,
      );
    this.rank = rank;
    this.pid = child.pid;
    this.#child = child;
    this.ended = new Promise((resolve) => {
      child.once('exit', (status, signal) =>
        resolve(signal === null ? `ended with status ${status}` : `was ended by ${signal}`),
      );
      child.once('error', (error) => resolve(`failed: ${error.message}`));
    });
  }

  /** Sends a message and waits for the answer. @throws {AloftError} the failure of the rank, RANK_DIED */
  async ask<Type extends FromRank['type']>(
    message: ToRank,
    type: Type,
  ): Promise<Extract<FromRank, { type: Type }>> {
    const answer = new Promise<FromRank>((resolve) => this.#child.once('message', resolve));
    this.#child.send(message, () => undefined); // a rank that has ended is noticed below
    const first = await Promise.race([answer, this.ended]);
    if (typeof first === 'string')
      throw new AloftError('RANK_DIED', `Rank ${this.rank} (process ${this.pid}) ${first} while it loaded.`);
    if (first.type === 'failed') throw new AloftError(first.error.code, first.error.message);
    if (first.type === type) return first as Extract<FromRank, { type: Type }>;
    throw new AloftError('INTERNAL', `rank ${this.rank} answered '${first.type}' for '${type}'`);
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  /** Lets this process end although the rank runs, or not. */
  keepAlive(isKept: boolean): void {
    for (const handle of [this.#child, this.#child.channel])
      if (isKept) handle?.ref();
      else handle?.unref();
  }
}
