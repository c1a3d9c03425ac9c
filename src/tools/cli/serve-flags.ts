/** Flags of `aloft serve` and `aloft start`. */
import { type Command, Option } from 'commander';
import { DEFAULT_SERVE_OPTIONS as DEFAULTS, type NamedEngine } from '../../serve/context/options.js';
import type { ControlMode } from '../../serve/repository/model-repository.js';
import { CALL_FORMAT_NAMES } from '../../text/calls/call-formats.js';
import { THOUGHT_NAMES } from '../../text/calls/thought-tags.js';
import { addOptionGroup } from './engine-flags.js';
import { onOff, oneOf, realNumber, repeated, wholeNumber } from './flags.js';
import { addLogFlags, type LogFlags } from './serve-log.js';
import type { GrpcTlsFlags } from './serve-secrets.js';
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

/** Flags that say which models are served. */
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
  addAddressFlags(command);
  addLifeFlags(command);
  addLimitFlags(command);
  addRightsFlags(command);
  addTlsFlags(command);
  addOpenAiFlags(command);
  addPageFlags(command);
  addOptionGroup(command, 'Engine options (defaults, which a config.pbtxt may override):');
  addTritonFlags(command.optionsGroup('Flags of tritonserver:'));
  addLogFlags(command.optionsGroup('Log:'));
  return addTraceFlags(command.optionsGroup('Traces:'));
}

function addAddressFlags(command: Command): void {
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
    .option('--allow-metrics <flag>', 'listen for metrics', onOff, true);
}

/** Lives of models, whichever they are. */
function addLifeFlags(command: Command): void {
  command
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
    );
}

function addLimitFlags(command: Command): void {
  command
    .optionsGroup('Limits:')
    .option('--http-max-input-size <bytes>', 'largest request', wholeNumber(1), DEFAULTS.maxBodyBytes)
    .option(
      '--max-queued-requests <n>',
      'requests of a model that may wait',
      wholeNumber(0),
      DEFAULTS.maxQueuedRequests,
    )
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
    );
}

function addRightsFlags(command: Command): void {
  command
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
    .option('--cors-origin <origin>', 'origin of pages that may call; may be repeated', repeated);
}

function addTlsFlags(command: Command): void {
  command
    .optionsGroup('TLS:')
    .option('--tls-cert <file>', 'PEM certificate: use TLS')
    .option('--tls-key <file>', 'PEM key')
    .option('--tls-client-ca <file>', 'PEM authority that clients must have a certificate of')
    .option('--grpc-use-ssl [flag]', 'TLS for gRPC alone, with the four that follow', onOff)
    .option('--grpc-use-ssl-mutual [flag]', 'ask clients of gRPC for a certificate', onOff)
    .option('--grpc-server-cert <file>', 'PEM certificate')
    .option('--grpc-server-key <file>', 'PEM key')
    .option('--grpc-root-cert <file>', 'PEM authority of the clients');
}

function addOpenAiFlags(command: Command): void {
  command
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
    );
}

function addPageFlags(command: Command): void {
  command
    .optionsGroup('Page, health, metrics:')
    .option('--no-playground', 'do not serve the page at /')
    .option('--strict-readiness <flag>', 'ready only when all models are', onOff, true)
    .option(
      '--metrics-config <setting>',
      'summary_latencies=true, summary_quantiles=0.5:0.05,0.99:0.001, histogram_latencies=false, counter_latencies=false; may be repeated',
      repeated,
    );
}
