/** Bodies come as bytes; each route reads its own form. */
import type { FastifyRequest } from 'fastify';
import { promisify } from 'node:util';
import { gunzip, inflate } from 'node:zlib';
import { AloftError } from '../../core/errors.js';
import { REQUEST_LIMITS } from '../../core/request-limits.js';
import { readUtf8 } from '../../protocol/utf8.js';
import type { BodyIntake } from './body-intake.js';

const decoders = { gzip: promisify(gunzip), deflate: promisify(inflate) };

function bodyBytes(request: FastifyRequest): Buffer {
  return Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
}

/** @throws {AloftError} REQUEST_INVALID for bytes that are not UTF-8, and for a compressed body: only /infer takes those. */
export function bodyText(request: FastifyRequest): string {
  if ((request.headers['content-encoding'] ?? 'identity') !== 'identity') {
    throw new AloftError('REQUEST_INVALID', `Unsupported content-encoding, only 'identity' is supported.`);
  }
  return readUtf8(bodyBytes(request));
}

/** Deflate makes at most 1032 bytes of one. */
const MAX_EXPANSION = 1032;

/** Output comes in pieces, each of which costs the thread that answers everybody: large bodies come in few. */
function chunkBytes(packedBytes: number): number {
  return Math.min(2 ** 20, Math.max(2 ** 14, packedBytes * 16));
}

/** The body, decompressed when it says so. @throws {AloftError} REQUEST_INVALID, SERVER_BUSY */
export async function inflatedBody(
  request: FastifyRequest,
  maxBodyBytes: number,
  intake: BodyIntake,
): Promise<Buffer> {
  const encoding = request.headers['content-encoding'] ?? 'identity';
  if (encoding === 'identity') return bodyBytes(request);
  if (encoding !== 'gzip' && encoding !== 'deflate') {
    throw new AloftError(
      'REQUEST_INVALID',
      `Content-Encoding '${encoding}' is not supported; use identity, gzip or deflate.`,
    );
  }
  const packed = bodyBytes(request);
  // Without this header all of it is JSON.
  const hasTensors = request.headers['inference-header-content-length'] !== undefined;
  const maxOutputLength = hasTensors ? maxBodyBytes : Math.min(maxBodyBytes, REQUEST_LIMITS.jsonBytes.max);
  // Counted before it exists: many small bodies can become large at the same time.
  intake.hold(request, Math.min(maxOutputLength, packed.length * MAX_EXPANSION));
  try {
    return await decoders[encoding](packed, { maxOutputLength, chunkSize: chunkBytes(packed.length) });
  } catch (cause) {
    const message = `The ${encoding} body cannot be decompressed, or is larger than ${maxOutputLength} bytes (JSON, or http-max-input-size with tensors).`;
    throw new AloftError('REQUEST_INVALID', message, { cause });
  }
}
