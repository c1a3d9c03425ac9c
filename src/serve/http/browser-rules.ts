/**
 * Rules by which a page of another origin is not a user of this server. A browser sends requests for any page that it shows, also to
 * addresses that only this machine reaches; it says so in `Origin` and `Sec-Fetch-Site`. A page whose name was bound to this
 * address after it had loaded (DNS rebinding) has the server's own origin, but a `Host` that is not the server's.
 */
import { isIP } from 'node:net';
import type { IncomingHttpHeaders } from 'node:http';
import { AloftError } from '../../core/errors.js';
import type { ServeOptions } from '../context/options.js';

type BrowserOptions = Pick<ServeOptions, 'corsOrigins' | 'allowedHosts'> & {
  readonly host: string;
  /** Without keys, the name by which the server is called decides who may call. */
  readonly checksHost: boolean;
};

export class BrowserRules {
  readonly #options: BrowserOptions;

  constructor(options: BrowserOptions) {
    this.#options = options;
  }

  /** True if pages of this origin may call, by `--cors-origin`. */
  isAllowedOrigin(origin: string | undefined): origin is string {
    const { corsOrigins } = this.#options;
    return origin !== undefined && (corsOrigins.includes(origin) || corsOrigins.includes('*'));
  }

  /** @param isPage a person may come to the page by a link of another site @throws {AloftError} FORBIDDEN */
  check(headers: IncomingHttpHeaders, isPage: boolean): void {
    const { host, origin, 'sec-fetch-site': site } = headers;
    if (this.#options.checksHost && !isAllowedHost(host, this.#options)) throw wrongHost(host);
    if (this.isAllowedOrigin(origin)) return;
    if (origin !== undefined && hostOf(origin) !== host?.toLowerCase()) throw wrongOrigin(origin);
    if (site === 'cross-site' && !isPage) throw wrongOrigin(origin ?? 'another site');
  }
}

/** True for addresses, for names that no one can bind elsewhere, and for those that the operator names. */
export function isAllowedHost(
  header: string | undefined,
  { host, allowedHosts }: Pick<BrowserOptions, 'host' | 'allowedHosts'>,
): boolean {
  // HTTP/1.0; browsers always send it.
  if (header === undefined || allowedHosts.includes('*')) return true;
  const name = header
    .replace(/:\d+$/, '')
    .replace(/^\[(.*)\]$/, '$1')
    .toLowerCase();
  if (isIP(name) !== 0 || name === 'localhost' || name.endsWith('.localhost')) return true;
  return name === host.toLowerCase() || allowedHosts.some((allowed) => allowed.toLowerCase() === name);
}

/** Host and port of an origin; the scheme may differ behind a proxy that ends TLS. */
function hostOf(origin: string): string | undefined {
  return /^[a-z][a-z0-9+.-]*:\/\/([^/]+)$/i.exec(origin)?.[1]?.toLowerCase();
}

function wrongHost(host: string | undefined): AloftError {
  const message = `The server is not known as '${host ?? ''}'; call it by its address, or start it with --allowed-host for that name.`;
  return new AloftError('FORBIDDEN', message);
}

function wrongOrigin(origin: string): AloftError {
  const message = `Pages of ${origin} may not call this server; start it with --cors-origin for that origin.`;
  return new AloftError('FORBIDDEN', message);
}
