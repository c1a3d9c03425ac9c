import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
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
