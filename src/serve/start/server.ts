/** Starts and stops a server. Ports open at once; models load behind them, and the health routes report how far they are. */
import type { FastifyInstance } from 'fastify';
import type { Server as HttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { AloftError, reportError } from '../../core/errors.js';
import type { Log } from '../../core/log.js';
import { bareHost } from '../../core/network-address.js';
import { createGrpcServer, type GrpcService, listenGrpc } from '../grpc/grpc-server.js';
import { createHttpServer } from '../http/http-server.js';
import { createMetricsServer } from '../http/metrics-server.js';
import { HeldAnswers } from '../inference/held-answers.js';
import { inferenceService } from '../inference/inference-service.js';
import { generationRunner } from '../generation/run-generation.js';
import { ServerHealth } from '../metrics/health.js';
import type { EngineLoader } from '../engine/engine-loader.js';
import { idleLoader } from '../engine/idle-loader.js';
import { ServerMetrics } from '../metrics/server-metrics.js';
import { Access } from '../context/access.js';
import { ByteBudget } from '../context/byte-budget.js';
import type { ListenOptions, ServeOptions } from '../context/options.js';
import { listenFault } from './listen-fault.js';
import { engineModels, namedEngineModels } from '../repository/memory-models.js';
import { ModelRepository } from '../repository/model-repository.js';
import type { ServerContext } from '../context/server-context.js';
import { SettableLog, TraceControl } from '../context/settings.js';
import {
  engineMemoryTable,
  modelTable,
  changedOptionTable,
  optionTable,
  readyLines,
  startedLines,
  type BoundPorts,
} from './startup-print.js';

/** Far below the heap's limit, and eight answers at their own limit of log probabilities and more. */
const MAX_HELD_BYTES = 2 ** 30;

/** The Triton release whose interface is spoken. */
const PROTOCOL_VERSION = '2.39.0';

export interface RunningServer {
  readonly ports: BoundPorts;
  readonly context: ServerContext;
  /** Resolves when all models that load at start are ready or have failed. */
  readonly modelsLoaded: Promise<void>;
  /**
   * Takes no new requests, lets running ones finish within the drain time, and frees everything. Once is enough.
   * @returns false when an engine hangs in a native call: the process then only ends by SIGKILL.
   */
  close(): Promise<boolean>;
}

export interface ServerParts {
  readonly loader: EngineLoader;
  readonly log: Log;
}

/** @throws {AloftError} ADDRESS_IN_USE, USAGE, or REPOSITORY_INVALID when a repository directory is missing. */
export async function startServer(options: ServeOptions, parts: ServerParts): Promise<RunningServer> {
  requireDifferentPorts(options);
  const context = createContext(options, parts);
  const http = await createHttpServer(context);
  const grpc = createGrpcServer(context);
  const metrics = createMetricsServer(context.metrics, options);
  const ports = await openPorts(options, { http, grpc, metrics });
  context.log.verbose(optionTable(options));
  const changed = changedOptionTable(options);
  if (changed !== undefined) context.log.info(changed);
  for (const line of startedLines(options, ports)) context.log.info(line);
  const modelsLoaded = loadModels(context, ports);
  // Whoever awaits the promise learns of the failure; without anybody it must not end the process.
  modelsLoaded.catch((error: unknown) => context.log.error(reportError(error).message));
  let closing: Promise<boolean> | undefined;
  const close = () => (closing ??= closeServer(context, { http, grpc, metrics }));
  return { ports, context, modelsLoaded, close };
}

interface Listeners {
  readonly http: FastifyInstance;
  readonly grpc: GrpcService;
  readonly metrics: HttpServer;
}

function createContext(options: ServeOptions, { loader, log }: ServerParts): ServerContext {
  const logSettings = new SettableLog(log, options.logSettings);
  const { idleUnloadMs } = options;
  const traces = new TraceControl(options.traceSettings);
  const repository = new ModelRepository(
    {
      directories: options.modelRepositories,
      memoryModels: [
        ...(options.engineDirectory === undefined
          ? []
          : engineModels(options.engineDirectory, options.tokenizerDirectory)),
        ...options.namedEngines.flatMap(namedEngineModels),
      ],
      controlMode: options.controlMode,
      pollSeconds: options.pollSeconds,
      initialModels: options.loadModels,
      maxQueuedRequests: options.maxQueuedRequests,
      drainMs: options.drainMs,
      restart: options.restart,
    },
    idleUnloadMs === undefined ? loader : idleLoader(loader, idleUnloadMs, logSettings),
    logSettings,
  );
  const metrics = new ServerMetrics(repository, {
    traces,
    log: logSettings,
    options: options.metricsOptions,
  });
  const heldAnswers = new HeldAnswers(MAX_HELD_BYTES);
  const runGeneration = generationRunner(options, metrics.observe);
  return {
    options,
    access: new Access(options),
    bodyBudget: new ByteBudget(options.maxOpenBodyBytes),
    version: PROTOCOL_VERSION,
    repository,
    health: new ServerHealth(repository, options),
    metrics,
    infer: inferenceService(runGeneration, metrics.statistics, heldAnswers),
    runGeneration,
    heldAnswers,
    log: logSettings,
    logSettings,
    traces,
  };
}

async function loadModels(context: ServerContext, ports: BoundPorts): Promise<void> {
  const { repository, health, log, options } = context;
  await repository.start();
  if (health.phase === 'starting') health.phase = 'serving';
  context.metrics.engines();
  const engines = repository.engines();
  for (const engine of engines) log.verbose(engineMemoryTable(engine));
  // Who named a repository wants to see all of it; of a single engine only what is wrong.
  const isRepository = options.engineDirectory === undefined;
  const hasFault = repository.index(false).some(({ state }) => state !== 'READY');
  log[isRepository || hasFault ? 'info' : 'verbose'](modelTable(repository));
  const model = repository.served().find((served) => 'engine' in served && served.kind !== 'engine');
  if (model === undefined) return;
  for (const line of readyLines(options, ports, { modelName: model.name, engines })) log.info(line);
}

/** @throws {AloftError} ADDRESS_IN_USE */
function requireDifferentPorts({ http, grpc, metrics }: ServeOptions): void {
  const services = Object.entries({ HTTP: http.port, gRPC: grpc.port, metrics: metrics.port });
  for (const [i, [name, port]] of services.entries()) {
    const other = services.slice(0, i).find(([, taken]) => taken === port);
    if (port === undefined || port === 0 || other === undefined) continue;
    const message = `${other[0]} and ${name} are both given port ${port}; choose another with --${name.toLowerCase()}-port.`;
    throw new AloftError('ADDRESS_IN_USE', message);
  }
}

/** All or none: what was opened is closed again when a port is taken. @throws {AloftError} ADDRESS_IN_USE, USAGE */
async function openPorts(options: ServeOptions, listeners: Listeners): Promise<BoundPorts> {
  try {
    const grpc = await opened('gRPC', options.grpc, (port) =>
      listenGrpc(listeners.grpc.server, options.grpc.host, port, options.grpcTls ?? options.tls),
    );
    const http = await opened('HTTP', options.http, async (port) => {
      await listeners.http.listen({ host: bareHost(options.http.host), port, backlog: ACCEPT_BACKLOG });
      return portOf(listeners.http.server);
    });
    const metrics = await opened('metrics', options.metrics, async (port) => {
      await new Promise<void>((resolve, reject) => {
        listeners.metrics.once('error', reject);
        listeners.metrics.listen(port, bareHost(options.metrics.host), () => resolve());
      });
      return portOf(listeners.metrics);
    });
    return { http, grpc, metrics };
  } catch (error) {
    await closeListeners(listeners);
    throw error;
  }
}

async function opened(
  service: string,
  address: ListenOptions,
  open: (port: number) => Promise<number>,
): Promise<number | undefined> {
  if (address.port === undefined) return undefined;
  try {
    return await open(address.port);
  } catch (cause) {
    throw listenFault(service, address, cause);
  }
}

function portOf(server: { address(): AddressInfo | string | null }): number {
  const address = server.address();
  if (typeof address === 'object' && address !== null) return address.port;
  throw new AloftError('INTERNAL', 'A listening server has no port.');
}

async function closeServer(context: ServerContext, listeners: Listeners): Promise<boolean> {
  const { health, repository, log } = context;
  health.phase = 'draining';
  const openCount = repository.engines().reduce((sum, engine) => sum + engine.active.count, 0);
  log.info(`Waiting for in-flight requests to complete: ${openCount}.`);
  const isStopped = await repository.close();
  await closeListeners(listeners);
  if (isStopped) log.info('All models are stopped.');
  else log.error('An engine hangs in a native call and cannot be stopped; the process has to be killed.');
  return isStopped;
}

/** A burst of connections beyond Node's 511 would be dropped and come again seconds later. */
const ACCEPT_BACKLOG = 4096;

const LAST_WRITES_MS = 1000;

async function closeListeners({ http, grpc, metrics }: Listeners): Promise<void> {
  // Answers that are being written may finish; a client that does not read them may not hold the server.
  const force = setTimeout(() => http.server.closeAllConnections(), LAST_WRITES_MS);
  await http.close();
  clearTimeout(force);
  metrics.closeAllConnections();
  await new Promise<void>((resolve) => metrics.close(() => resolve()));
  grpc.endStreams();
  await new Promise<void>((resolve) => {
    const forceGrpc = setTimeout(() => grpc.server.forceShutdown(), LAST_WRITES_MS);
    grpc.server.tryShutdown(() => {
      clearTimeout(forceGrpc);
      resolve();
    });
  });
}
