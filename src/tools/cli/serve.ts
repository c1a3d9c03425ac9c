/** `aloft serve`: start, wait for a signal, drain. */
import type { Command } from 'commander';
import { AloftError } from '../../core/errors.js';
import type { EngineLoader } from '../../serve/engine/engine-loader.js';
import type { ServeOptions } from '../../serve/context/options.js';
import type { ShowLoad } from '../../llm/load-options.js';
import { SettableLog } from '../../serve/context/settings.js';
import { startServer, type RunningServer } from '../../serve/start/server.js';
import { loadScreen } from './load-shown.js';
import type { RegisterCommand } from './main.js';
import { addModelFlags, addServeFlags, type ServeFlags } from './serve-flags.js';
import { serveOptions } from './serve-options.js';
import { serveLog } from './serve-log.js';
import { requireServedOptions, servedEngines } from './served-engines.js';
import { startTraces } from './start-traces.js';
import type { Terminal } from './terminal.js';
import { readTraceOptions } from './trace-flags.js';
import { reportTritonFlags } from './triton-flags.js';

/** Makes the loader of a server's engines from its options, once when it starts. */
export type MakeLoader = (options: ServeOptions, show: ShowLoad) => EngineLoader;

/** @returns the command; the loader is a parameter so that the server can be started over any engine */
export function serveCommand(makeLoader: MakeLoader): RegisterCommand {
  return (command, terminal) => {
    addServeFlags(addModelFlags(command)).argument(
      '[engines...]',
      'engines; or checkpoints or ORG/NAME on Hugging Face, built once (instead of --engine-dir)',
    );
    command.action(async (engines: string[], given: ServeFlags) => {
      const flags = { ...given, ...(await servedEngines(engines, given, terminal)) };
      const options = serveOptions(flags);
      requireServedOptions(options);
      const screen = loadScreen(terminal);
      const loader = makeLoader(options, screen.show);
      const started = await startFromFlags(command, options, loader, screen.terminal);
      await serveUntilSignal(started, { exitOnError: flags.exitOnError, terminal });
    });
  };
}

export interface StartedServer {
  readonly server: RunningServer;
  /** Opens the log's file again; absent where the log is no file. */
  readonly reopenLog: (() => void) | undefined;
  /** Sends the traces that are left. @returns false when they could not be sent in time */
  readonly endTraces: () => Promise<boolean>;
}

/** Starts a server with the log, the traces and the notes on flags that the command line asks for. @throws {AloftError} */
export async function startFromFlags(
  command: Command,
  options: ServeOptions,
  loader: EngineLoader,
  terminal: Terminal,
): Promise<StartedServer> {
  const flags = command.opts<ServeFlags>();
  const { log, settings: logSettings, reopen: reopenLog } = await serveLog(flags, terminal);
  const traces = readTraceOptions(flags, process.env);
  reportTritonFlags(command, new SettableLog(log, logSettings));
  const endTraces = traces.target === undefined ? async () => true : await startTraces(traces.target, log);
  const whole = { ...options, logSettings, traceSettings: traces.settings };
  return { server: await startServer(whole, { loader, log }), reopenLog, endTraces };
}

interface ServeUntil {
  readonly exitOnError: boolean;
  readonly terminal: Terminal;
}

/** Returns when the server is closed. A second signal ends the process at once. */
export async function serveUntilSignal(
  { server, reopenLog, endTraces }: StartedServer,
  { exitOnError, terminal }: ServeUntil,
): Promise<void> {
  const signalled = new Promise<NodeJS.Signals>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.once(signal, () => {
        process.once(signal, () => process.exit(1));
        resolve(signal);
      });
    }
    // Sent by logrotate after it has renamed the file, and by terminals that close.
    process.on('SIGHUP', () => (reopenLog === undefined ? resolve('SIGHUP') : reopenLog()));
  });
  const loaded = server.modelsLoaded.then(() => 'loaded' as const);
  const first = await Promise.race([signalled, loaded]).catch(async (error: unknown) => {
    await server.close();
    throw error;
  });
  const { health, repository, log } = server.context;
  const reason = health.notReadyReason() ?? repository.notReadyReason();
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
  const isStopped = await server.close();
  const areTracesSent = await endTraces();
  // An orderly exit would wait for the thread that hangs, and this one for a collector that is away.
  if (!isStopped) process.kill(process.pid, 'SIGKILL');
  if (!areTracesSent) process.exit(0);
}
