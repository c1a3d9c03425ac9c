/**
 * The HTTP/2 streams below calls. The library writes one message at a time and waits for each; an answer of token ids has
 * thousands of small ones, so those that are ready together are written here as one piece.
 */
import type { Metadata, ServerInterceptingCallInterface } from '@grpc/grpc-js';
import type { ServerHttp2Stream } from 'node:http2';
import { AloftError } from '../../core/errors.js';

export class RawStreams {
  /** By the metadata that a call begins with: its interceptor and its handler get the same object. */
  readonly #streams = new WeakMap<Metadata, ServerHttp2Stream>();

  /** Called by the innermost interceptor of a call, whose `call` is the library's own. */
  remember(metadata: Metadata, call: ServerInterceptingCallInterface): void {
    const stream: unknown = Reflect.get(call, 'stream');
    if (isHttp2Stream(stream)) this.#streams.set(metadata, stream);
  }

  /** @throws {AloftError} INTERNAL when a version of @grpc/grpc-js keeps it elsewhere */
  of(metadata: Metadata): ServerHttp2Stream {
    const stream = this.#streams.get(metadata);
    if (stream !== undefined) return stream;
    throw new AloftError('INTERNAL', 'A call of @grpc/grpc-js has no HTTP/2 stream where it is looked for.');
  }
}

function isHttp2Stream(value: unknown): value is ServerHttp2Stream {
  return typeof value === 'object' && value !== null && 'respond' in value && 'write' in value;
}
