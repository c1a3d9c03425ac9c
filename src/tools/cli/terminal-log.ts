/** The log of a command: lines on stderr, where warnings and errors have colours if messages may. */
import { lineLog, type Log, type LogLevel } from '../../core/log.js';
import { painted, type Terminal } from './terminal.js';

export function terminalLog(level: LogLevel, terminal: Terminal): Log {
  return lineLog(level, (line) => terminal.err(`${terminal.errColours ? coloured(line) : line}\n`));
}

/** Colours the letter of a line's level. */
function coloured(line: string): string {
  return line.replace(/^\[Aloft\] \[(?:(E)|W)\]/, (head, error?: string) =>
    painted(error === undefined ? 'yellow' : 'red', head),
  );
}
