/** The connections of one gRPC client: as many as the calls that it may cancel need. */
import { status, type Client, type StatusObject } from '@grpc/grpc-js';
import { AloftError } from '../core/errors.js';

/**
 * Servers bound how fast the streams of a connection may be reset (CVE-2023-44487): nghttp2, which Node's servers are made
 * on, sends GOAWAY after a burst of 1,000. HTTP/2 then lets the other streams end, but Node's client drops them all. So a
 * connection gets no more calls than could all be reset. That time forgives resets is left out: a new connection is cheap.
 */
const MAX_RESETS = 900;

interface Connection {
  readonly client: Client;
  openCount: number;
  resetCount: number;
}

/** Parts that all kinds of calls share. */
interface Call {
  once(event: 'status', listener: (status: StatusObject) => void): unknown;
}

export class GrpcConnections {
  readonly #connect: () => Client;
  readonly #connections = new Set<Connection>();
  #isClosed = false;

  /** @param connect Makes a client with a connection of its own. */
  constructor(connect: () => Client) {
    this.#connect = connect;
  }

  /** Begins a call on a connection that has room for it. @throws {AloftError} REQUEST_INVALID after {@link close} */
  start<C extends Call>(begin: (client: Client) => C): C {
    if (this.#isClosed)
      throw new AloftError('REQUEST_INVALID', 'This gRPC client is closed; make another one.');
    const connection = this.#withRoom();
    const call = begin(connection.client);
    connection.openCount++;
    call.once('status', ({ code }) => this.#note(connection, code));
    return call;
  }

  /** Open calls may end. */
  close(): void {
    this.#isClosed = true;
    for (const { client } of this.#connections) client.close();
    this.#connections.clear();
  }

  #withRoom(): Connection {
    for (const connection of this.#connections) if (hasRoom(connection)) return connection;
    const connection = { client: this.#connect(), openCount: 0, resetCount: 0 };
    this.#connections.add(connection);
    return connection;
  }

  #note(connection: Connection, code: status): void {
    connection.openCount--;
    // An error does not say who ended the call; it may have been this side.
    if (code !== status.OK) connection.resetCount++;
    if (connection.openCount > 0 || hasRoom(connection)) return;
    if (this.#connections.delete(connection)) connection.client.close();
  }
}

function hasRoom({ openCount, resetCount }: Connection): boolean {
  return openCount + resetCount < MAX_RESETS;
}
