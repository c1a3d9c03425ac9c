/** Requests to a hub: its own client's listings, downloads of parts of files, and refusals as coded errors. */
import type { ListFileEntry } from '@huggingface/hub';
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
    const hub = await import('@huggingface/hub');
    const { endpoint: hubUrl, retryDelayMs: delayMs } = this.settings;
    const request = (url: Parameters<typeof fetch>[0], options?: RequestInit): Promise<Response> =>
      this.#request(urlOf(url), new Headers(options?.headers), { repository, revision });
    const patience = { maxFailures: MAX_FAILURES, delayMs, signal: this.#signal };
    return patiently(async () => {
      try {
        const { sha: commit } = await hub.modelInfo({
          name: repository,
          revision,
          hubUrl,
          fetch: request,
          additionalFields: ['sha'],
        });
        if (!/^[0-9a-f]{40}$/.test(commit)) throw this.#noHub();
        const files: RemoteFile[] = [];
        const listing = hub.listFiles({
          repo: repository,
          revision: commit,
          hubUrl,
          recursive: true,
          fetch: request,
        });
        for await (const entry of listing) {
          if (entry.type === 'file') files.push(this.#remoteFile(entry));
        }
        return { commit, files };
      } catch (fault) {
        if (fault instanceof AloftError || this.#signal.aborted) throw fault;
        throw this.#noHub(fault);
      }
    }, patience);
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

  #remoteFile({ path, size, oid, lfs }: ListFileEntry): RemoteFile {
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

function urlOf(input: Parameters<typeof fetch>[0]): string {
  return typeof input === 'string' ? input : input instanceof URL ? input.href : input.url;
}
