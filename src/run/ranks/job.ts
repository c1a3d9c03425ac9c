/**
 * Ranks that a launcher such as mpirun started as one job. Where they are on several hosts, the processes of `hosts/` stand for
 * the ranks of other hosts, so that this file sees one host.
 */
import type { Socket } from 'node:net';
import { AloftError } from '../../core/errors.js';
import { isOverHosts, type JobPlace } from '../../core/job-place.js';
import { runFollower } from './follower.js';
import { jobSocketName, listenForRanks, pause, reachSocket } from './job-sockets.js';
import { JsonLines } from './json-lines.js';
import type { FromRank, Greeting, LeaderLink, ToRank } from './rank-messages.js';
import { RankPeer } from './rank-peer.js';

/** Time for all processes of a job to come, ms. */
const GATHER_MS = 30_000;

/** Time for rank 0 to report a failure, ms. It takes a host for lost that has been silent for some seconds. */
const REPORT_MS = 4000;

/**
 * Rank 0: lets the others see that it lives, until this process ends.
 * @returns a function that waits until all have seen it, so that none waits for a rank 0 that had little to do, and lets them end
 */
export async function showLife({ job, worldSize }: JobPlace): Promise<() => Promise<void>> {
  const sockets: Socket[] = [];
  let resolve: () => void;
  const seen = new Promise<void>((callback) => (resolve = callback));
  const server = await listenForRanks(jobSocketName(job, 'life'), (socket) => {
    sockets.push(socket.on('error', () => undefined).unref());
    if (sockets.length === worldSize - 1) resolve();
  });
  server.unref();
  return async () => {
    server.ref();
    const patience = setTimeout(() => resolve(), GATHER_MS);
    await seen;
    clearTimeout(patience);
    server.close();
    for (const socket of sockets) socket.destroy();
  };
}

/** Rank 0: waits for the processes of all other ranks. @throws {AloftError} RANK_LATE, RANK_DIVERGED, ADDRESS_IN_USE */
export async function gatherRanks({ job, worldSize, version }: JobPlace): Promise<RankPeer[]> {
  const peers = new Map<number, RankPeer>();
  let resolve: () => void;
  let reject: (fault: AloftError) => void;
  const complete = new Promise<void>((...callbacks) => ([resolve, reject] = callbacks));
  const greet = async (socket: Socket): Promise<void> => {
    const lines = new JsonLines(socket);
    const greeting = await lines.next<Greeting>();
    const { rank } = greeting;
    if (greeting.version !== version || greeting.worldSize !== worldSize) {
      const message = `Rank ${rank} is one of ${greeting.worldSize} and runs Aloft ${greeting.version}, rank 0 is one of ${worldSize} and runs ${version}; start all with one command.`;
      reject(new AloftError('RANK_DIVERGED', message));
      return;
    }
    peers.set(rank, new RankPeer(greeting, linkOver(socket, lines, greeting)));
    if (peers.size === worldSize - 1) resolve();
  };
  const server = await listenForRanks(jobSocketName(job, 'engine'), (socket) => void greet(socket));
  const patience = setTimeout(
    () =>
      reject(
        new AloftError(
          'RANK_LATE',
          `Only ${peers.size + 1} of ${worldSize} ranks of the job came within ${GATHER_MS / 1000} s; see what keeps the others from starting.`,
        ),
      ),
    GATHER_MS,
  );
  try {
    await complete;
    return [...peers.values()].toSorted((a, b) => a.rank - b.rank);
  } finally {
    clearTimeout(patience);
    server.close();
  }
}

/**
 * Other ranks: follow rank 0 through every engine that it opens, until it ends.
 * @param patienceMs time for rank 0 to come
 * @returns whether all went well; one that did not was reported by rank 0
 * @throws {AloftError} RANK_LATE on rank 1, for all of them, when there is no rank 0
 */
export async function followJob(place: JobPlace, patienceMs = GATHER_MS): Promise<boolean> {
  const startMs = performance.now();
  const life = await reachSocket(
    jobSocketName(place.job, 'life'),
    () => performance.now() - startMs < patienceMs,
  );
  if (life === undefined && place.rank === 1)
    throw new AloftError(
      'RANK_LATE',
      `Rank 0 of the job of ${place.worldSize} ranks did not come within ${patienceMs / 1000} s; see what keeps it from starting, or unset the launcher's variables.`,
    );
  if (life === undefined) return false;
  let isOver = false;
  const over = new Promise<void>((resolve) => life.once('close', resolve)).then(() => (isOver = true));
  for (;;) {
    const socket = await reachSocket(jobSocketName(place.job, 'engine'), () => !isOver);
    if (socket === undefined) return true;
    const lines = new JsonLines(socket);
    const { rank, worldSize, version } = place;
    await lines.send({ rank, worldSize, version, pid: process.pid } satisfies Greeting);
    const link: LeaderLink = { next: () => lines.next<ToRank>(), send: (message) => lines.send(message) };
    const first = await Promise.race([link.next(), over]);
    if (typeof first === 'boolean') return true;
    if (first.type !== 'prepare' || !(await runFollower(first, link, place))) {
      // Rank 0 reports first: a launcher ends all of a job when one of it fails.
      // On another host, a lost connection looks like the end of rank 0.
      await (isOverHosts(place) ? pause(REPORT_MS) : Promise.race([over, pause(REPORT_MS)]));
      return false;
    }
    socket.destroy();
  }
}

function linkOver(socket: Socket, lines: JsonLines, { pid, remote }: Greeting) {
  return {
    ended: new Promise<string>((resolve) => socket.once('close', () => resolve('ended'))),
    send: (message: ToRank) => void lines.send(message),
    next: () => lines.next<FromRank>(),
    keepAlive: (isKept: boolean) => void (isKept ? socket.ref() : socket.unref()),
    // The other host ends a rank whose connection is gone.
    kill: () => (remote === undefined ? void process.kill(pid, 'SIGKILL') : void socket.destroy()),
  };
}
