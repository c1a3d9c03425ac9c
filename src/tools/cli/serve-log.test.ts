import { mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { RunningServer } from '../../serve/start/server.js';
import { serveUntilSignal } from './serve.js';
import { serveLog } from './serve-log.js';

const TERMINAL = { out() {}, err() {}, isInteractive: false };
const FLAGS = { logLevel: 'info', logFormat: 'default' } as const;

/** A server of which only the end is looked at. */
function fakeServer() {
  const closes: number[] = [];
  const server = {
    modelsLoaded: Promise.resolve(),
    context: {
      health: { notReadyReason: () => undefined },
      repository: { notReadyReason: () => undefined },
      log: { info() {}, error() {}, warning() {}, verbose() {} },
    },
    close: async () => closes.push(1) > 0,
  } as unknown as RunningServer;
  return { server, closes };
}

test('SIGHUP opens the log file again, and the server goes on', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'aloft-log-'));
  const path = join(directory, 'log');
  const { log, reopen } = await serveLog({ ...FLAGS, logFile: path }, TERMINAL);
  const { server, closes } = fakeServer();
  const ended = serveUntilSignal(
    { server, reopenLog: reopen, endTraces: async () => true },
    { exitOnError: true, terminal: TERMINAL },
  );
  try {
    log.info('before');
    await wrote(path, 'before');
    renameSync(path, `${path}.1`);
    process.emit('SIGHUP', 'SIGHUP');
    log.info('after');
    await wrote(path, 'after');
    expect(readFileSync(`${path}.1`, 'utf8')).not.toContain('after');
    expect(closes.length).toBe(0);
    process.emit('SIGTERM', 'SIGTERM');
    await ended;
    expect(closes.length).toBe(1);
  } finally {
    process.removeAllListeners('SIGHUP');
    process.removeAllListeners('SIGTERM');
    process.removeAllListeners('SIGINT');
    rmSync(directory, { recursive: true });
  }
});

test('SIGHUP drains a server whose log is no file', async () => {
  const { server, closes } = fakeServer();
  const ended = serveUntilSignal(
    { server, reopenLog: undefined, endTraces: async () => true },
    { exitOnError: true, terminal: TERMINAL },
  );
  process.emit('SIGHUP', 'SIGHUP');
  await ended;
  expect(closes.length).toBe(1);
  for (const signal of ['SIGHUP', 'SIGTERM', 'SIGINT']) process.removeAllListeners(signal);
});

/** Waits until a file holds a text; its writing is not awaited by the log. */
async function wrote(path: string, text: string): Promise<void> {
  for (;;) {
    try {
      if (readFileSync(path, 'utf8').includes(text)) return;
    } catch {
      // not there yet
    }
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
