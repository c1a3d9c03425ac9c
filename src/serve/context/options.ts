/** The effective configuration of a server. Validated once, printed at start. */
import type { EngineOptions } from '../../core/engine-options.js';
import type { HealthLimits } from '../metrics/health.js';
import { DEFAULT_METRICS, type MetricsOptions } from '../metrics/metrics-options.js';
import type { ControlMode } from '../repository/model-repository.js';
import type { Restrictions } from './restricted-apis.js';
import type { ServedName } from './served-names.js';
import type { LogSettings, TraceSettings } from './settings.js';

export interface TlsFiles {
  /** PEM texts. */
  readonly certificate: string;
  readonly key: string;
  /** PEM of the authority that clients' certificates must come from; undefined asks for none. */
  readonly clientAuthority: string | undefined;
}

export interface ListenOptions {
  readonly host: string;
  /** 0 takes a free one; undefined does not listen. */
  readonly port: number | undefined;
}

export interface ServeOptions extends HealthLimits {
  readonly serverId: string;
  readonly modelRepositories: readonly string[];
  /** Serves one engine without a repository. */
  readonly engineDirectory: string | undefined;
  /** Engines to serve beside each other, without a repository. */
  readonly namedEngines: readonly NamedEngine[];
  readonly tokenizerDirectory: string | undefined;
  /** Options of every engine whose config.pbtxt does not set them. */
  readonly engineOptions: EngineOptions;
  readonly controlMode: ControlMode;
  readonly pollSeconds: number;
  readonly loadModels: readonly string[];
  readonly http: ListenOptions;
  readonly grpc: ListenOptions;
  readonly metrics: ListenOptions;
  readonly tls: TlsFiles | undefined;
  /** TLS files for gRPC. Undefined: use those for HTTP. */
  readonly grpcTls: TlsFiles | undefined;
  /** Empty: no key is asked for. */
  readonly apiKeys: readonly string[];
  /** Keys that administration needs; empty: what use needs. */
  readonly adminKeys: readonly string[];
  /** Keys that priority over others needs, as those of administration have it; both empty: all have it. */
  readonly priorityKeys: readonly string[];
  /** Groups of routes and methods that need a header besides. */
  readonly restrictions: Restrictions;
  /** True if callers with different keys may find each other's prompts in the prefix cache. */
  readonly sharesPrefixCache: boolean;
  /** Names by which a server without keys may be called, besides its addresses; `*` allows all. */
  readonly allowedHosts: readonly string[];
  /** Origins that browsers may call from; empty: none but the server's own. */
  readonly corsOrigins: readonly string[];
  readonly maxBodyBytes: number;
  readonly maxHeaderBytes: number;
  /** Bytes of the bodies of all requests that are not answered. */
  readonly maxOpenBodyBytes: number;
  /** Time that a body has in any case; a longer one needs 16 KB/s. */
  readonly bodyTimeoutMs: number;
  /** Calls of one gRPC connection at the same time. */
  readonly maxStreamsPerConnection: number;
  readonly maxConnectionCount: number;
  /** Further names of models in the OpenAI interface. */
  readonly servedNames: readonly ServedName[];
  /** Form of calls of tools, by its name; undefined: the one that the model's chat template asks for. */
  readonly toolCallParser: string | undefined;
  /** Tags of thoughts, by the name of their parser; undefined: those that the model's chat template knows. */
  readonly reasoningParser: string | undefined;
  /** Refuses OpenAI requests whose output may not fit instead of cutting it to what is left. */
  readonly strictLengths: boolean;
  /** Time without an event after which a stream of the OpenAI interface gets a comment, so that proxies keep it; undefined never. */
  readonly keepAliveMs: number | undefined;
  /** Requests of one engine that may wait when its configuration sets no max_queue_size. */
  readonly maxQueuedRequests: number;
  /** Events that may wait for one slow client. */
  readonly maxBufferedEventCount: number;
  /** A client that takes nothing for so long is disconnected. */
  readonly writeTimeoutMs: number;
  /** Settings that differ from the defaults. */
  readonly logSettings: LogSettings;
  readonly traceSettings: TraceSettings;
  readonly metricsOptions: MetricsOptions;
  /** Time that running requests have to finish at shutdown. */
  readonly drainMs: number;
  /** Whether an engine that has stopped, such as one whose rank died, is loaded again. */
  readonly restart: boolean;
  /** Time without a request after which an engine is unloaded until the next one; undefined: never. */
  readonly idleUnloadMs: number | undefined;
  /** Folder of the built playground page; undefined serves none. */
  readonly playgroundDirectory: string | undefined;
}

/** An engine with the name of its model. */
export interface NamedEngine {
  readonly name: string;
  readonly directory: string;
}

export const DEFAULT_SERVE_OPTIONS: ServeOptions = {
  serverId: 'aloft',
  modelRepositories: [],
  engineDirectory: undefined,
  namedEngines: [],
  tokenizerDirectory: undefined,
  engineOptions: {},
  controlMode: 'none',
  pollSeconds: 15,
  loadModels: [],
  http: { host: '127.0.0.1', port: 8000 },
  grpc: { host: '127.0.0.1', port: 8001 },
  metrics: { host: '127.0.0.1', port: 8002 },
  tls: undefined,
  grpcTls: undefined,
  apiKeys: [],
  adminKeys: [],
  priorityKeys: [],
  restrictions: { http: [], grpc: [] },
  sharesPrefixCache: false,
  allowedHosts: [],
  corsOrigins: [],
  maxBodyBytes: 64 * 2 ** 20,
  maxHeaderBytes: 16 * 2 ** 10,
  maxOpenBodyBytes: 512 * 2 ** 20,
  bodyTimeoutMs: 30_000,
  maxStreamsPerConnection: 4096,
  maxConnectionCount: 10_000,
  servedNames: [],
  toolCallParser: undefined,
  reasoningParser: undefined,
  strictLengths: false,
  keepAliveMs: undefined,
  maxQueuedRequests: 4096,
  maxBufferedEventCount: 4096,
  writeTimeoutMs: 30_000,
  strictReadiness: true,
  logSettings: {},
  traceSettings: {},
  metricsOptions: DEFAULT_METRICS,
  maxHeartbeatAgeMs: 10_000,
  drainMs: 30_000,
  restart: false,
  idleUnloadMs: undefined,
  playgroundDirectory: undefined,
};
