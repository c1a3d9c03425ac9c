import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { requireWritable, writeResultFile } from './result-file.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'aloft-results-'));
  writeFileSync(join(folder, 'file'), 'x');
  mkdirSync(join(folder, 'directory'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test.each(['file', 'new', 'directory/new', 'new/deep/new'])(
  '%s can be written, and asking makes nothing',
  (name) => {
    const path = join(folder, name);
    const before = existsSync(join(folder, 'new'));
    requireWritable([undefined, path]);
    expect(existsSync(join(folder, 'new'))).toBe(before);
    writeResultFile(path, 'result');
    expect(readFileSync(path, 'utf8')).toBe('result');
  },
);

test.each([
  ['directory', /directory is a directory, not a file; name a file\.$/],
  ['file/new', /new cannot be reached, because a part of its path is a file; correct the path\.$/],
])('%s is refused before the work, and when it is written', (name, message) => {
  const path = join(folder, name);
  for (const attempt of [() => requireWritable([path]), () => writeResultFile(path, 'result')])
    expect(attempt).toThrow(
      expect.objectContaining({ code: 'OUTPUT_FAILED', message: expect.stringMatching(message) }),
    );
});
