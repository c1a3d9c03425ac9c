/** Loads an engine and says so on the screen while it lasts. */
import { LLM } from '../../llm/llm.js';
import type { LoadOptions } from '../../llm/load-options.js';
import { formatBytes, type Terminal } from './terminal.js';

const CLEAR_LINE = '\r\u001b[K';

/** @throws {AloftError} what `LLM.load` throws */
export async function loadShown(
  engineDirectory: string,
  options: LoadOptions,
  terminal: Terminal,
): Promise<LLM> {
  if (terminal.screen === undefined) return await LLM.load(engineDirectory, options);
  try {
    return await LLM.load(engineDirectory, {
      ...options,
      onProgress({ stage, weightBytes }) {
        if (stage === 'weights') terminal.err(`Loading ${formatBytes(weightBytes)} of weights ...`);
      },
    });
  } finally {
    terminal.err(CLEAR_LINE);
  }
}
