/** Requests to a hub: commits, listings, parts of files, and refusals as coded errors. */
import { AloftError } from '../core/errors.js';
import { type HubSettings } from './hub-settings.js';
import { PassingFault, patiently } from './passing-fault.js';
import { refusal } from './refusal.js';
import type { RemoteFile } from './remote-file.js';

/** A repository at one commit. */
export interface RemoteModel {
  readonly commit: string;
  readonly files: readonly RemoteFile[];
}

/** An entry of a listing, as a hub should write it. */
interface ListedEntry {
  readonly type: string;
  readonly path: string;
  readonly size: number;
  /** Git's checksum of the file, or of what stands for it. */
  readonly oid: string;
  /** Size and SHA-256 of a file that is stored outside of git. */
  readonly lfs?: { readonly oid: string; readonly size: number };
}

const MAX_FAILURES = 3;

export class HubClient {
  readonly settings: HubSettings;
  readonly #signal: AbortSignal;

  /** @param signal ends every request */
  constructor(settings: HubSettings, signal: AbortSignal) {
    this.settings = settings;
    this.#signal = signal;
  }

  /** Commit of a revision, and the files there. @throws {AloftError} HUB_*, CHECKPOINT_NOT_FOUND */
  async model(repository: string, revision: string): Promise<RemoteModel> {
    const patience = {
      maxFailures: MAX_FAILURES,
      delayMs: this.settings.retryDelayMs,
      signal: this.#signal,
    };
    return patiently(async () => {
      try {
        const commit = await this.#commit(repository, revision);
        return { commit, files: await this.#listing(repository, commit) };
      } catch (fault) {
        if (fault instanceof AloftError || this.#signal.aborted) throw fault;
        throw this.#noHub(fault);
      }
    }, patience);
  }

  async #commit(repository: string, revision: string): Promise<string> {
    const url = `${this.settings.endpoint}/api/models/${repository}/revision/${encodeURIComponent(revision)}`;
    const response = await this.#request(url, new Headers(), { repository, revision });
    const { sha } = (await response.json()) as { readonly sha?: unknown };
    if (typeof sha !== 'string' || !/^[0-9a-f]{40}$/.test(sha)) throw this.#noHub();
    return sha;
  }

  /** All files at a commit. A listing has pages, each with the address of the next in its Link header. */
  async #listing(repository: string, commit: string): Promise<RemoteFile[]> {
    const files: RemoteFile[] = [];
    let url: string | undefined =
      `${this.settings.endpoint}/api/models/${repository}/tree/${commit}?recursive=true`;
    while (url !== undefined) {
      const response = await this.#request(url, new Headers(), { repository, revision: commit });
      for (const entry of (await response.json()) as readonly ListedEntry[]) {
        if (entry.type === 'file') files.push(this.#remoteFile(entry));
      }
      url = /<([^>]+)>;\s*rel="next"/.exec(response.headers.get('link') ?? '')?.[1];
    }
    return files;
  }

  /** The bytes of a file from `start` on: status 206, or 200 with all bytes from a hub that cannot skip some. @throws {AloftError} */
  file(
    {
      repository,
      commit,
      path,
    }: { readonly repository: string; readonly commit: string; readonly path: string },
    start: number,
    signal: AbortSignal,
  ): Promise<Response> {
    const url = `${this.settings.endpoint}/${repository}/resolve/${commit}/${path.split('/').map(encodeURIComponent).join('/')}`;
    // Packed on the way, a part of a file would be a part of the packed one.
    const headers = new Headers({ 'accept-encoding': 'identity' });
    if (start > 0) headers.set('range', `bytes=${start}-`);
    return this.#request(url, headers, { repository, revision: commit, path }, signal);
  }

  async #request(
    url: string,
    headers: Headers,
    place: { readonly repository: string; readonly revision: string; readonly path?: string },
    signal?: AbortSignal,
  ): Promise<Response> {
    const { endpoint, token, timeoutMs } = this.settings;
    headers.set('user-agent', 'aloft');
    // A listing may go on at another host, which has no business with the token. After a redirect fetch drops it.
    if (token !== undefined && new URL(url).origin === new URL(endpoint).origin)
      headers.set('authorization', `Bearer ${token}`);
    const silence = new AbortController();
    const timer = setTimeout(() => silence.abort(), timeoutMs);
    try {
      const response = await fetch(url, {
        headers,
        signal: AbortSignal.any([silence.signal, this.#signal, ...(signal === undefined ? [] : [signal])]),
      });
      if (!response.ok) throw await refusal(response, { ...place, settings: this.settings });
      return response;
    } catch (fault) {
      if (fault instanceof AloftError || this.#signal.aborted || signal?.aborted) throw fault;
      throw new PassingFault(
        `The hub (${endpoint}) cannot be reached: ${silence.signal.aborted ? `no answer in ${timeoutMs / 1000} s` : reasonOf(fault)}; check the connection and HF_ENDPOINT.`,
        { cause: fault },
      );
    } finally {
      clearTimeout(timer);
    }
  }

  #remoteFile({ path, size, oid, lfs }: ListedEntry): RemoteFile {
    const [type, hex = ''] = lfs === undefined ? (['git', oid] as const) : (['sha256', lfs.oid] as const);
    const bytes = lfs?.size ?? size;
    const isChecksum = type === 'git' ? /^[0-9a-f]{40}$/ : /^[0-9a-f]{64}$/;
    if (!isInside(path) || !Number.isSafeInteger(bytes) || bytes < 0 || !isChecksum.test(hex))
      throw this.#noHub();
    return { path, bytes, checksum: { type, hex } };
  }

  #noHub(cause?: unknown): AloftError {
    return new AloftError(
      'HUB_UNREACHABLE',
      `${this.settings.endpoint} does not answer as a hub of models does; check HF_ENDPOINT, and whether a proxy or login page answers instead.`,
      { cause },
    );
  }
}

/** Whether a path stays inside of the folder that it is joined to. */
function isInside(path: unknown): boolean {
  return typeof path === 'string' && !/[\\\0]|^\/|(?:^|\/)\.\.?(?:\/|$)/.test(path);
}

/** The reason of a failed connection, which fetch hides in the cause. */
export function reasonOf(fault: unknown): string {
  if (!(fault instanceof Error)) return String(fault);
  const { cause } = fault;
  if (cause instanceof AggregateError && cause.errors.length > 0) return reasonOf(cause.errors[0]);
  return cause instanceof Error && cause.message !== '' ? cause.message : fault.message;
}
