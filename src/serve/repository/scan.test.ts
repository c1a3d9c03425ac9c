import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parseConfigText } from '../../protocol/grpc/config-text.js';
import { asOther } from '../../core/testing/other-user.js';
import { scanRepository } from './scan.js';

test('a configuration that may not be read is a fault of its model alone', () => {
  const repository = mkdtempSync(join(tmpdir(), 'aloft-scan-'));
  try {
    chmodSync(repository, 0o755);
    for (const name of ['good', 'shut']) {
      mkdirSync(join(repository, name, '1'), { recursive: true });
      writeFileSync(join(repository, name, 'config.pbtxt'), `name: "${name}"\n`);
    }
    const path = join(repository, 'shut', 'config.pbtxt');
    chmodSync(path, 0o000);
    const [good, shut] = asOther(() => scanRepository(repository));
    expect([good!.name, good!.file?.config.name]).toEqual(['good', 'good']);
    expect(shut).toMatchObject({ name: 'shut', file: undefined });
    expect(shut!.findings).toEqual([
      {
        severity: 'error',
        file: path,
        line: undefined,
        message: `${path} may not be read by this user; change its permissions or its owner.`,
      },
    ]);
  } finally {
    rmSync(repository, { recursive: true, force: true });
  }
});

test.each<[string, (path: string) => void, RegExp]>([
  ['a pipe', (path) => void execFileSync('mkfifo', [path]), /^this is no regular file;/],
  ['a device', (path) => symlinkSync('/dev/zero', path), /^this is no regular file;/],
  ['a directory', (path) => mkdirSync(path), /is a directory, not a file;/],
  [
    'a file of two million bytes',
    (path) => writeFileSync(path, 'a'.repeat(2e6)),
    /^the file has 2000000 bytes, but a configuration has at most 1048576; correct the file\.$/,
  ],
  [
    'a negative batch size',
    (path) => writeFileSync(path, 'name: "m"\nmax_batch_size: -5\n'),
    /^max_batch_size is -5, but must be 0 or more\.$/,
  ],
])('%s as a configuration is a fault of its model, told at once', (_, make, message) => {
  const repository = mkdtempSync(join(tmpdir(), 'aloft-scan-'));
  try {
    mkdirSync(join(repository, 'm', '1'), { recursive: true });
    make(join(repository, 'm', 'config.pbtxt'));
    const [model] = scanRepository(repository);
    expect(model!.findings).toEqual([
      expect.objectContaining({ severity: 'error', message: expect.stringMatching(message) }),
    ]);
  } finally {
    rmSync(repository, { recursive: true, force: true });
  }
});

test('a long word that is no field is told in no time', () => {
  const startMs = performance.now();
  expect(parseConfigText('a'.repeat(2 ** 20))).toMatchObject({ type: 'fault', fault: { line: 1 } });
  expect(performance.now() - startMs).toBeLessThan(1000);
});
