/** Progress of long work with the time that is left: a bar where somebody looks, a line each half minute elsewhere. */
import { SingleBar } from 'cli-progress';
import { formatBytes, type Terminal } from './terminal.js';

export interface Work {
  readonly name: string;
  /** Number of units of the whole work. */
  readonly total: number;
  /** Plural name of a unit, such as `requests`; `bytes` are counted in KiB, MiB and so on. */
  readonly unit: string;
}

export interface Progress {
  /** @param done units done, with the part of the present one; @param note where the work is */
  readonly update: (done: number, note?: string) => void;
  /** Makes room for results until the next update. */
  readonly clear: () => void;
  /** Removes the bar for good: later updates show nothing. May be called twice. */
  readonly stop: () => void;
}

const LINE_EVERY_MS = 30_000;
const MAX_BAR_WIDTH = 40;
const MIN_BAR_WIDTH = 8;

/** Call `stop` in a `finally`. */
export function startProgress(terminal: Terminal, work: Work): Progress {
  const startMs = performance.now();
  let state: ProgressState = { done: 0, secondsPassed: 0, note: undefined };
  let isStopped = false;
  const now = (): ProgressState => ({ ...state, secondsPassed: (performance.now() - startMs) / 1000 });
  const display =
    terminal.screen === undefined
      ? lineEachHalfMinute(() => terminal.err(`${progressLine(work, now())}\n`))
      : barOn(terminal.screen, (columns) => barLine(work, now(), columns));
  return {
    update(done, note) {
      if (isStopped) return; // work that was cut off may still report
      state = { ...state, done, note };
      display.update();
    },
    clear: display.clear,
    stop() {
      isStopped = true;
      display.stop();
    },
  };
}

interface ProgressState {
  readonly done: number;
  readonly secondsPassed: number;
  readonly note: string | undefined;
}

interface Display {
  readonly update: () => void;
  readonly clear: () => void;
  readonly stop: () => void;
}

function lineEachHalfMinute(print: () => void): Display {
  const timer = setInterval(print, LINE_EVERY_MS).unref();
  return { update() {}, clear() {}, stop: () => clearInterval(timer) };
}

function barOn(screen: NodeJS.WriteStream, text: (columns: number) => string): Display {
  const bar = new SingleBar({
    stream: screen,
    format: () => text(screen.columns),
    hideCursor: true,
    clearOnComplete: true,
  });
  let isShown = false;
  const clear = (): void => {
    if (isShown) bar.stop();
    isShown = false;
  };
  const update = (): void => {
    if (!isShown) bar.start(1, 0);
    isShown = true;
    bar.update(0);
  };
  update();
  return { update, clear, stop: clear };
}

/** `bench: 3 of 16 cases, 12 min left (batch 4)`. */
export function progressLine(work: Work, state: ProgressState): string {
  const { note } = state;
  return `${work.name}: ${countText(work, state)}${note === undefined ? '' : ` (${note})`}`;
}

/** One line that is narrower than the screen: the note goes first where there is little room, then the bar. */
export function barLine(work: Work, state: ProgressState, columns: number): string {
  const room = columns - 1;
  const count = countText(work, state);
  const note = state.note === undefined ? '' : `, ${state.note}`;
  const fixed = work.name.length + ' || '.length;
  for (const text of [count + note, count]) {
    const width = Math.min(MAX_BAR_WIDTH, room - fixed - text.length);
    if (width >= MIN_BAR_WIDTH) return `${work.name} |${filled(state.done / work.total, width)}| ${text}`;
  }
  return `${work.name}: ${count}`.slice(0, room);
}

function filled(share: number, width: number): string {
  const count = Math.min(width, Math.round(share * width));
  return '█'.repeat(count) + '░'.repeat(width - count);
}

function countText({ total, unit }: Work, { done, secondsPassed }: ProgressState): string {
  const left = done > 0 ? `, ${durationText((secondsPassed / done) * (total - done))} left` : '';
  if (unit === 'bytes') return `${formatBytes(done)} of ${formatBytes(total)}${left}`;
  return `${Math.floor(done)} of ${total} ${unit}${left}`;
}

/** `43 s`, `2 min 10 s`, `1 h 5 min`. */
export function durationText(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60)];
  if (hours > 0) return minutes === 0 ? `${hours} h` : `${hours} h ${minutes} min`;
  return whole % 60 === 0 ? `${minutes} min` : `${minutes} min ${whole % 60} s`;
}
