/**
 * Messages of a call while they come in. The library gathers them piece by piece, and decompresses them, without a bound of all calls
 * together and without a limit of time. So the bytes are counted as they reach the stream: within the budget of bodies, and no slower
 * than a least rate.
 */
import type { ServerHttp2Stream } from 'node:http2';
import type { ServerInterceptingCallInterface } from '@grpc/grpc-js';
import { AloftError } from '../../core/errors.js';
import { bodyTimeMs, isCrumbled } from '../context/body-pace.js';
import type { ByteBudget } from '../context/byte-budget.js';

/** About what a piece takes besides its bytes, of which it may have one. */
const PIECE_BYTES = 256;
/** Deflate makes at most 1032 bytes of one. */
const MAX_EXPANSION = 1032;
/** Time in which the status reaches the client before a stream that it keeps open is closed. */
const CLOSE_MS = 200;

export interface MessageLimits {
  readonly bodyTimeoutMs: number;
  readonly maxBodyBytes: number;
}

/** Members of the library's call that its types do not show. */
interface RawCall {
  readonly stream: ServerHttp2Stream;
  readonly incomingEncoding: string;
}

export class MessageIntake {
  readonly #call: ServerInterceptingCallInterface & RawCall;
  readonly #budget: ByteBudget;
  readonly #limits: MessageLimits;
  readonly #fail: (error: AloftError) => void;
  #heldBytes = 0;
  /** Bytes of the message that is not whole yet. */
  #openBytes = 0;
  #openPieces = 0;
  #startedMs = 0;
  #timer: NodeJS.Timeout | undefined;
  #isCut = false;

  /** @param fail ends the call with the error */
  constructor(
    call: ServerInterceptingCallInterface,
    {
      budget,
      limits,
      fail,
    }: { budget: ByteBudget; limits: MessageLimits; fail: (error: AloftError) => void },
  ) {
    this.#call = call as ServerInterceptingCallInterface & RawCall;
    this.#budget = budget;
    this.#limits = limits;
    this.#fail = fail;
    const { stream } = this.#call;
    stream.on('data', (piece: Buffer) => this.#take(piece.length));
    stream.once('close', () => this.#end());
  }

  /** The call's one message must come from now on. */
  expect(): void {
    this.#startedMs = performance.now();
    this.#timer ??= setTimeout(() => this.#checkTime(), this.#limits.bodyTimeoutMs).unref();
  }

  /** A message has come, and with `isLast` stays until the call is answered. */
  noteMessage(isLast: boolean): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#openBytes = 0;
    this.#openPieces = 0;
    if (!isLast) this.#release();
  }

  #take(byteCount: number): void {
    if (this.#isCut) return;
    if (this.#openBytes === 0) this.expect();
    this.#openBytes += byteCount;
    this.#openPieces++;
    if (isCrumbled(this.#openPieces, this.#openBytes)) {
      this.#cut(
        new AloftError(
          'REQUEST_INVALID',
          'The message of the call comes in pieces of a few bytes each; send it in larger pieces.',
        ),
      );
      return;
    }
    const isPacked = this.#call.incomingEncoding !== 'identity';
    const wantedBytes = isPacked
      ? Math.min(byteCount * MAX_EXPANSION, Math.max(0, this.#limits.maxBodyBytes - this.#heldBytes))
      : byteCount;
    try {
      this.#budget.hold(wantedBytes + PIECE_BYTES);
      this.#heldBytes += wantedBytes + PIECE_BYTES;
    } catch (error) {
      this.#cut(error as AloftError);
    }
  }

  #checkTime(): void {
    this.#timer = undefined;
    const allowedMs = bodyTimeMs(this.#limits.bodyTimeoutMs, this.#openBytes);
    const leftMs = this.#startedMs + allowedMs - performance.now();
    if (leftMs > 0) this.#timer = setTimeout(() => this.#checkTime(), leftMs).unref();
    else
      this.#cut(
        new AloftError('BODY_TOO_SLOW', 'The message of the call did not come in its time; send it faster.'),
      );
  }

  /** Ends the call. What has come of its message stays until the stream is closed, which the client alone may never do. */
  #cut(error: AloftError): void {
    this.#isCut = true;
    this.#fail(error);
    const { stream } = this.#call;
    setTimeout(() => stream.close(), CLOSE_MS).unref();
  }

  #release(): void {
    this.#budget.release(this.#heldBytes);
    this.#heldBytes = 0;
  }

  #end(): void {
    clearTimeout(this.#timer);
    this.#release();
  }
}
