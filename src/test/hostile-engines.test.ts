import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { AloftError } from '../core/errors.js';
import { checkEngine } from '../run/executor/opening/check-engine.js';
import { openExecutor } from '../run/executor/open-executor.js';
import { buildTemporaryEngine, DEMO_MODEL } from './build-and-open.js';
import { LIES, lieIn } from './hostile-engines.js';

let root: string;
let engine: string;
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'aloft-hostile-'));
  engine = join(root, 'engine');
  const built = await buildTemporaryEngine({
    model_dir: DEMO_MODEL,
    max_input_len: '64',
    max_output_len: '64',
  });
  cpSync(built.directory, engine, { recursive: true });
  built.dispose();
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

test('an engine that does not lie is whole', async () => {
  expect(checkEngine(engine).aloft.device).toBe('cpu');
  lieIn(engine, () => undefined);
  expect(checkEngine(engine).aloft.device).toBe('cpu');
});

test.each(Object.entries(LIES))(
  '%s is found by the check, and by whoever opens the engine',
  async (name, lie) => {
    const hostile = join(root, name.replaceAll(' ', '-'));
    cpSync(engine, hostile, { recursive: true });
    lieIn(hostile, lie);
    const isCorrupt = (thrown: unknown) => thrown instanceof AloftError && thrown.code === 'ENGINE_CORRUPT';
    expect(faultOf(() => checkEngine(hostile))).toSatisfy(isCorrupt);
    await expect(openExecutor({ engineDirectory: hostile })).rejects.toSatisfy(isCorrupt);
    rmSync(hostile, { recursive: true });
  },
);

function faultOf(action: () => unknown): unknown {
  try {
    action();
  } catch (fault) {
    return fault;
  }
  throw new Error('The check found nothing.');
}
