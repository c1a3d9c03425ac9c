import { printable } from './printable.js';

/** Levels as TensorRT-LLM names them, most severe first. */
export const LOG_LEVELS = ['internal_error', 'error', 'warning', 'info', 'verbose'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Numbers and names that a message has in words, for logs that are read by programs. */
export type LogFields = Readonly<Record<string, string | number | undefined>>;

/** Receiver of messages for people. Passed in, never global; nothing that a caller must know is only logged. */
export interface Log {
  error(message: string, fields?: LogFields): void;
  warning(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  verbose(message: string, fields?: LogFields): void;
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

/** A log that writes each message as one line of JSON: time (ISO 8601), level, message, and the fields that it came with. */
export function jsonLog(writeLine: (line: string) => void): Log {
  const at = (level: LogLevel) => (text: string, fields?: LogFields) => {
    const message = text.replaceAll(/^\n+|\n+$/g, '');
    writeLine(escaped(JSON.stringify({ time: new Date().toISOString(), level, message, ...fields })));
  };
  return { error: at('error'), warning: at('warning'), info: at('info'), verbose: at('verbose') };
}

/** Escapes what JSON may hold as it is and terminals or readers of lines take for a control character. */
function escaped(json: string): string {
  return json.replaceAll(
    /[\u007f-\u009f\u2028\u2029]/g,
    (control) => `\\u${control.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
