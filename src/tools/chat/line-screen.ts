/** A chat's screen on the process's streams: line editing, history and Ctrl-C on a terminal, plain lines from a pipe. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { createInterface } from 'node:readline';
import { WordWrapper } from '../cli/word-wrap.js';
import { ABANDONED, type ChatScreen, type TypedLine } from './chat-loop.js';

const HISTORY_LINES = 500;

interface ScreenOptions {
  readonly input: NodeJS.ReadableStream;
  readonly output: NodeJS.WritableStream;
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  readonly isInteractive: boolean;
  /** Width of the terminal, which may change. */
  readonly columns: () => number;
  /** File that keeps the lines that were typed. */
  readonly historyPath: string;
}

export interface LineScreen extends ChatScreen {
  close(): void;
}

export function openLineScreen(options: ScreenOptions): LineScreen {
  const { input, output, isInteractive, columns, historyPath } = options;
  const wrapper = new WordWrapper(columns, options.out);
  const out = isInteractive ? (text: string) => wrapper.write(text) : options.out;
  const errWrapper = new WordWrapper(columns, options.err);
  const err = (text: string): void => {
    wrapper.end();
    if (!isInteractive) return options.err(text);
    errWrapper.write(text);
    errWrapper.end();
  };
  const lines = createInterface({
    input,
    ...(isInteractive ? { output, history: readHistory(historyPath), historySize: HISTORY_LINES } : {}),
    terminal: isInteractive,
  });
  const waiting: ((line: TypedLine) => void)[] = [];
  const ready: string[] = [];
  let isClosed = false;
  let stop: (() => void) | undefined;
  lines.on('line', (line) => {
    const take = waiting.shift();
    if (take === undefined) ready.push(line);
    else take(line);
  });
  lines.on('close', () => {
    isClosed = true;
    for (const take of waiting.splice(0)) take(undefined);
  });
  lines.on('history', (history) => writeHistory(historyPath, history));
  lines.on('SIGINT', () => {
    if (stop !== undefined) return stop();
    err(lines.line === '' ? '\nCtrl-D or /bye leaves.\n' : '\n');
    lines.write(null, { ctrl: true, name: 'e' }); // to the end of the line, all of which goes with the next key
    lines.write(null, { ctrl: true, name: 'u' });
    waiting.shift()?.(ABANDONED);
  });
  return {
    out,
    err,
    async readLine(prompt) {
      wrapper.end();
      const next = ready.shift();
      if (next !== undefined || isClosed) return next;
      if (isInteractive) {
        lines.setPrompt(prompt);
        lines.prompt();
      }
      return new Promise((resolve) => waiting.push(resolve));
    },
    onInterrupt(stopAnswer) {
      stop = stopAnswer;
      return () => (stop = undefined);
    },
    close: () => lines.close(),
  };
}

function readHistory(path: string): string[] {
  try {
    return readFileSync(path, 'utf8')
      .split('\n')
      .filter((line) => line !== '');
  } catch {
    return []; // none yet
  }
}

/** Newest first, as readline has it. A folder that cannot be written costs the history and nothing else. */
function writeHistory(path: string, history: readonly string[]): void {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    writeFileSync(path, `${history.join('\n')}\n`, { mode: 0o600 });
  } catch {
    // The chat goes on without it.
  }
}
