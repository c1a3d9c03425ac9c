/**
 * Sockets by which ranks of one job on one host find each other. They are in the system's abstract name space, are named by user
 * and job, and leave no files. Rank 0 listens: on one for as long as it lives, and on one for each engine that it opens.
 */
import { connect, createServer, type Server, type Socket } from 'node:net';
import { AloftError } from '../../core/errors.js';

export type SocketPurpose = 'life' | 'engine';

const RETRY_MS = 50;

export function jobSocketName(job: string, purpose: SocketPurpose): string {
  return `\0aloft-${process.getuid?.() ?? 0}-${job}-${purpose}`;
}

/** Connects, again and again for as long as it makes sense. @returns undefined when it does no more */
export async function reachSocket(name: string, makesSense: () => boolean): Promise<Socket | undefined> {
  while (makesSense()) {
    const socket = connect(name);
    const isConnected = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    });
    if (isConnected) return socket.on('error', () => undefined);
    await pause(RETRY_MS);
  }
  return undefined;
}

export const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** @throws {AloftError} ADDRESS_IN_USE */
export function listenForRanks(name: string, onSocket: (socket: Socket) => void): Promise<Server> {
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
