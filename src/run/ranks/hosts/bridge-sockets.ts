/** Connections of ranks with rank 0 between two hosts: the sockets of a job, with other hosts in between. */
import { hostname } from 'node:os';
import type { Server, Socket } from 'node:net';
import { createInterface } from 'node:readline';
import type { JobPlace } from '../../../core/job-place.js';
import { jobSocketName, listenForRanks, reachSocket, type SocketPurpose } from '../job-sockets.js';
import type { Greeting, ToRank } from '../rank-messages.js';
import { HOST_MESSAGE, type HostMessage, type ReadHostMessage } from './host-message.js';

const PURPOSES: readonly SocketPurpose[] = ['life', 'engine'];

/** The bridge, as its sockets use it. */
export interface BridgeSession {
  send(target: number, message: HostMessage): void;
  /** A rank of this host has come. */
  register(rank: number, pid: number): void;
  /**
   * Rank 0 opens an engine.
   * @param session 0 on the host of rank 0, which counts them @returns number of the opening, and the memory's path on this host
   */
  begin(session: number, memoryPath: string): { readonly session: number; readonly memoryPath: string };
  /** No rank of the engine is connected any more. */
  end(): void;
}

/** A connection of a rank on one host with rank 0 on another. */
interface Connection {
  readonly purpose: SocketPurpose;
  readonly socket: Socket;
  /** Process of the rank, where it is on this host. */
  pid?: number;
  /** Opening of an engine that it takes part in. */
  session?: number;
}

/** All sides of connections on this host. */
abstract class BridgeSockets {
  protected readonly place: JobPlace;
  protected readonly bridge: BridgeSession;
  readonly #connections = new Map<string, Connection>();

  constructor(place: JobPlace, bridge: BridgeSession) {
    this.place = place;
    this.bridge = bridge;
  }

  /** Ends all connections. */
  close(): void {
    for (const { socket } of this.#connections.values()) socket.destroy();
  }

  protected add(key: string, connection: Connection, peer: number, number: number): void {
    const { socket } = connection;
    this.#connections.set(key, connection);
    socket
      .on('error', () => undefined)
      .once('close', () => {
        if (this.take(key) !== undefined)
          this.bridge.send(peer, { kind: HOST_MESSAGE.close, numbers: [number] });
      });
    createInterface({ input: socket }).on('line', (text) => {
      const { session, message } = this.translate(connection, JSON.parse(text));
      const bytes = new TextEncoder().encode(JSON.stringify(message));
      this.bridge.send(peer, { kind: HOST_MESSAGE.line, session, numbers: [number], bytes });
    });
  }

  /** A line of this host, as the other one gets it. */
  protected abstract translate(
    connection: Connection,
    message: unknown,
  ): { readonly session: number; readonly message: unknown };

  protected connection(key: string): Connection | undefined {
    return this.#connections.get(key);
  }

  /** Forgets a connection, and notices the end of an engine's last one. */
  protected take(key: string): Connection | undefined {
    const connection = this.#connections.get(key);
    this.#connections.delete(key);
    const isLast = ![...this.#connections.values()].some(({ session }) => session !== undefined);
    if (connection?.session !== undefined && isLast) this.bridge.end();
    return connection;
  }
}

/** The host of rank 0: connects to its sockets for ranks of other hosts. */
export class HeadSockets extends BridgeSockets {
  /** Connections that ranks of other hosts want, with lines that came before rank 0 listened. */
  readonly #wanted = new Map<string, string[]>();

  receive(source: number, { kind, numbers: [number, purpose], bytes }: ReadHostMessage): void {
    const key = `${source} ${number}`;
    if (kind === HOST_MESSAGE.open) void this.#reach(source, number, PURPOSES[purpose]!);
    if (kind === HOST_MESSAGE.close) {
      this.#wanted.delete(key);
      this.take(key)?.socket.destroy();
    }
    if (kind !== HOST_MESSAGE.line) return;
    const text = new TextDecoder().decode(bytes);
    const connection = this.connection(key);
    if (connection === undefined) this.#wanted.get(key)?.push(text);
    else connection.socket.write(this.#lineOf(text));
  }

  /** To this host, the process that is connected with the other one is the rank. */
  #lineOf(text: string): string {
    const message = JSON.parse(text) as object;
    const here = 'remote' in message ? { ...message, pid: process.pid } : message;
    return `${JSON.stringify(here)}\n`;
  }

  async #reach(source: number, number: number, purpose: SocketPurpose): Promise<void> {
    const key = `${source} ${number}`;
    this.#wanted.set(key, []);
    const socket = await reachSocket(jobSocketName(this.place.job, purpose), () => this.#wanted.has(key));
    const lines = this.#wanted.get(key);
    this.#wanted.delete(key);
    if (lines === undefined) return void socket?.destroy();
    this.add(key, { purpose, socket: socket! }, source, number);
    for (const line of lines) socket!.write(this.#lineOf(line));
  }

  protected translate(connection: Connection, message: ToRank) {
    if (message.type !== 'prepare') return { session: 0, message };
    const { session } = this.bridge.begin(0, message.memoryPath);
    connection.session = session;
    return { session, message };
  }
}

/** Any other host: stands for rank 0. */
export class BranchSockets extends BridgeSockets {
  readonly #servers: Server[] = [];
  #connectionCount = 0;
  readonly #leader: number;

  /** @param leader process of rank 0's host */
  constructor(place: JobPlace, bridge: BridgeSession, leader: number) {
    super(place, bridge);
    this.#leader = leader;
  }

  /** @throws {AloftError} ADDRESS_IN_USE */
  async listen(): Promise<void> {
    for (const [index, purpose] of PURPOSES.entries()) {
      const server = await listenForRanks(jobSocketName(this.place.job, purpose), (socket) => {
        const number = ++this.#connectionCount;
        this.bridge.send(this.#leader, { kind: HOST_MESSAGE.open, numbers: [number, index] });
        this.add(`${number}`, { purpose, socket }, this.#leader, number);
      });
      this.#servers.push(server);
    }
  }

  receive(_: number, { kind, session, numbers: [number], bytes }: ReadHostMessage): void {
    const key = `${number}`;
    if (kind === HOST_MESSAGE.close) return this.#end(this.take(key));
    const connection = this.connection(key);
    if (kind !== HOST_MESSAGE.line || connection === undefined) return;
    const message = JSON.parse(new TextDecoder().decode(bytes)) as ToRank;
    connection.socket.write(`${JSON.stringify(this.#localised(connection, message, session))}\n`);
  }

  #localised(connection: Connection, message: ToRank, session: number): ToRank {
    if (message.type !== 'prepare') return message;
    connection.session = session;
    return { ...message, memoryPath: this.bridge.begin(session, '').memoryPath };
  }

  override close(): void {
    for (const server of this.#servers) server.close();
    super.close();
  }

  /** Rank 0 has given up a rank. */
  #end(connection: Connection | undefined): void {
    if (connection?.pid !== undefined)
      try {
        process.kill(connection.pid, 'SIGKILL');
      } catch {
        // It ended a moment ago.
      }
    connection?.socket.destroy();
  }

  protected translate(connection: Connection, message: object) {
    if (connection.pid !== undefined || !('pid' in message)) return { session: 0, message };
    const greeting = message as Greeting;
    connection.pid = greeting.pid;
    this.bridge.register(greeting.rank, greeting.pid);
    return { session: 0, message: { ...greeting, remote: { pid: greeting.pid, host: hostname() } } };
  }
}
