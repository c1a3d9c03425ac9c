/** Starts the processes of ranks on this host, as children of this process. */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { AloftError } from '../../core/errors.js';
import type { FromRank } from './rank-messages.js';
import { RankPeer } from './rank-peer.js';

const ENTRY = fileURLToPath(new URL('./rank-process.js', import.meta.url));

/** Path of the shared memory in a child, which inherits it after the three standard files and the channel. */
export const INHERITED_MEMORY = '/proc/self/fd/4';

/** @param descriptor of the shared memory @throws {AloftError} RANK_DIED when the system starts no process */
export function forkRank(rank: number, descriptor: number): RankPeer {
  const stdio = ['ignore', 'inherit', 'inherit', 'ipc', descriptor] as const;
  // Flags of this process, such as those of an inspector or a test runner, are not for ranks.
  const child = fork(ENTRY, [], { stdio: [...stdio], serialization: 'advanced', execArgv: [] });
  const ended = new Promise<string>((resolve) => {
    child.once('exit', (status, signal) =>
      resolve(signal === null ? `ended with status ${status}` : `was ended by ${signal}`),
    );
    child.once('error', (error) => resolve(`failed: ${error.message}`));
  });
  if (child.pid === undefined)
    throw new AloftError(
      'RANK_DIED',
      `The process of rank ${rank} cannot be started; see the limits of this user.`,
    );
  const { pid } = child;
  return new RankPeer(
    { rank, pid },
    {
      ended,
      send: (message) => void child.send(message, () => undefined), // one that has ended is noticed by its end
      next: () => new Promise<FromRank>((resolve) => child.once('message', resolve)),
      kill: () => void process.kill(pid, 'SIGKILL'),
      keepAlive(isKept) {
        for (const handle of [child, child.channel])
          if (isKept) handle?.ref();
          else handle?.unref();
      },
    },
  );
}
