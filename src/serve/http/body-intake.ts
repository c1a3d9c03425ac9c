/** Reads bodies: within a limit each, a budget for all, and no slower than a least rate. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { IncomingMessage } from 'node:http';
import { AloftError } from '../../core/errors.js';
import { bodyTimeMs, isCrumbled } from '../context/body-pace.js';
import type { ByteBudget } from '../context/byte-budget.js';
import { BodyBytes } from './body-bytes.js';

export interface BodyLimits {
  /** Time that a body has in any case. */
  readonly bodyTimeoutMs: number;
}

type BodyCallback = (error: Error | null, body?: Buffer) => void;

const SWEEP_MS = 1000;

interface OpenBody {
  readonly startedMs: number;
  readonly bytes: BodyBytes;
  readonly fail: (error: AloftError) => void;
}

export class BodyIntake {
  readonly #limits: BodyLimits;
  readonly #reading = new Set<OpenBody>();
  readonly #held = new WeakMap<IncomingMessage, number>();
  readonly #budget: ByteBudget;

  constructor(limits: BodyLimits, budget: ByteBudget) {
    this.#limits = limits;
    this.#budget = budget;
  }

  /** Makes all routes of an app read their bodies here, as bytes of whatever type. */
  serve(app: FastifyInstance): void {
    app.removeAllContentTypeParsers();
    app.addContentTypeParser('*', (request, payload, done) => this.#read(request, payload, done));
    app.addHook('preParsing', (request, reply, payload, done) => {
      reply.raw.once('close', () => this.#release(request.raw));
      done(null, payload);
    });
    const timer = setInterval(() => this.sweep(performance.now()), SWEEP_MS).unref();
    app.addHook('onClose', (_, done) => {
      clearInterval(timer);
      done();
    });
  }

  /** Counts memory that belongs to a request until it is answered. @throws {AloftError} SERVER_BUSY beyond the budget */
  hold(request: FastifyRequest, byteCount: number): void {
    this.#budget.hold(byteCount);
    this.#held.set(request.raw, (this.#held.get(request.raw) ?? 0) + byteCount);
  }

  /** Ends bodies that come too slowly. */
  sweep(nowMs: number): void {
    for (const body of this.#reading) {
      const { byteCount } = body.bytes;
      const allowedMs = bodyTimeMs(this.#limits.bodyTimeoutMs, byteCount);
      if (nowMs - body.startedMs > allowedMs) body.fail(tooSlow(byteCount));
    }
  }

  #release(raw: IncomingMessage): void {
    this.#budget.release(this.#held.get(raw) ?? 0);
    this.#held.delete(raw);
  }

  /** Calls back once. What is left of a body that fails stays unread, so that the answer can still be sent. */
  #read(request: FastifyRequest, payload: IncomingMessage, done: BodyCallback): void {
    const limit = request.routeOptions.bodyLimit;
    if (Number(request.headers['content-length'] ?? 0) > limit) return done(tooLarge(limit));
    const bytes = new BodyBytes();
    const settle = (error: Error | null) => {
      if (!this.#reading.delete(body)) return;
      payload.off('data', onData).pause();
      if (error === null) done(null, bytes.whole());
      else done(error);
    };
    const body: OpenBody = { startedMs: performance.now(), bytes, fail: settle };
    const onData = (chunk: Buffer) => {
      bytes.push(chunk);
      try {
        this.hold(request, chunk.length);
        if (bytes.byteCount > limit) settle(tooLarge(limit));
        else if (isCrumbled(bytes.pieceCount, bytes.byteCount)) settle(crumbled());
      } catch (error) {
        settle(error as AloftError);
      }
    };
    this.#reading.add(body);
    payload.on('data', onData);
    payload.once('end', () => settle(null));
    payload.once('error', settle);
    payload.once('close', () => settle(new AloftError('CANCELLED', 'The client closed the connection.')));
  }
}

/** Ends the connection with the answer when a body was not read to its end: the rest would only cost time. */
export function endUnreadBody(request: FastifyRequest, reply: FastifyReply): void {
  if (request.raw.complete) return;
  reply.header('connection', 'close');
}

function tooLarge(limit: number): AloftError {
  return new AloftError(
    'BODY_TOO_LARGE',
    `The request body is larger than ${limit} bytes, the limit of this route; send less.`,
  );
}

function crumbled(): AloftError {
  return new AloftError(
    'REQUEST_INVALID',
    'The request body comes in pieces of a few bytes each; send it in larger pieces.',
  );
}

function tooSlow(byteCount: number): AloftError {
  return new AloftError(
    'BODY_TOO_SLOW',
    `The request body did not come to its end: ${byteCount} bytes in its time; send it faster.`,
  );
}
