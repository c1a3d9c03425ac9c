/**
 * Ranks that a launcher such as mpirun started as one job on one host. Rank 0 listens on sockets in the system's abstract name
 * space, which are named by user and job and leave no files: one for as long as it lives, and one for each engine that it opens.
 */
import { createServer, connect, type Server, type Socket } from 'node:net';
import { createInterface, type Interface } from 'node:readline';
import { AloftError } from '../../core/errors.js';
import type { JobPlace } from '../../core/job-place.js';
import { runFollower } from './follower.js';
import type { FromRank, LeaderLink, ToRank } from './rank-messages.js';
import { RankPeer } from './rank-peer.js';

interface Greeting {
  readonly rank: number;
  readonly worldSize: number;
  readonly pid: number;
  readonly version: string;
}

/** Time for all processes of a job to come, ms. */
const GATHER_MS = 30_000;
const RETRY_MS = 50;

function socketName(job: string, purpose: 'life' | 'engine'): string {
  return `\0aloft-${process.getuid?.() ?? 0}-${job}-${purpose}`;
}

/**
 * Rank 0: lets the others see that it lives, until this process ends.
 * @returns a function that waits until all have seen it, so that none waits for a rank 0 that had little to do
 */
export async function showLife({ job, worldSize }: JobPlace): Promise<() => Promise<void>> {
  let seenCount = 0;
  let resolve: () => void;
  const seen = new Promise<void>((callback) => (resolve = callback));
  const server = await listen(socketName(job, 'life'), (socket) => {
    socket.on('error', () => undefined).unref();
    if (++seenCount === worldSize - 1) resolve();
  });
  server.unref();
  return async () => {
    server.ref();
    const patience = setTimeout(() => resolve(), GATHER_MS);
    await seen;
    clearTimeout(patience);
    server.unref();
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
    const { rank, pid, ...other } = await lines.next<Greeting>();
    if (other.version !== version || other.worldSize !== worldSize) {
      const message = `Rank ${rank} is one of ${other.worldSize} and runs Aloft ${other.version}, rank 0 is one of ${worldSize} and runs ${version}; start all with one command.`;
      reject(new AloftError('RANK_DIVERGED', message));
      return;
    }
    peers.set(rank, new RankPeer(rank, pid, linkOver(socket, lines)));
    if (peers.size === worldSize - 1) resolve();
  };
  const server = await listen(socketName(job, 'engine'), (socket) => void greet(socket));
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
  const life = await reach(socketName(place.job, 'life'), () => true, patienceMs);
  if (life === undefined && place.rank === 1)
    throw new AloftError(
      'RANK_LATE',
      `Rank 0 of the job of ${place.worldSize} ranks did not come within ${patienceMs / 1000} s; see what keeps it from starting, or unset the launcher's variables.`,
    );
  if (life === undefined) return false;
  let isOver = false;
  const over = new Promise<void>((resolve) => life.once('close', resolve)).then(() => (isOver = true));
  for (;;) {
    const socket = await reach(socketName(place.job, 'engine'), () => !isOver, Infinity);
    if (socket === undefined) return true;
    const lines = new JsonLines(socket);
    const { rank, worldSize, version } = place;
    await lines.send({ rank, worldSize, version, pid: process.pid } satisfies Greeting);
    const link: LeaderLink = { next: () => lines.next<ToRank>(), send: (message) => lines.send(message) };
    const first = await Promise.race([link.next(), over]);
    if (typeof first === 'boolean') return true;
    if (first.type !== 'prepare' || !(await runFollower(first, link))) {
      // Rank 0 reports first: a launcher ends all of a job when one of it fails.
      await Promise.race([over, pause(1500)]);
      return false;
    }
    socket.destroy();
  }
}

/** Connects, again and again while it makes sense. */
async function reach(
  name: string,
  makesSense: () => boolean,
  limitMs: number = GATHER_MS,
): Promise<Socket | undefined> {
  const startMs = performance.now();
  while (makesSense() && performance.now() - startMs < limitMs) {
    const socket = connect(name);
    const isConnected = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    });
    if (isConnected) return socket.on('error', () => undefined);
    await pause(RETRY_MS);
  }
  return undefined;
}

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

function listen(name: string, onSocket: (socket: Socket) => void): Promise<Server> {
  const server = createServer(onSocket);
  return new Promise((resolve, reject) => {
    server.once('error', (cause) =>
      reject(
        new AloftError(
          'ADDRESS_IN_USE',
          `Another process is rank 0 of this job already (${cause.message}); load one engine of several ranks at a time.`,
          { cause },
        ),
      ),
    );
    server.listen(name, () => resolve(server));
  });
}

function linkOver(socket: Socket, lines: JsonLines) {
  return {
    ended: new Promise<string>((resolve) => socket.once('close', () => resolve('ended'))),
    send: (message: ToRank) => void lines.send(message),
    next: () => lines.next<FromRank>(),
    keepAlive: (isKept: boolean) => void (isKept ? socket.ref() : socket.unref()),
  };
}

/** Messages as lines of JSON. */
class JsonLines {
  readonly #socket: Socket;
  readonly #lines: Interface;
  readonly #waiting: string[] = [];

  constructor(socket: Socket) {
    this.#socket = socket.on('error', () => undefined);
    this.#lines = createInterface({ input: socket });
    this.#lines.on('line', (line) => {
      if (this.#lines.listenerCount('taken') === 0) this.#waiting.push(line);
      else this.#lines.emit('taken', line);
    });
  }

  next<Message>(): Promise<Message> {
    const waiting = this.#waiting.shift();
    if (waiting !== undefined) return Promise.resolve(JSON.parse(waiting) as Message);
    return new Promise((resolve) =>
      this.#lines.once('taken', (line: string) => resolve(JSON.parse(line) as Message)),
    );
  }

  send(message: unknown): Promise<void> {
    return new Promise((resolve) => this.#socket.write(`${JSON.stringify(message)}\n`, () => resolve()));
  }
}
