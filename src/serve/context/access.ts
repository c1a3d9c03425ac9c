/**
 * Rights of callers, the same for HTTP and gRPC: every route and every method belongs to a group. A group needs nothing, a key, or
 * a key of administrators; and a header besides where it is restricted. Secrets are compared in constant time by their digests.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { AloftError } from '../../core/errors.js';
import type { ServeOptions } from './options.js';
import type { ListedApi, Restriction } from './restricted-apis.js';

interface Rights {
  readonly need: 'nothing' | 'use' | 'administration';
  /** Triton's name, by which `--http-restricted-api` and `--grpc-restricted-protocol` restrict it. */
  readonly api: ListedApi | undefined;
}

const GROUPS = {
  /** Probes of supervisors, which have no keys. */
  health: { need: 'nothing', api: 'health' },
  /** Files of the playground, without any data. */
  page: { need: 'nothing', api: undefined },
  metadata: { need: 'use', api: 'metadata' },
  inference: { need: 'use', api: 'inference' },
  'shared-memory': { need: 'use', api: 'shared-memory' },
  'model-config': { need: 'use', api: 'model-config' },
  statistics: { need: 'use', api: 'statistics' },
  'model-index': { need: 'use', api: 'model-repository' },
  'model-repository': { need: 'administration', api: 'model-repository' },
  trace: { need: 'administration', api: 'trace' },
  logging: { need: 'administration', api: 'logging' },
} as const satisfies Record<string, Rights>;

export type AccessGroup = keyof typeof GROUPS;

/** Secrets that a request came with. */
export interface Credentials {
  /** `Bearer KEY` */
  readonly authorization: string | undefined;
  /** The key alone. */
  readonly plainKey: string | undefined;
  /** Value of a header by its name in lower case. */
  readonly header: (name: string) => string | undefined;
}

/** Facts about the sender of a request that matter after it is read. */
export interface Caller {
  /** Name of the sender, to whom what is kept for one belongs alone; undefined without keys. */
  readonly id: string | undefined;
  /** Name of its part of the prefix cache; undefined where all callers share one. */
  readonly tenant: string | undefined;
  /** True if its requests may go before others' that came earlier. */
  readonly mayOvertake: boolean;
}

const ANYBODY: Caller = { id: undefined, tenant: undefined, mayOvertake: true };

type AccessOptions = Pick<
  ServeOptions,
  'apiKeys' | 'adminKeys' | 'priorityKeys' | 'sharesPrefixCache' | 'restrictions'
>;

export class Access {
  readonly #users: readonly Buffer[];
  readonly #admins: readonly Buffer[];
  readonly #overtakers: readonly Buffer[];
  readonly #sharesPrefixCache: boolean;
  readonly #restrictions: ServeOptions['restrictions'];

  constructor(options: AccessOptions) {
    this.#users = options.apiKeys.map(digest);
    this.#admins = options.adminKeys.map(digest);
    this.#overtakers = options.priorityKeys.map(digest);
    this.#sharesPrefixCache = options.sharesPrefixCache;
    this.#restrictions = options.restrictions;
  }

  /** True if use needs a key. */
  get hasKeys(): boolean {
    return this.#users.length > 0;
  }

  /** @throws {AloftError} UNAUTHENTICATED without a known key, FORBIDDEN with one that has not the right, or without a header */
  require(group: AccessGroup, protocol: 'http' | 'grpc', credentials: Credentials): void {
    const { need, api }: Rights = GROUPS[group];
    if (need !== 'nothing') this.#requireKey(need, digestOf(credentials));
    for (const restriction of this.#restrictions[protocol])
      if (api !== undefined && restriction.apis.includes(api)) requireHeader(api, restriction, credentials);
  }

  /** The caller, by the key that it sends. */
  callerOf(credentials: Credentials): Caller {
    const overtakers = [...this.#overtakers, ...this.#admins];
    // Clients send keys, too, where none is needed.
    if (!this.hasKeys && overtakers.length === 0) return ANYBODY;
    const given = digestOf(credentials);
    const id = this.hasKeys ? given?.toString('base64') : undefined;
    return {
      id,
      tenant: this.#sharesPrefixCache ? undefined : id,
      mayOvertake: overtakers.length === 0 || isOneOf(overtakers, given),
    };
  }

  #requireKey(need: 'use' | 'administration', given: Buffer | undefined): void {
    const isAdministration = need === 'administration' && this.#admins.length > 0;
    if (!this.hasKeys && !isAdministration) return;
    if (isOneOf(this.#admins, given)) return;
    const isUser = isOneOf(this.#users, given) || isOneOf(this.#overtakers, given);
    if (isUser && !isAdministration) return;
    if (isUser || (isAdministration && given !== undefined))
      throw forbidden('This needs a key of --admin-key-file; the key that was sent may only use models.');
    throw new AloftError(
      'UNAUTHENTICATED',
      `This server needs an API key: send it as 'Authorization: Bearer KEY'.`,
    );
  }
}

/**
 * @param priority positive for a request that goes before others that came earlier
 * @throws {AloftError} FORBIDDEN where the caller may not do that
 */
export function requireTurn(priority: number | undefined, caller: Caller): void {
  if (priority === undefined || priority <= 0 || caller.mayOvertake) return;
  throw forbidden(
    `'priority' would put the request before those of others, which needs a key of --priority-key-file or --admin-key-file; leave it out.`,
  );
}

function requireHeader(api: ListedApi, { header, value }: Restriction, credentials: Credentials): void {
  const given = credentials.header(header);
  if (given !== undefined && timingSafeEqual(digest(given), digest(value))) return;
  throw forbidden(`This API (${api}) is restricted, expecting header '${header}' with its value.`);
}

function forbidden(message: string): AloftError {
  return new AloftError('FORBIDDEN', message);
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
