/** API keys: constant-time comparison of digests, so that neither length nor content leaks through timing. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { AloftError } from '../../core/errors.js';

export class ApiKeys {
  readonly #digests: readonly Buffer[];

  constructor(keys: readonly string[]) {
    this.#digests = keys.map(digest);
  }

  /**
   * @param authorization `Bearer KEY`; @param plainKey The key alone.
   * @throws {AloftError} UNAUTHENTICATED
   */
  require(authorization: string | undefined, plainKey: string | undefined): void {
    if (this.#digests.length === 0) return;
    const key = /^Bearer\s+(\S+)$/i.exec(authorization ?? '')?.[1] ?? plainKey;
    const given = key === undefined ? undefined : digest(key);
    const isKnown = given !== undefined && this.#digests.some((known) => timingSafeEqual(known, given));
    if (isKnown) return;
    throw new AloftError(
      'UNAUTHENTICATED',
      `This server needs an API key: send it as 'Authorization: Bearer KEY'.`,
    );
  }
}

function digest(key: string): Buffer {
  return createHash('sha256').update(key).digest();
}
