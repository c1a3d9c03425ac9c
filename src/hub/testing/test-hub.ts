/** A server that speaks the protocol of Hugging Face's hub, on this machine, with the faults that networks and hubs have. */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface HubModel {
  /** Branches and tags with their commits. */
  readonly revisions: Readonly<Record<string, string>>;
  readonly files: Readonly<Record<string, Uint8Array>>;
  /** Listed for everybody; its files need a token of {@link TestHub.members}. */
  readonly isGated?: boolean;
  /** Not there for requests without a token that the hub knows. */
  readonly isPrivate?: boolean;
}

/** A fault of requests for one file, as often as it stands in {@link TestHub.faults}. */
export type TestFault =
  | { readonly type: 'status'; readonly status: number; readonly retryAfter?: string }
  /** The connection is cut after so many bytes of the answer. */
  | { readonly type: 'cut'; readonly afterBytes: number }
  /** Nothing comes after so many bytes, and the connection stays open. */
  | { readonly type: 'stall'; readonly afterBytes: number }
  | { readonly type: 'wrongBytes' }
  | { readonly type: 'wholeFile' }
  /** A page for people, as proxies and logins answer with. */
  | { readonly type: 'page' };

export interface TestHub {
  readonly url: string;
  readonly models: Map<string, HubModel>;
  /** Tokens that the hub knows, and those of them that gated models are open to. */
  readonly tokens: Set<string>;
  readonly members: Set<string>;
  /** By path of a file, or `*` for listings; the first of a list is taken by the next request. */
  readonly faults: Map<string, TestFault[]>;
  /** Sizes to list instead of the true ones, by path. */
  readonly listedBytes: Map<string, number>;
  /** `GET /path bytes=10- token` of every request to the hub, `CDN ...` of those that it redirects. */
  readonly requests: string[];
  close(): Promise<void>;
}

/** Files from this size on are stored as Git LFS does, on a host by another name. */
const LFS_BYTES = 4096;
/** So few that listings of tests have several pages. */
const ENTRIES_PER_PAGE = 3;

export async function startTestHub(models: Readonly<Record<string, HubModel>>): Promise<TestHub> {
  const hub = new Hub(new Map(Object.entries(models)));
  await hub.start();
  return hub;
}

class Hub implements TestHub {
  readonly models: Map<string, HubModel>;
  readonly tokens = new Set<string>();
  readonly members = new Set<string>();
  readonly faults = new Map<string, TestFault[]>();
  readonly listedBytes = new Map<string, number>();
  readonly requests: string[] = [];
  readonly #hub: Server;
  readonly #store: Server;

  constructor(models: Map<string, HubModel>) {
    this.models = models;
    this.#hub = createServer((request, response) => this.#answer(request, response));
    this.#store = createServer((request, response) => this.#answerStored(request, response));
  }

  async start(): Promise<void> {
    for (const server of [this.#hub, this.#store])
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  }

  /** May be called again. */
  async close(): Promise<void> {
    for (const server of [this.#hub, this.#store]) {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  }

  get url(): string {
    return originOf(this.#hub);
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    this.#log('', request);
    const { pathname, searchParams } = new URL(request.url ?? '', this.url);
    const parts = pathname.split('/').slice(1).map(decodeURIComponent);
    const isListing = parts[0] === 'api';
    const [owner, name, kind, revision = '', ...rest] = isListing ? parts.slice(2) : parts;
    const repository = `${owner}/${name}`;
    const token = request.headers.authorization?.replace('Bearer ', '');
    if (token !== undefined && !this.tokens.has(token))
      return refuse(response, 401, undefined, 'Invalid credentials in Authorization header');
    const model = this.models.get(repository);
    if (model === undefined || (model.isPrivate && token === undefined))
      return refuse(response, token === undefined ? 401 : 404, 'RepoNotFound', 'Repository not found');
    const commit = model.revisions[revision] ?? revision;
    if (!Object.values(model.revisions).includes(commit))
      return refuse(response, 404, 'RevisionNotFound', `Invalid rev id: ${revision}`);
    if (isListing && this.#fail('*', response)) return;
    if (isListing && kind === 'revision')
      return json(response, {
        _id: '1',
        id: repository,
        sha: commit,
        gated: model.isGated ? 'auto' : false,
        lastModified: 0,
      });
    if (isListing) return this.#list(model, Number(searchParams.get('cursor') ?? 0), pathname, response);
    this.#resolve(model, { path: rest.join('/'), commit, token }, request, response);
  }

  #list({ files }: HubModel, start: number, pathname: string, response: ServerResponse): void {
    const folders = new Set(
      Object.keys(files).flatMap((path) => (path.includes('/') ? [path.split('/')[0]!] : [])),
    );
    const entries = [
      ...Array.from(folders, (path) => ({ type: 'directory', path, size: 0, oid: '0'.repeat(40) })),
      ...Object.entries(files).map(([path, bytes]) => {
        const size = this.listedBytes.get(path) ?? bytes.length;
        const entry = { type: 'file', path, size, oid: gitHash(bytes) };
        return isStored(bytes) ? { ...entry, lfs: { oid: sha256(bytes), size, pointerSize: 135 } } : entry;
      }),
    ];
    const end = start + ENTRIES_PER_PAGE;
    if (end < entries.length)
      response.setHeader(
        'link',
        `<${this.url}${pathname}?recursive=true&expand=false&cursor=${end}>; rel="next"`,
      );
    json(response, entries.slice(start, end));
  }

  #resolve(
    model: HubModel,
    {
      path,
      commit,
      token = '',
    }: { readonly path: string; readonly commit: string; readonly token: string | undefined },
    request: IncomingMessage,
    response: ServerResponse,
  ): void {
    if (model.isGated && !this.members.has(token))
      return refuse(response, token === '' ? 401 : 403, 'GatedRepo', 'Access to model is restricted');
    const bytes = model.files[path];
    if (bytes === undefined) return refuse(response, 404, 'EntryNotFound', 'Entry not found');
    response.setHeader('x-repo-commit', commit);
    if (!isStored(bytes)) {
      response.setHeader('etag', `"${gitHash(bytes)}"`);
      return this.#send(path, bytes, request, response);
    }
    response.setHeader('x-linked-etag', `"${sha256(bytes)}"`);
    response.setHeader('x-linked-size', bytes.length);
    response.writeHead(302, {
      location: `${originOf(this.#store, 'localhost')}/${sha256(bytes)}/${encodeURIComponent(path)}`,
    });
    response.end();
  }

  #answerStored(request: IncomingMessage, response: ServerResponse): void {
    this.#log('CDN ', request);
    const [, hash, path = ''] = (request.url ?? '').split('/').map(decodeURIComponent);
    const files = [...this.models.values()].flatMap((model) => Object.values(model.files));
    const bytes = files.find((candidate) => sha256(candidate) === hash);
    if (bytes === undefined) return refuse(response, 404, undefined, 'NoSuchKey');
    response.setHeader('etag', '"a hash of parts"');
    this.#send(path, bytes, request, response);
  }

  #send(path: string, bytes: Uint8Array, request: IncomingMessage, response: ServerResponse): void {
    const fault = this.faults.get(path)?.shift();
    if (fault?.type === 'status') return refuseBusy(response, fault);
    const [, from] = /^bytes=(\d+)-$/.exec(request.headers.range ?? '') ?? [];
    const isPart = from !== undefined && fault?.type !== 'wholeFile';
    const start = isPart ? Number(from) : 0;
    if (start >= bytes.length && start > 0) return refuse(response, 416, undefined, 'Range not satisfiable');
    response.writeHead(isPart ? 206 : 200, {
      'content-length': bytes.length - start,
      ...(isPart ? { 'content-range': `bytes ${start}-${bytes.length - 1}/${bytes.length}` } : {}),
    });
    const body = fault?.type === 'wrongBytes' ? bytes.map((byte) => byte ^ 1) : bytes;
    if (fault?.type !== 'cut' && fault?.type !== 'stall') return void response.end(body.subarray(start));
    response.write(body.subarray(start, start + fault.afterBytes), () => {
      if (fault.type === 'cut') response.destroy();
    });
  }

  /** @returns true when the request was answered with a fault */
  #fail(path: string, response: ServerResponse): boolean {
    const fault = this.faults.get(path)?.shift();
    if (fault?.type === 'status') refuseBusy(response, fault);
    else if (fault?.type === 'page') response.end('<html>Please log in</html>');
    else if (fault !== undefined) response.destroy();
    return fault !== undefined;
  }

  #log(prefix: string, { method, url, headers }: IncomingMessage): void {
    const words = [method, decodeURIComponent(url ?? '').split('?')[0], headers.range, headers.authorization];
    this.requests.push(prefix + words.filter((word) => word !== undefined).join(' '));
  }
}

const originOf = (server: Server, host = '127.0.0.1'): string =>
  `http://${host}:${(server.address() as AddressInfo).port}`;
const isStored = (bytes: Uint8Array): boolean => bytes.length >= LFS_BYTES;

function json(response: ServerResponse, value: unknown): void {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value));
}

function refuse(response: ServerResponse, status: number, code: string | undefined, message: string): void {
  if (code !== undefined) response.setHeader('x-error-code', code);
  response.setHeader('x-error-message', message);
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify({ error: message }));
}

function refuseBusy(response: ServerResponse, fault: Extract<TestFault, { type: 'status' }>): void {
  if (fault.retryAfter !== undefined) response.setHeader('retry-after', fault.retryAfter);
  refuse(response, fault.status, undefined, 'Not now');
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

export function gitHash(bytes: Uint8Array): string {
  return createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex');
}
