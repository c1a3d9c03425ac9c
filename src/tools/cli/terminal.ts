/** Printing of commands. The only holder of the process's streams. */

export interface Terminal {
  /** Results. */
  readonly out: (text: string) => void;
  /** Messages about the work: progress, warnings, errors. */
  readonly err: (text: string) => void;
  /** Whether results go to somebody's screen. */
  readonly isInteractive: boolean;
  /** The screen that messages go to; absent where they go to a file or another program. */
  readonly screen?: NodeJS.WriteStream;
}

/** The terminal of this process. When the reader of a stream goes away, the work goes on without it: a server serves, a file is written. */
export function processTerminal(): Terminal {
  return {
    out: writerTo(process.stdout),
    err: writerTo(process.stderr),
    isInteractive: process.stdout.isTTY,
    ...(process.stderr.isTTY ? { screen: process.stderr } : {}),
  };
}

function writerTo(stream: NodeJS.WriteStream): (text: string) => void {
  let isBroken = false;
  stream.on('error', () => (isBroken = true));
  return (text) => {
    if (!isBroken) stream.write(text);
  };
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
