import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import type { LoadProgress } from '../../llm/load-options.js';
import { loadScreen, loadShown } from './load-shown.js';

const GIB = 2 ** 30;
const at = (gibibytes: number, stage: LoadProgress['stage'] = 'weights'): LoadProgress => ({
  stage,
  weightBytes: 4 * GIB,
  loadedBytes: gibibytes * GIB,
});

/** A terminal with or without a screen; messages are on the screen, too. */
function terminalOf(hasScreen: boolean) {
  const printed: string[] = [];
  const screen = Object.assign(new PassThrough(), { isTTY: true, columns: 80 });
  screen.on('data', (bytes: Buffer) => void printed.push(bytes.toString()));
  const err = (text: string): void => void printed.push(text);
  const shown = hasScreen ? { screen: screen as unknown as NodeJS.WriteStream } : {};
  return { text: () => printed.join(''), terminal: { out() {}, err, isInteractive: hasScreen, ...shown } };
}

const LINE_CLEARED = `${String.fromCodePoint(27)}[2K`;

test('a load is a bar in bytes on a screen while it lasts, and nothing elsewhere', async () => {
  const onScreen = terminalOf(true);
  const elsewhere = terminalOf(false);
  for (const { terminal } of [onScreen, elsewhere]) {
    const loaded = await loadShown(terminal)(async (onProgress) => {
      for (const progress of [at(0, 'tokenizer'), at(1), at(4, 'ready')]) onProgress(progress);
      return 'engine';
    });
    expect(loaded).toBe('engine');
  }
  expect(onScreen.text()).toMatch(/load \|█+░+\| 1\.00 GiB of 4\.00 GiB, \d+ s left/);
  expect(onScreen.text().lastIndexOf(LINE_CLEARED)).toBeGreaterThan(onScreen.text().lastIndexOf('GiB'));
  expect(elsewhere.text()).toBe('');
});

test('a fault finds an empty line', async () => {
  const { terminal, text } = terminalOf(true);
  const failed = loadShown(terminal)(async (onProgress) => {
    onProgress(at(0));
    throw new Error('no memory');
  });
  await expect(failed).rejects.toThrow('no memory');
  expect(text().lastIndexOf(LINE_CLEARED)).toBeGreaterThan(text().lastIndexOf('GiB'));
});

test("a server's log goes above the bar, which is of one load at a time", async () => {
  const { terminal, text } = terminalOf(true);
  const screen = loadScreen(terminal);
  await screen.show(async (onProgress) => {
    onProgress(at(1));
    screen.terminal.err('a line of the log\n');
    await screen.show(async (onOther) => onOther({ ...at(3), weightBytes: 9 * GIB }));
    onProgress(at(2));
  });
  await screen.show(async (onProgress) => onProgress({ ...at(3), weightBytes: 7 * GIB }));
  const line = text().indexOf('a line of the log');
  expect(text().slice(0, line)).toMatch(/1\.00 GiB of 4\.00 GiB/);
  expect(text().slice(0, line)).toContain(LINE_CLEARED);
  expect(text().slice(line)).toMatch(/2\.00 GiB of 4\.00 GiB/);
  expect(text()).not.toContain('9.00 GiB');
  expect(text()).toContain('3.00 GiB of 7.00 GiB');
});

test('a server without a screen has no lines but those of its log', async () => {
  const { terminal, text } = terminalOf(false);
  const screen = loadScreen(terminal);
  await screen.show(async (onProgress) => onProgress(at(1)));
  screen.terminal.err('a line of the log\n');
  expect(text()).toBe('a line of the log\n');
});
