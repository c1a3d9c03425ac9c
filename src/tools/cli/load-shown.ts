/** Progress of loading engines, in bytes of their weights. */
import type { ShowLoad } from '../../llm/load-options.js';
import { type Progress, startProgress } from './progress.js';
import type { Terminal } from './terminal.js';

/**
 * Loads that have a screen to themselves, or a line each half minute.
 * @param onShown receives the progress when there is one
 */
export function loadShown(terminal: Terminal, onShown: (progress: Progress) => void = () => {}): ShowLoad {
  return async (load) => {
    let progress: Progress | undefined;
    try {
      return await load(({ stage, weightBytes, loadedBytes }) => {
        if (stage !== 'weights') return;
        if (progress === undefined) {
          progress = startProgress(terminal, { name: 'load', total: weightBytes, unit: 'bytes' });
          onShown(progress);
        }
        progress.update(loadedBytes);
      });
    } finally {
      progress?.stop();
    }
  };
}

export interface LoadScreen {
  /** The terminal for messages, which go above the bar. */
  readonly terminal: Terminal;
  readonly show: ShowLoad;
}

/** A server's screen, which its log is on, too: it has a bar for one load at a time, and without a screen nothing. */
export function loadScreen(terminal: Terminal): LoadScreen {
  let shown: Progress | undefined;
  let isTaken = terminal.screen === undefined;
  const showOne = loadShown(terminal, (progress) => (shown = progress));
  return {
    terminal: {
      ...terminal,
      err(text) {
        shown?.clear();
        terminal.err(text);
      },
    },
    async show(load) {
      if (isTaken) return load(() => {});
      isTaken = true;
      try {
        return await showOne(load);
      } finally {
        isTaken = false;
        shown = undefined;
      }
    },
  };
}
