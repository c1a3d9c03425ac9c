import type * as FileSystem from 'node:fs';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { stageDirectory } from './staging.js';

/** Calls that decide what a power loss leaves, in their order. */
const calls: string[] = [];

vi.mock('node:fs', async (original) => {
  const real = await original<typeof FileSystem>();
  return {
    ...real,
    fsyncSync(file: number) {
      calls.push(`sync ${real.readlinkSync(`/proc/self/fd/${file}`)}`);
      real.fsyncSync(file);
    },
    renameSync(from: string, to: string) {
      calls.push(`rename ${from} to ${to}`);
      real.renameSync(from, to);
    },
  };
});

let parent: string;
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'aloft-staging-'));
  calls.length = 0;
});
afterEach(() => rmSync(parent, { recursive: true, force: true }));

test('bytes and names are on the disk before the directory has its name, and then that is', () => {
  const target = join(parent, 'engine');
  const staged = stageDirectory(target, false);
  for (const name of ['config.json', 'rank0.engine']) writeFileSync(join(staged.path, name), name);
  staged.commit();
  expect(calls.slice(0, 2).toSorted()).toEqual([
    `sync ${join(staged.path, 'config.json')}`,
    `sync ${join(staged.path, 'rank0.engine')}`,
  ]);
  expect(calls.slice(2)).toEqual([
    `sync ${staged.path}`,
    `rename ${staged.path} to ${target}`,
    `sync ${parent}`,
  ]);
  expect(readFileSync(join(target, 'config.json'), 'utf8')).toBe('config.json');
});

test('the engine that is replaced keeps its name until the new one is on the disk', () => {
  const target = join(parent, 'engine');
  mkdirSync(target);
  writeFileSync(join(target, 'config.json'), JSON.stringify({ builder_config: {}, aloft: {} }));
  const staged = stageDirectory(target, true);
  writeFileSync(join(staged.path, 'config.json'), 'new');
  staged.commit();
  expect(calls).toEqual([
    `sync ${join(staged.path, 'config.json')}`,
    `sync ${staged.path}`,
    `rename ${target} to ${staged.path}.replaced`,
    `rename ${staged.path} to ${target}`,
    `sync ${parent}`,
  ]);
});
