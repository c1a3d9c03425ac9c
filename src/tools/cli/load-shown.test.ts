import { afterAll, beforeAll, expect, test } from 'vitest';
import { loadShown } from './load-shown.js';
import { buildDemo, temporaryFolder } from './testing/command-line.js';

const folder = temporaryFolder();
beforeAll(() => buildDemo(folder.path('engine')));
afterAll(() => folder.dispose());

/** A terminal with or without a screen, and what it was told. */
function terminal(hasScreen: boolean) {
  const printed: string[] = [];
  const err = (text: string): void => void printed.push(text);
  const screen = hasScreen ? { screen: process.stderr } : {};
  return { printed, terminal: { out() {}, err, isInteractive: hasScreen, ...screen } };
}

test('loading is said on a screen while it lasts, and nowhere else', async () => {
  const shown = terminal(true);
  await (await loadShown(folder.path('engine'), {}, shown.terminal)).close();
  expect(shown.printed).toEqual(['Loading 12.4 MiB of weights ...', '\r\u001b[K']);
  const silent = terminal(false);
  await (await loadShown(folder.path('engine'), {}, silent.terminal)).close();
  expect(silent.printed).toEqual([]);
});

test('a fault finds an empty line', async () => {
  const shown = terminal(true);
  await expect(loadShown(folder.path('none'), {}, shown.terminal)).rejects.toMatchObject({
    code: 'ENGINE_NOT_FOUND',
  });
  expect(shown.printed.at(-1)).toBe('\r\u001b[K');
});
