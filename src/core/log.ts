import { printable } from './printable.js';

/** Levels as TensorRT-LLM names them, most severe first. */
export const LOG_LEVELS = ['internal_error', 'error', 'warning', 'info', 'verbose'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Receiver of messages for people. Passed in, never global; nothing that a caller must know is only logged. */
export interface Log {
  error(message: string): void;
  warning(message: string): void;
  info(message: string): void;
  verbose(message: string): void;
}

export const SILENT_LOG: Log = { error() {}, warning() {}, info() {}, verbose() {} };

/**
 * A log that writes `[Aloft] [I] text` lines, as TensorRT-LLM users know them, down to `level`. Further lines of a message are
 * indented: no text of a client or a file looks like a line of its own.
 */
export function lineLog(level: LogLevel, writeLine: (line: string) => void): Log {
  const threshold = LOG_LEVELS.indexOf(level);
  const at = (name: LogLevel, letter: string) => (message: string) => {
    if (LOG_LEVELS.indexOf(name) <= threshold)
      writeLine(`[Aloft] [${letter}] ${printable(message).replaceAll('\n', '\n  ')}`);
  };
  return {
    error: at('error', 'E'),
    warning: at('warning', 'W'),
    info: at('info', 'I'),
    verbose: at('verbose', 'V'),
  };
}
