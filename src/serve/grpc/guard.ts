/** API keys of gRPC calls, in the metadata `authorization` or `x-api-key`. Health needs none. */
import type { Metadata } from '@grpc/grpc-js';
import type { ApiKeys } from '../context/api-keys.js';

const OPEN: ReadonlySet<string> = new Set(['ServerLive', 'ServerReady', 'ModelReady', 'Check', 'Watch']);

export class GrpcGuard {
  readonly #keys: ApiKeys;

  constructor(keys: ApiKeys) {
    this.#keys = keys;
  }

  /** @throws {AloftError} UNAUTHENTICATED */
  check(method: string, metadata: Metadata): void {
    if (OPEN.has(method)) return;
    this.#keys.require(textOf(metadata, 'authorization'), textOf(metadata, 'x-api-key'));
  }
}

export function textOf(metadata: Metadata, key: string): string | undefined {
  const [value] = metadata.get(key);
  return typeof value === 'string' ? value : undefined;
}
