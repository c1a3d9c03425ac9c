/** Entry of the process of a rank that rank 0 started. */
import { endWithParent } from '../../ffi/parent.js';
import { runFollower } from './follower.js';
import type { LeaderLink, ToRank } from './rank-messages.js';

const link: LeaderLink = {
  next: () => new Promise((resolve) => process.once('message', (message) => resolve(message as ToRank))),
  send: (message) => new Promise((resolve) => process.send?.(message, undefined, {}, () => resolve())),
};

// A terminal sends Ctrl-C to all processes of a job, and rank 0 still ends its requests then. It closes the others itself.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
process.once('disconnect', () => process.exit(1));
const first = await link.next();
const hasLeader = first.type === 'prepare' && endWithParent(first.leaderPid);
process.exit(hasLeader && (await runFollower(first, link)) ? 0 : 1);
