/** Connects a rank of a job over several hosts with the others: by a process of its own, since Open MPI may end it at any time. */
import { type ChildProcess, fork } from 'node:child_process';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { AloftError, type ErrorReport } from '../../../core/errors.js';
import type { JobPlace } from '../../../core/job-place.js';
import { pause } from '../job-sockets.js';

/** First message to the process. */
export interface JoinJob {
  readonly type: 'join';
  readonly place: JobPlace;
  readonly parentPid: number;
}

export type ToHostProcess =
  | JoinJob
  /** All went well: all processes of the job leave. */
  | { readonly type: 'leave' }
  /** The launcher ends the job, and nobody has said why. */
  | { readonly type: 'suspect' };

export type FromHostProcess =
  | { readonly type: 'joined' }
  | { readonly type: 'failed'; readonly error: ErrorReport };

const ENTRY = fileURLToPath(new URL('./host-process.js', import.meta.url));
/** Time for all processes of the job to join, ms. */
const JOIN_MS = 30_000;
/** Times after the launcher's signal until a rank takes the most silent host for lost, and until it ends, ms. Open MPI kills it after a second. */
const SUSPECT_MS = 500;
const LAST_WORDS_MS = 900;
const SIGTERM_STATUS = 143;
/** Time in which rank 0 reports a failure that all ranks have, and notices a host that is lost, ms. */
const REPORT_MS = 4000;

/**
 * @returns a function to call at the end, when all went well; it returns when all ranks of the job have called it
 * @throws {AloftError} DEVICE_UNAVAILABLE without Open MPI, UNSUPPORTED, RANK_LATE, RANK_DIED
 */
export async function joinHosts(place: JobPlace): Promise<() => Promise<void>> {
  const child = fork(ENTRY, [], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    execArgv: [],
    detached: true, // a launcher ends the whole process group of a rank that has ended, and this one has to report it
  });
  const terminated = outliveLauncher(child);
  const ended = new Promise<'ended'>((resolve) => child.once('exit', () => resolve('ended')));
  const answer = new Promise<FromHostProcess>((resolve) =>
    child.once('message', (message) => resolve(message as FromHostProcess)),
  );
  post(child, { type: 'join', place, parentPid: process.pid });
  const patience = new AbortController();
  const late = setTimeout(JOIN_MS, 'late' as const, { signal: patience.signal });
  late.catch(() => undefined); // when it is not needed any more
  const first = await Promise.race([answer, ended, terminated, late]);
  patience.abort();
  if (typeof first === 'string' || first.type === 'failed') {
    child.kill('SIGKILL');
    if (place.rank > 0) await pause(REPORT_MS); // a launcher ends all of a job when one of it fails
    throw typeof first === 'string'
      ? failureOf(first, place)
      : new AloftError(first.error.code, first.error.message);
  }
  child.unref();
  child.channel?.unref();
  // Without it, a rank that waits for an engine would wait for ever. Rank 0 sees the end by what its engine says.
  if (place.rank > 0)
    child.once('exit', (status) => {
      if (status !== 0) void pause(REPORT_MS).then(() => process.exit(1));
    });
  return () => leave(child, ended);
}

/**
 * A launcher ends all processes of a job by SIGTERM when one has ended. Lets this one say first which one that was.
 * @returns resolves with the signal
 */
function outliveLauncher(child: ChildProcess): Promise<'terminated'> {
  return new Promise((resolve) =>
    process.once('SIGTERM', () => {
      resolve('terminated');
      // A server that drains its requests has a handler, too.
      if (process.listenerCount('SIGTERM') > 0) return;
      process.on('SIGTERM', () => process.exit(SIGTERM_STATUS));
      void setTimeout(SUSPECT_MS, undefined, { ref: false }).then(() => post(child, { type: 'suspect' }));
      void setTimeout(LAST_WORDS_MS, undefined, { ref: false }).then(() => process.exit(SIGTERM_STATUS));
    }),
  );
}

/** One that has ended is noticed by its end. */
const post = (child: ChildProcess, message: ToHostProcess): void => void child.send(message, () => undefined);

async function leave(child: ChildProcess, ended: Promise<unknown>): Promise<void> {
  child.ref();
  post(child, { type: 'leave' });
  await ended;
}

function failureOf(end: 'ended' | 'terminated' | 'late', { rank }: JobPlace): AloftError {
  if (end === 'terminated')
    return new AloftError(
      'RANK_DIED',
      'A rank has ended before all had joined, and the launcher ended the others; see what it says of it, then start the job again.',
    );
  const how = end === 'ended' ? 'has ended' : `did not find the others within ${JOIN_MS / 1000} s`;
  return new AloftError(
    end === 'ended' ? 'RANK_DIED' : 'RANK_LATE',
    `The process that connects rank ${rank} with other hosts ${how}; see what Open MPI says, and whether the hosts reach each other.`,
  );
}
