/** Answers to what Node's parser refuses: no request has come of it, so no route answers. */
import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { errorBody } from './reply.js';

/** Node's error of a connection, with the parser's own words where it has refused the bytes. */
interface ClientError extends Error {
  readonly code?: string;
  readonly reason?: string;
}

export interface MalformedOptions {
  readonly maxHeaderBytes: number;
  /** Requests of a connection that are not answered yet. */
  readonly openCount: (socket: Duplex) => number;
}

/** @returns a listener to `clientError`, which must end the connection: what follows on it cannot be read */
export function answerMalformed({ maxHeaderBytes, openCount }: MalformedOptions) {
  return (error: ClientError, socket: Duplex): void => {
    // An answer would stand within the one to a request before, which may be a stream.
    if (error.code === 'ECONNRESET' || !socket.writable || openCount(socket) > 0)
      return void socket.destroy();
    const [status, message] = explain(error, maxHeaderBytes);
    const body = errorBody(message);
    const head = [
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
      'Connection: close',
      'Content-Type: application/json',
      `Content-Length: ${Buffer.byteLength(body)}`,
    ];
    socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
  };
}

function explain({ code, reason }: ClientError, maxHeaderBytes: number): readonly [number, string] {
  if (code === 'HPE_HEADER_OVERFLOW')
    return [
      431,
      `The headers of the request have more than ${maxHeaderBytes} bytes; send fewer or shorter ones.`,
    ];
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT')
    return [408, 'The headers of the request did not arrive in time; send it again.'];
  const why = reason === undefined ? '' : ` (${reason.replace(/\.$/, '')})`;
  return [
    400,
    `The bytes are no request of HTTP/1.1${why}; send HTTP/1.1 here, and gRPC to the port of --grpc-port.`,
  ];
}
