/** Options of a server, from the flags of `aloft serve` and `aloft start`. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { AloftError } from '../../core/errors.js';
import { DEFAULT_SERVE_OPTIONS as DEFAULTS, type ServeOptions } from '../../serve/context/options.js';
import { readRestrictions } from '../../serve/context/restricted-apis.js';
import { parseServedName } from '../../serve/context/served-names.js';
import { readMetricsOptions } from '../../serve/metrics/metrics-options.js';
import { engineOptions } from './engine-flags.js';
import type { ServeFlags } from './serve-flags.js';
import { readGrpcTls, readKeys, readTls } from './serve-secrets.js';

/** @throws {AloftError} USAGE */
export function serveOptions(flags: ServeFlags): ServeOptions {
  const modelRepositories = [
    ...(flags.modelRepo ?? []),
    ...(flags.modelRepository ?? []),
    ...(flags.modelStore ?? []),
  ];
  const { engineDir, namedEngines = [] } = flags;
  if (modelRepositories.length === 0 && engineDir === undefined && namedEngines.length === 0) {
    throw new AloftError('USAGE', 'Nothing to serve: name an engine, or give --model-repo or --engine-dir.');
  }
  return {
    ...DEFAULTS,
    serverId: flags.id,
    modelRepositories,
    engineDirectory: engineDir,
    namedEngines,
    tokenizerDirectory: flags.tokenizerDir,
    engineOptions: engineOptions(flags),
    controlMode: flags.modelControlMode ?? DEFAULTS.controlMode,
    pollSeconds: flags.repositoryPollSecs ?? DEFAULTS.pollSeconds,
    loadModels: flags.loadModel ?? [],
    ...listenOptions(flags),
    ...accessOptions(flags),
    strictReadiness: flags.strictReadiness,
    metricsOptions: readMetricsOptions(flags.metricsConfig ?? []),
    servedNames: (flags.servedModelName ?? []).map(parseServedName),
    toolCallParser: flags.toolCallParser,
    reasoningParser: flags.reasoningParser,
    strictLengths: flags.strictLengths,
    keepAliveMs: flags.sseKeepaliveSecs === undefined ? undefined : flags.sseKeepaliveSecs * 1000,
    maxOpenBodyBytes: flags.maxOpenBodyBytes,
    bodyTimeoutMs: flags.bodyTimeoutSecs * 1000,
    maxBodyBytes: flags.httpMaxInputSize,
    maxQueuedRequests: flags.maxQueuedRequests,
    drainMs: flags.exitTimeoutSecs * 1000,
    restart: flags.restart ?? false,
    idleUnloadMs: flags.idleUnloadSeconds === undefined ? undefined : flags.idleUnloadSeconds * 1000,
    playgroundDirectory: flags.playground ? playgroundDirectory() : undefined,
  };
}

function listenOptions(flags: ServeFlags): Pick<ServeOptions, 'http' | 'grpc' | 'metrics'> {
  const listen = (host: string | undefined, port: number, allowed: boolean) => ({
    host: host ?? flags.host,
    port: allowed ? port : undefined,
  });
  return {
    http: listen(flags.httpAddress, flags.httpPort, flags.allowHttp),
    grpc: listen(flags.grpcAddress, flags.grpcPort, flags.allowGrpc),
    // Metrics have no keys: they leave this machine only on purpose.
    metrics: listen(flags.metricsAddress ?? DEFAULTS.metrics.host, flags.metricsPort, flags.allowMetrics),
  };
}

/** Options that decide who may do what. */
function accessOptions(flags: ServeFlags) {
  return {
    tls: readTls({
      certificate: { flag: '--tls-cert', path: flags.tlsCert },
      key: { flag: '--tls-key', path: flags.tlsKey },
      authority: { flag: '--tls-client-ca', path: flags.tlsClientCa },
    }),
    grpcTls: flags.grpcUseSsl || flags.grpcUseSslMutual ? readGrpcTls(flags) : undefined,
    apiKeys: readKeys(flags.apiKeyFile, '--api-key-file'),
    adminKeys: readKeys(flags.adminKeyFile, '--admin-key-file'),
    priorityKeys: readKeys(flags.priorityKeyFile, '--priority-key-file'),
    restrictions: {
      http: readRestrictions('http', flags.httpRestrictedApi ?? []),
      grpc: readRestrictions('grpc', flags.grpcRestrictedProtocol ?? []),
    },
    sharesPrefixCache: flags.sharePrefixCache ?? false,
    allowedHosts: flags.allowedHost ?? [],
    corsOrigins: flags.corsOrigin ?? [],
  };
}

function playgroundDirectory(): string | undefined {
  const directory = fileURLToPath(new URL('../../../web/dist', import.meta.url));
  return existsSync(directory) ? directory : undefined;
}
