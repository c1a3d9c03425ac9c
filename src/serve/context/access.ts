/**
 * Rights of callers, the same for HTTP and gRPC: every route and every method belongs to a group, and a group needs nothing, a
 * key, or a key of administrators. Keys are compared in constant time by their digests.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { AloftError } from '../../core/errors.js';
import type { ServeOptions } from './options.js';

/** Rights that a group of routes needs. */
const NEEDS = {
  /** Probes of supervisors, which have no keys. */
  health: 'nothing',
  /** Files of the playground, without any data. */
  page: 'nothing',
  metadata: 'use',
  inference: 'use',
  /** Model repository, logging and trace settings. */
  administration: 'administration',
} as const;

export type AccessGroup = keyof typeof NEEDS;

/** Keys that a request came with. */
export interface Credentials {
  /** `Bearer KEY` */
  readonly authorization: string | undefined;
  /** The key alone. */
  readonly plainKey: string | undefined;
}

type AccessOptions = Pick<ServeOptions, 'apiKeys' | 'adminKeys' | 'sharesPrefixCache'>;

export class Access {
  readonly #userDigests: readonly Buffer[];
  readonly #adminDigests: readonly Buffer[];
  readonly #sharesPrefixCache: boolean;

  constructor({ apiKeys, adminKeys, sharesPrefixCache }: AccessOptions) {
    this.#userDigests = apiKeys.map(digest);
    this.#adminDigests = adminKeys.map(digest);
    this.#sharesPrefixCache = sharesPrefixCache;
  }

  /** True if use needs a key. */
  get hasKeys(): boolean {
    return this.#userDigests.length > 0;
  }

  /** @throws {AloftError} UNAUTHENTICATED without a known key, FORBIDDEN with one that has not the right */
  require(group: AccessGroup, credentials: Credentials): void {
    const need = NEEDS[group];
    if (need === 'nothing') return;
    const hasAdmins = this.#adminDigests.length > 0;
    const isAdministration = need === 'administration' && hasAdmins;
    if (!this.hasKeys && !isAdministration) return;
    const given = digestOf(credentials);
    if (isOneOf(this.#adminDigests, given)) return;
    const isUser = isOneOf(this.#userDigests, given);
    if (isUser && !isAdministration) return;
    if (isUser || (isAdministration && given !== undefined))
      throw new AloftError(
        'FORBIDDEN',
        'This needs a key of --admin-key-file; the key that was sent may only use models.',
      );
    throw new AloftError(
      'UNAUTHENTICATED',
      `This server needs an API key: send it as 'Authorization: Bearer KEY'.`,
    );
  }

  /**
   * Name of the caller's part of the prefix cache: a caller must not learn from cached prompts what others have sent.
   * Undefined when all callers share one.
   */
  tenantOf(credentials: Credentials): string | undefined {
    return this.#sharesPrefixCache ? undefined : this.callerOf(credentials);
  }

  /** Name of the caller, to whom what is kept for one belongs alone. Undefined without keys. */
  callerOf(credentials: Credentials): string | undefined {
    return this.hasKeys ? digestOf(credentials)?.toString('base64') : undefined;
  }
}

function digestOf({ authorization, plainKey }: Credentials): Buffer | undefined {
  const key = /^Bearer\s+(\S+)$/i.exec(authorization ?? '')?.[1] ?? plainKey;
  return key === undefined ? undefined : digest(key);
}

function isOneOf(digests: readonly Buffer[], given: Buffer | undefined): boolean {
  return given !== undefined && digests.some((known) => timingSafeEqual(known, given));
}

function digest(key: string): Buffer {
  return createHash('sha256').update(key).digest();
}
