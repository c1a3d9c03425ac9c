import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterAll, expect, test } from 'vitest';
import { ABANDONED } from './chat-loop.js';
import { openLineScreen } from './line-screen.js';

const CTRL_C = '\u0003';
const folder = mkdtempSync(join(tmpdir(), 'aloft-line-screen-test-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** A screen on streams instead of a terminal, with all that it says on the error stream. */
function openScreen() {
  const input = new PassThrough();
  const errors: string[] = [];
  const screen = openLineScreen({
    input,
    output: new PassThrough(),
    out: () => {},
    err: (text) => void errors.push(text),
    isInteractive: true,
    columns: () => 20,
    historyPath: join(folder, 'history'),
  });
  return { input, screen, said: () => errors.join('') };
}

test('Ctrl-C drops a line that was begun, wherever the cursor is, and says nothing', async () => {
  const { input, screen, said } = openScreen();
  const first = screen.readLine('> ');
  input.write(`dropped\u001b[D\u001b[D${CTRL_C}`);
  expect(await first).toBe(ABANDONED);
  const second = screen.readLine('> ');
  input.write('kept\r');
  expect(await second).toBe('kept');
  expect(said()).toBe('\n');
  screen.close();
});

test('Ctrl-C on an empty line says how to leave', async () => {
  const { input, screen, said } = openScreen();
  const line = screen.readLine('> ');
  input.write(CTRL_C);
  expect(await line).toBe(ABANDONED);
  expect(said()).toBe('\nCtrl-D or /bye\nleaves.\n');
  screen.close();
});

test('Ctrl-C stops an answer that comes', () => {
  const { input, screen, said } = openScreen();
  let isStopped = false;
  screen.onInterrupt(() => (isStopped = true));
  input.write(CTRL_C);
  expect([isStopped, said()]).toEqual([true, '']);
  screen.close();
});
