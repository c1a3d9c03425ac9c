/** Printing of commands. The only holder of the process's streams. */
import { styleText } from 'node:util';
import type { AloftError } from '../../core/errors.js';
import { isSystemFault, writeFault } from '../../core/file-fault.js';

export interface Terminal {
  /** Results. */
  readonly out: (text: string) => void;
  /** Messages about the work: progress, warnings, errors. */
  readonly err: (text: string) => void;
  /** Waits until results are written; the fault by which some were lost, such as a full disk. Absent where none can be lost. */
  readonly lostResults?: () => Promise<AloftError | undefined>;
  /** Whether results go to somebody's screen. */
  readonly isInteractive: boolean;
  /** The screen that messages go to; absent where they go to a file or another program. */
  readonly screen?: NodeJS.WriteStream;
  /** Whether results, and messages, may have colours. */
  readonly outColours?: boolean;
  readonly errColours?: boolean;
}

/** The terminal of this process. When the reader of a stream goes away, the work goes on without it: a server serves, a file is written. */
export function processTerminal(): Terminal {
  const results = writerTo(process.stdout);
  return {
    out: results.write,
    lostResults: results.lost,
    err: writerTo(process.stderr).write,
    isInteractive: process.stdout.isTTY,
    ...(process.stderr.isTTY ? { screen: process.stderr } : {}),
    outColours: wantsColours(process.stdout, process.env),
    errColours: wantsColours(process.stderr, process.env),
  };
}

/** As no-color.org and force-color.org have it: a variable that is set and not empty; else where somebody looks. */
export function wantsColours(stream: { readonly isTTY: boolean }, environment: NodeJS.ProcessEnv): boolean {
  if (environment['NO_COLOR']) return false;
  if (environment['FORCE_COLOR']) return environment['FORCE_COLOR'] !== '0';
  return stream.isTTY && environment['TERM'] !== 'dumb';
}

/** Text in a colour. Whether a stream takes colours is asked before: see {@link wantsColours}. */
export function painted(format: Parameters<typeof styleText>[0], text: string): string {
  return styleText(format, text, { validateStream: false });
}

interface StreamWriter {
  readonly write: (text: string) => void;
  readonly lost: () => Promise<AloftError | undefined>;
}

function writerTo(stream: NodeJS.WriteStream): StreamWriter {
  let fault: Error | undefined;
  stream.on('error', (error) => (fault ??= error));
  return {
    write(text) {
      if (fault === undefined) stream.write(text);
    },
    async lost() {
      if (fault === undefined) await new Promise<void>((resolve) => stream.write('', () => resolve()));
      if (!isSystemFault(fault) || fault.code === 'EPIPE') return undefined;
      return writeFault('The standard output', fault.code ?? '', fault);
    },
  };
}

/** `1 error`, `2 errors`. */
export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/** A value as JSON that people can read, too. */
export function jsonText(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const;

/** 13_000_000_000 -> `12.1 GiB`. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(value < 10 ? 2 : 1)} ${UNITS[unit]}`;
}

/** Columns padded to equal width; numbers to the right. */
export function formatTable(rows: readonly (readonly (string | number)[])[]): string {
  const widths: number[] = [];
  for (const row of rows)
    row.forEach((cell, i) => (widths[i] = Math.max(widths[i] ?? 0, String(cell).length)));
  return rows
    .map((row) =>
      row
        .map((cell, i) =>
          typeof cell === 'number' ? String(cell).padStart(widths[i]!) : cell.padEnd(widths[i]!),
        )
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
