import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { mapFile, readFileToHost } from './memory.js';

test('a file that is truncated under its mapping gives zeros and counts them, and the process goes on', () => {
  const directory = mkdtempSync(join(tmpdir(), 'aloft-mapped-'));
  const path = join(directory, 'file');
  writeFileSync(path, Buffer.alloc(4 * 4096, 7));
  const area = mapFile(path);
  try {
    expect(area.bytes(0, 1)[0]).toBe(7);
    truncateSync(path, 4096);
    expect(area.lostPages()).toBe(0);
    expect([...area.bytes(2 * 4096, 2)]).toEqual([0, 0]);
    expect(area.bytes(2 * 4096 + 100, 1)[0]).toBe(0);
    expect(area.lostPages()).toBe(1);
    expect(area.bytes(3 * 4096, 1)[0]).toBe(0);
    expect(area.lostPages()).toBe(2);
  } finally {
    area.dispose();
    rmSync(directory, { recursive: true });
  }
});

test('a pipe in the place of a file is refused, and not waited for', () => {
  const directory = mkdtempSync(join(tmpdir(), 'aloft-pipe-'));
  const path = join(directory, 'pipe');
  expect(spawnSync('mkfifo', [path]).status).toBe(0);
  try {
    expect(() => mapFile(path)).toThrow(/no file but a device, pipe or socket/);
    expect(() => readFileToHost(path)).toThrow(/no file but a device, pipe or socket/);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
