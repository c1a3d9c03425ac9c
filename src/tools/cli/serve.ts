/** `aloft serve`: flags -> options, start, wait for a signal, drain. */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Command, Option } from 'commander';
import { AloftError } from '../../core/errors.js';
import { lineLog, LOG_LEVELS, type Log, type LogLevel } from '../../core/log.js';
import type { ModelLoader } from '../../serve/loader.js';
import { DEFAULT_SERVE_OPTIONS as DEFAULTS, type ServeOptions, type TlsFiles } from '../../serve/options.js';
import type { ControlMode } from '../../serve/repository/model-repository.js';
import { startServer, type RunningServer } from '../../serve/server.js';
import { warmupFlag } from './engine-flags.js';
import { onOff, oneOf, realNumber, repeated, wholeNumber } from './flags.js';
import type { RegisterCommand } from './main.js';
import type { Terminal } from './terminal.js';

export interface ServeFlags {
  readonly modelRepo?: readonly string[];
  readonly modelRepository?: readonly string[];
  readonly modelStore?: readonly string[];
  readonly engineDir?: string;
  readonly tokenizerDir?: string;
  readonly worldSize?: number;
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
  readonly modelControlMode: ControlMode;
  readonly repositoryPollSecs: number;
  readonly loadModel?: readonly string[];
  readonly exitTimeoutSecs: number;
  readonly exitOnError: boolean;
  readonly httpMaxInputSize: number;
  readonly maxQueuedRequests: number;
  readonly apiKeyFile?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly tlsClientCa?: string;
  readonly corsOrigin?: readonly string[];
  readonly playground: boolean;
  readonly warmup?: true;
  readonly logLevel: LogLevel;
}

/** Triton's flags that need nothing here. */
const WITHOUT_EFFECT = [
  new Option('--disable-auto-complete-config', 'configurations are never completed'),
  new Option('--backend-config <setting>', 'there are no back ends to configure').argParser(repeated),
  new Option('--strict-model-config [flag]', 'configurations are always strict'),
];

/**
 * @param makeLoader Called once when the server starts.
 * @returns the command; the loader is a parameter so that the server can be started over any engine.
 */
export function serveCommand(makeLoader: (flags: ServeFlags, log: Log) => ModelLoader): RegisterCommand {
  return (program, terminal) => {
    const command = addServeFlags(
      program.command('serve').description('serve models over HTTP, gRPC and the OpenAI API'),
    );
    command.action(async (flags: ServeFlags) => {
      const log = lineLog(flags.logLevel, (line) => terminal.err(`${line}\n`));
      const server = await startServer(serveOptions(flags), { loader: makeLoader(flags, log), log });
      await serveUntilSignal(server, { exitOnError: flags.exitOnError, log, terminal });
    });
  };
}

export function addServeFlags(command: Command): Command {
  const { http, grpc, metrics } = DEFAULTS;
  const port = wholeNumber(0, 65_535);
  command
    .option('--model-repo <dir>', 'model repository; may be repeated', repeated)
    .addOption(new Option('--model-repository <dir>', 'the same').argParser(repeated))
    .addOption(new Option('--model-store <dir>', 'the same').argParser(repeated).hideHelp())
    .option('--engine-dir <dir>', 'serve one engine without a repository')
    .option('--tokenizer-dir <dir>', 'tokenizer for --engine-dir (default: beside the engine)')
    .option('--world-size <n>', 'ranks (default: as the engine was built)', wholeNumber(1))
    .option('--id <name>', 'name of the server', DEFAULTS.serverId)
    .option('--host <address>', 'address to listen on; 0.0.0.0 lets others connect', http.host)
    .option('--http-address <address>', 'for HTTP alone')
    .option('--grpc-address <address>', 'for gRPC alone')
    .option('--metrics-address <address>', 'for metrics alone')
    .option('--http-port <port>', 'HTTP', port, http.port ?? 0)
    .option('--grpc-port <port>', 'gRPC', port, grpc.port ?? 0)
    .option('--metrics-port <port>', 'Prometheus metrics', port, metrics.port ?? 0)
    .option('--allow-http <flag>', 'listen for HTTP', onOff, true)
    .option('--allow-grpc <flag>', 'listen for gRPC', onOff, true)
    .option('--allow-metrics <flag>', 'listen for metrics', onOff, true)
    .option(
      '--model-control-mode <mode>',
      'none, explicit or poll',
      oneOf(['none', 'explicit', 'poll']),
      DEFAULTS.controlMode,
    )
    .option('--repository-poll-secs <seconds>', 'in mode poll', realNumber(0.1, 86_400), DEFAULTS.pollSeconds)
    .option('--load-model <name>', 'in mode explicit, load at start; * is all; may be repeated', repeated)
    .option(
      '--exit-timeout-secs <seconds>',
      'time for running requests at shutdown',
      realNumber(0, 86_400),
      DEFAULTS.drainMs / 1000,
    )
    .option('--exit-on-error <flag>', 'stop when a model cannot be loaded at start', onOff, true)
    .option('--http-max-input-size <bytes>', 'largest request', wholeNumber(1), DEFAULTS.maxBodyBytes)
    .option(
      '--max-queued-requests <n>',
      'requests of a model that may wait',
      wholeNumber(0),
      DEFAULTS.maxQueuedRequestCount,
    )
    .option('--api-key-file <file>', 'one key a line; requests then need one')
    .option('--tls-cert <file>', 'PEM certificate: use TLS')
    .option('--tls-key <file>', 'PEM key')
    .option('--tls-client-ca <file>', 'PEM authority that clients must have a certificate of')
    .option('--cors-origin <origin>', 'origin of pages that may call; may be repeated', repeated)
    .addOption(warmupFlag())
    .option('--no-playground', 'do not serve the page at /')
    .option('--log-level <level>', LOG_LEVELS.join(', '), oneOf(LOG_LEVELS), 'info');
  for (const option of WITHOUT_EFFECT) command.addOption(option.hideHelp());
  return command;
}

/** @throws {AloftError} USAGE */
export function serveOptions(flags: ServeFlags): ServeOptions {
  const modelRepositories = [
    ...(flags.modelRepo ?? []),
    ...(flags.modelRepository ?? []),
    ...(flags.modelStore ?? []),
  ];
  if (modelRepositories.length === 0 && flags.engineDir === undefined) {
    throw new AloftError('USAGE', 'Nothing to serve: give --model-repo or --engine-dir.');
  }
  const listen = (host: string | undefined, port: number, allowed: boolean) => ({
    host: host ?? flags.host,
    port: allowed ? port : undefined,
  });
  return {
    ...DEFAULTS,
    serverId: flags.id,
    modelRepositories,
    engineDirectory: flags.engineDir,
    tokenizerDirectory: flags.tokenizerDir,
    worldSize: flags.worldSize,
    controlMode: flags.modelControlMode,
    pollSeconds: flags.repositoryPollSecs,
    loadModels: flags.loadModel ?? [],
    http: listen(flags.httpAddress, flags.httpPort, flags.allowHttp),
    grpc: listen(flags.grpcAddress, flags.grpcPort, flags.allowGrpc),
    metrics: listen(flags.metricsAddress, flags.metricsPort, flags.allowMetrics),
    tls: readTls(flags),
    apiKeys: flags.apiKeyFile === undefined ? [] : readKeys(flags.apiKeyFile),
    corsOrigins: flags.corsOrigin ?? [],
    maxBodyBytes: flags.httpMaxInputSize,
    maxQueuedRequestCount: flags.maxQueuedRequests,
    drainMs: flags.exitTimeoutSecs * 1000,
    playgroundDirectory: flags.playground ? playgroundDirectory() : undefined,
  };
}

interface ServeUntil {
  readonly exitOnError: boolean;
  readonly log: Log;
  readonly terminal: Terminal;
}

/** Returns when the server is closed. A second signal ends the process at once. */
export async function serveUntilSignal(
  server: RunningServer,
  { exitOnError, log, terminal }: ServeUntil,
): Promise<void> {
  const signalled = new Promise<NodeJS.Signals>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.once(signal, () => {
        process.once(signal, () => process.exit(1));
        resolve(signal);
      });
    }
  });
  const loaded = server.modelsLoaded.then(() => 'loaded' as const);
  const first = await Promise.race([signalled, loaded]).catch(async (error: unknown) => {
    await server.close();
    throw error;
  });
  const reason = server.context.health.notReadyReason();
  if (first === 'loaded' && exitOnError && reason !== undefined) {
    await server.close();
    throw new AloftError(
      'MODEL_UNAVAILABLE',
      `creating server: Internal - failed to load all models: ${reason}`,
    );
  }
  const signal = await signalled;
  log.info(`Signal (${signal}) received.`);
  if (terminal.isInteractive)
    terminal.err('Waiting for running requests; press Ctrl-C again to stop at once.\n');
  // An orderly exit would wait for the thread that hangs.
  if (!(await server.close())) process.kill(process.pid, 'SIGKILL');
}

function readTls(flags: ServeFlags): TlsFiles | undefined {
  if (flags.tlsCert === undefined && flags.tlsKey === undefined) return undefined;
  if (flags.tlsCert === undefined || flags.tlsKey === undefined) {
    throw new AloftError('USAGE', 'TLS needs both --tls-cert and --tls-key.');
  }
  return {
    certificate: readText(flags.tlsCert),
    key: readText(flags.tlsKey),
    clientAuthority: flags.tlsClientCa === undefined ? undefined : readText(flags.tlsClientCa),
  };
}

function readKeys(path: string): string[] {
  const keys = readText(path)
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
  if (keys.length === 0) throw new AloftError('USAGE', `--api-key-file ${path} holds no key.`);
  return keys;
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new AloftError('USAGE', `'${path}' cannot be read.`, { cause });
  }
}

function playgroundDirectory(): string | undefined {
  const directory = fileURLToPath(new URL('../../../web/dist', import.meta.url));
  return existsSync(directory) ? directory : undefined;
}
