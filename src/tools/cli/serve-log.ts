/** The log of a server: Triton's flags for it, and ours. */
import { createWriteStream, type WriteStream } from 'node:fs';
import { type Command, Option } from 'commander';
import { AloftError } from '../../core/errors.js';
import { jsonLog, lineLog, LOG_LEVELS, type Log, type LogLevel } from '../../core/log.js';
import type { LogSettings } from '../../serve/context/settings.js';
import { onOff, oneOf, wholeNumber } from './flags.js';
import type { Terminal } from './terminal.js';
import { wrappedLine } from './word-wrap.js';

const LOG_FORMATS = ['default', 'ISO8601', 'json'] as const;

export interface LogFlags {
  readonly logLevel: LogLevel;
  readonly logVerbose?: number;
  readonly logInfo?: boolean;
  readonly logWarning?: boolean;
  readonly logError?: boolean;
  readonly logFormat: (typeof LOG_FORMATS)[number];
  readonly logFile?: string;
  /** launch_triton_server's: everything, into a file. */
  readonly log?: true;
}

export function addLogFlags(command: Command): Command {
  return command
    .option('--log-level <level>', LOG_LEVELS.join(', '), oneOf(LOG_LEVELS), 'info')
    .option('--log-verbose <level>', '1 logs each request', wholeNumber(0))
    .addOption(new Option('--log-info <flag>', 'log this level').argParser(onOff).hideHelp())
    .addOption(new Option('--log-warning <flag>', 'log this level').argParser(onOff).hideHelp())
    .addOption(new Option('--log-error <flag>', 'log this level').argParser(onOff).hideHelp())
    .option(
      '--log-format <format>',
      'lines with times as Triton writes them (default) or as ISO8601, or json: one object a line',
      oneOf(LOG_FORMATS),
      'default',
    )
    .option('--log-file <file>', 'append to this file instead of the standard error stream')
    .addOption(new Option('--log', 'as --log-verbose 3, into triton_log.txt or --log-file').hideHelp());
}

export interface ServeLog {
  readonly log: Log;
  /** Which of its lines are written at first; clients may change it. */
  readonly settings: LogSettings;
  /** Opens the log's file again, after somebody has renamed it; absent where the log is no file. */
  readonly reopen?: () => void;
}

/** @throws {AloftError} USAGE when the file cannot be written. */
export async function serveLog(flags: LogFlags, terminal: Terminal): Promise<ServeLog> {
  const path = flags.logFile ?? (flags.log ? 'triton_log.txt' : undefined);
  const file = path === undefined ? undefined : await LogFile.open(path);
  const isJson = flags.logFormat === 'json';
  const write = (line: string) =>
    file === undefined ? terminal.err(`${isJson ? line : shown(line, terminal)}\n`) : file.write(line);
  const reaches = (level: LogLevel) => LOG_LEVELS.indexOf(flags.logLevel) >= LOG_LEVELS.indexOf(level);
  const settings: LogSettings = {
    log_file: path ?? '',
    log_info: flags.logInfo ?? reaches('info'),
    log_warning: flags.logWarning ?? reaches('warning'),
    log_error: flags.logError ?? reaches('error'),
    log_verbose_level: flags.logVerbose ?? (flags.log ? 3 : reaches('verbose') ? 1 : 0),
    log_format: flags.logFormat,
  };
  const log = isJson ? jsonLog(write) : lineLog('verbose', write);
  return file === undefined ? { log, settings } : { log, settings, reopen: () => file.reopen() };
}

/** A line as the screen has it: broken between words. Tables and files are left as they are. */
function shown(line: string, { screen }: Terminal): string {
  return screen === undefined || line.includes('\n') ? line : wrappedLine(line, screen.columns, '  ');
}

/** A file that lines are appended to. */
class LogFile {
  readonly #path: string;
  #stream: WriteStream;

  constructor(path: string, stream: WriteStream) {
    this.#path = path;
    this.#stream = stream;
  }

  /** @throws {AloftError} USAGE */
  static async open(path: string): Promise<LogFile> {
    const stream = appending(path);
    await new Promise<void>((resolve, reject) => {
      stream.once('open', () => resolve());
      stream.once('error', (cause) =>
        reject(new AloftError('USAGE', `--log-file ${path} cannot be written.`, { cause })),
      );
    });
    return new LogFile(path, stream);
  }

  write(line: string): void {
    this.#stream.write(`${line}\n`);
  }

  /** Lines from before go to the file that had the name then. */
  reopen(): void {
    this.#stream.end();
    this.#stream = appending(this.#path);
  }
}

function appending(path: string): WriteStream {
  const stream = createWriteStream(path, { flags: 'a' });
  // A full disk later must not end the server.
  stream.on('error', () => {});
  return stream;
}
