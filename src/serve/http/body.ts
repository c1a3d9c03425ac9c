/** Bodies come as bytes; each route reads its own form. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { promisify } from 'node:util';
import { gunzip, inflate } from 'node:zlib';
import { AloftError } from '../../core/errors.js';

const decoders = { gzip: promisify(gunzip), deflate: promisify(inflate) };

export function acceptAnyBody(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_, body, done) => done(null, body));
}

function bodyBytes(request: FastifyRequest): Buffer {
  return Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
}

/** @throws {AloftError} REQUEST_INVALID for a compressed body: only /infer takes those. */
export function bodyText(request: FastifyRequest): string {
  if ((request.headers['content-encoding'] ?? 'identity') !== 'identity') {
    throw new AloftError('REQUEST_INVALID', `Unsupported content-encoding, only 'identity' is supported.`);
  }
  return bodyBytes(request).toString('utf8');
}

/** The body, decompressed when it says so. @throws {AloftError} REQUEST_INVALID */
export async function inflatedBody(request: FastifyRequest, maxBodyBytes: number): Promise<Buffer> {
  const encoding = request.headers['content-encoding'] ?? 'identity';
  if (encoding === 'identity') return bodyBytes(request);
  if (encoding !== 'gzip' && encoding !== 'deflate') {
    throw new AloftError(
      'REQUEST_INVALID',
      `Content-Encoding '${encoding}' is not supported; use identity, gzip or deflate.`,
    );
  }
  try {
    return await decoders[encoding](bodyBytes(request), { maxOutputLength: maxBodyBytes });
  } catch (cause) {
    const message = `The ${encoding} body cannot be decompressed, or is larger than ${maxBodyBytes} bytes (http-max-input-size).`;
    throw new AloftError('REQUEST_INVALID', message, { cause });
  }
}
