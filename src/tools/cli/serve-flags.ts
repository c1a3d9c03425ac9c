/** Flags of `aloft serve` and `aloft start`, and the options that they make. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Command, Option } from 'commander';
import { AloftError } from '../../core/errors.js';
import {
  DEFAULT_SERVE_OPTIONS as DEFAULTS,
  type NamedEngine,
  type ServeOptions,
} from '../../serve/context/options.js';
import { readRestrictions } from '../../serve/context/restricted-apis.js';
import { parseServedName } from '../../serve/context/served-names.js';
import { readMetricsOptions } from '../../serve/metrics/metrics-options.js';
import type { ControlMode } from '../../serve/repository/model-repository.js';
import { CALL_FORMAT_NAMES } from '../../text/calls/call-formats.js';
import { THOUGHT_NAMES } from '../../text/calls/thought-tags.js';
import { addOptionGroup, engineOptions } from './engine-flags.js';
import { onOff, oneOf, realNumber, repeated, wholeNumber } from './flags.js';
import { addLogFlags, type LogFlags } from './serve-log.js';
import { type GrpcTlsFlags, readGrpcTls, readKeys, readTls } from './serve-secrets.js';
import { addTraceFlags, type TraceFlags } from './trace-flags.js';
import { addTritonFlags } from './triton-flags.js';

/** Which models a server has; `aloft start` knows its own. */
interface ModelFlags {
  readonly modelRepo?: readonly string[];
  readonly modelRepository?: readonly string[];
  readonly modelStore?: readonly string[];
  readonly engineDir?: string;
  /** Made of several engines on the command line. */
  readonly namedEngines?: readonly NamedEngine[];
  readonly tokenizerDir?: string;
  readonly modelControlMode?: ControlMode;
  readonly repositoryPollSecs?: number;
  readonly loadModel?: readonly string[];
}

export interface ServeFlags extends ModelFlags, LogFlags, TraceFlags, GrpcTlsFlags {
  readonly id: string;
  readonly host: string;
  readonly httpAddress?: string;
  readonly grpcAddress?: string;
  readonly metricsAddress?: string;
  readonly httpPort: number;
  readonly grpcPort: number;
  readonly metricsPort: number;
  readonly allowHttp: boolean;
  readonly allowGrpc: boolean;
  readonly allowMetrics: boolean;
  readonly exitTimeoutSecs: number;
  readonly exitOnError: boolean;
  readonly restart?: boolean;
  readonly idleUnloadSeconds?: number;
  readonly httpMaxInputSize: number;
  readonly maxQueuedRequests: number;
  readonly apiKeyFile?: string;
  readonly adminKeyFile?: string;
  readonly priorityKeyFile?: string;
  readonly httpRestrictedApi?: readonly string[];
  readonly grpcRestrictedProtocol?: readonly string[];
  readonly sharePrefixCache?: boolean;
  readonly allowedHost?: readonly string[];
  readonly maxOpenBodyBytes: number;
  readonly bodyTimeoutSecs: number;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly tlsClientCa?: string;
  readonly corsOrigin?: readonly string[];
  readonly servedModelName?: readonly string[];
  readonly toolCallParser?: string;
  readonly reasoningParser?: string;
  readonly strictLengths: boolean;
  readonly sseKeepaliveSecs?: number;
  readonly playground: boolean;
  readonly strictReadiness: boolean;
  readonly metricsConfig?: readonly string[];
}

/** Flags that say which models are served, and how they come and go. */
export function addModelFlags(command: Command): Command {
  return command
    .optionsGroup('Models:')
    .option('--model-repo <dir>', 'model repository; may be repeated', repeated)
    .addOption(new Option('--model-repository <dir>', 'the same').argParser(repeated))
    .addOption(new Option('--model-store <dir>', 'the same').argParser(repeated).hideHelp())
    .option('--engine-dir <dir>', 'serve one engine without a repository')
    .option('--tokenizer-dir <dir>', 'tokenizer for --engine-dir (default: beside the engine)')
    .option(
      '--model-control-mode <mode>',
      'none, explicit or poll',
      oneOf(['none', 'explicit', 'poll']),
      DEFAULTS.controlMode,
    )
    .option('--repository-poll-secs <seconds>', 'in mode poll', realNumber(0.1, 86_400), DEFAULTS.pollSeconds)
    .option('--load-model <name>', 'in mode explicit, load at start; * is all; may be repeated', repeated);
}

/** Flags of a server whatever its models are. */
export function addServeFlags(command: Command): Command {
  const { http, grpc, metrics } = DEFAULTS;
  const port = wholeNumber(0, 65_535);
  command
    .optionsGroup('Addresses:')
    .option('--id <name>', 'name of the server', DEFAULTS.serverId)
    .option('--host <address>', 'address to listen on; 0.0.0.0 lets others connect', http.host)
    .option('--http-address <address>', 'for HTTP alone')
    .option('--grpc-address <address>', 'for gRPC alone')
    .option('--metrics-address <address>', 'for metrics, which --host does not move (default: 127.0.0.1)')
    .option('--http-port <port>', 'HTTP', port, http.port ?? 0)
    .option('--grpc-port <port>', 'gRPC', port, grpc.port ?? 0)
    .option('--metrics-port <port>', 'Prometheus metrics', port, metrics.port ?? 0)
    .option('--allow-http <flag>', 'listen for HTTP', onOff, true)
    .option('--allow-grpc <flag>', 'listen for gRPC', onOff, true)
    .option('--allow-metrics <flag>', 'listen for metrics', onOff, true)
    .optionsGroup('Models:')
    .option(
      '--exit-timeout-secs <seconds>',
      'time for running requests at shutdown',
      realNumber(0, 86_400),
      DEFAULTS.drainMs / 1000,
    )
    .option('--exit-on-error <flag>', 'stop when a model cannot be loaded at start', onOff, true)
    .option('--restart', 'load an engine again that has stopped, such as one whose rank died')
    .option(
      '--idle-unload-seconds <seconds>',
      'free an engine that had no request for so long, or whose memory another one needs; the next request loads it again',
      realNumber(0.1, 1e6),
    )
    .optionsGroup('Limits:')
    .option('--http-max-input-size <bytes>', 'largest request', wholeNumber(1), DEFAULTS.maxBodyBytes)
    .option(
      '--max-queued-requests <n>',
      'requests of a model that may wait',
      wholeNumber(0),
      DEFAULTS.maxQueuedRequests,
    )
    .optionsGroup('Keys and rights:')
    .option('--api-key-file <file>', 'one key a line; requests then need one')
    .option(
      '--admin-key-file <file>',
      'one key a line; loading, unloading, log and trace settings then need one of these',
    )
    .option(
      '--priority-key-file <file>',
      'one key a line; a priority over other requests then needs one of these, or of --admin-key-file',
    )
    .option(
      '--http-restricted-api <apis>',
      'API,API,...:HEADER=VALUE: these need the header; may be repeated',
      repeated,
    )
    .option(
      '--grpc-restricted-protocol <apis>',
      'the same for gRPC, where the header is triton-grpc-protocol-HEADER',
      repeated,
    )
    .option('--share-prefix-cache', 'let keys find the prompts of other keys in the prefix cache')
    .option(
      '--allowed-host <name>',
      'name by which a server without keys may be called, besides its addresses; * is any; may be repeated',
      repeated,
    )
    .optionsGroup('Limits:')
    .option(
      '--max-open-body-bytes <bytes>',
      'bodies of all requests that are not answered',
      wholeNumber(1),
      DEFAULTS.maxOpenBodyBytes,
    )
    .option(
      '--body-timeout-secs <seconds>',
      'time of a body in any case; a longer one needs 16 KB/s',
      realNumber(0.1, 86_400),
      DEFAULTS.bodyTimeoutMs / 1000,
    )
    .optionsGroup('TLS:')
    .option('--tls-cert <file>', 'PEM certificate: use TLS')
    .option('--tls-key <file>', 'PEM key')
    .option('--tls-client-ca <file>', 'PEM authority that clients must have a certificate of')
    .optionsGroup('Keys and rights:')
    .option('--cors-origin <origin>', 'origin of pages that may call; may be repeated', repeated)
    .optionsGroup('OpenAI API:')
    .option(
      '--served-model-name <name>',
      'name of the model in the OpenAI API, or NAME=MODEL where there are several; may be repeated',
      repeated,
    )
    .option(
      '--tool-call-parser <name>',
      'form in which the model writes calls of tools (default: as its chat template asks for)',
      oneOf(CALL_FORMAT_NAMES),
    )
    .option(
      '--reasoning-parser <name>',
      'tags of its thoughts (default: those of its chat template); none leaves them in the text',
      oneOf(THOUGHT_NAMES),
    )
    .option(
      '--strict-lengths',
      'refuse OpenAI requests whose max_tokens do not fit instead of cutting them',
      false,
    )
    .option(
      '--sse-keepalive-secs <seconds>',
      'send a comment on OpenAI streams that are silent for so long (default: never)',
      realNumber(0.001, 86_400),
    )
    .optionsGroup('Page, health, metrics:')
    .option('--no-playground', 'do not serve the page at /')
    .option('--strict-readiness <flag>', 'ready only when all models are', onOff, true)
    .option(
      '--metrics-config <setting>',
      'summary_latencies=true, summary_quantiles=0.5:0.05,0.99:0.001, histogram_latencies=false, counter_latencies=false; may be repeated',
      repeated,
    )
    .optionsGroup('TLS:')
    .option('--grpc-use-ssl [flag]', 'TLS for gRPC alone, with the four that follow', onOff)
    .option('--grpc-use-ssl-mutual [flag]', 'ask clients of gRPC for a certificate', onOff)
    .option('--grpc-server-cert <file>', 'PEM certificate')
    .option('--grpc-server-key <file>', 'PEM key')
    .option('--grpc-root-cert <file>', 'PEM authority of the clients');
  addOptionGroup(command, 'Engine options (defaults, which a config.pbtxt may override):');
  addTritonFlags(command.optionsGroup('Flags of tritonserver:'));
  addLogFlags(command.optionsGroup('Log:'));
  return addTraceFlags(command.optionsGroup('Traces:'));
}

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
  const listen = (host: string | undefined, port: number, allowed: boolean) => ({
    host: host ?? flags.host,
    port: allowed ? port : undefined,
  });
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
    http: listen(flags.httpAddress, flags.httpPort, flags.allowHttp),
    grpc: listen(flags.grpcAddress, flags.grpcPort, flags.allowGrpc),
    // Metrics have no keys: they leave this machine only on purpose.
    metrics: listen(flags.metricsAddress ?? DEFAULTS.metrics.host, flags.metricsPort, flags.allowMetrics),
    tls: readTls({
      certificate: { flag: '--tls-cert', path: flags.tlsCert },
      key: { flag: '--tls-key', path: flags.tlsKey },
      authority: { flag: '--tls-client-ca', path: flags.tlsClientCa },
    }),
    grpcTls: flags.grpcUseSsl || flags.grpcUseSslMutual ? readGrpcTls(flags) : undefined,
    strictReadiness: flags.strictReadiness,
    metricsOptions: readMetricsOptions(flags.metricsConfig ?? []),
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

function playgroundDirectory(): string | undefined {
  const directory = fileURLToPath(new URL('../../../web/dist', import.meta.url));
  return existsSync(directory) ? directory : undefined;
}
