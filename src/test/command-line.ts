/** Fixtures that tests of users' mistakes share. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect } from 'vitest';
import { aloft, type CommandResult } from '../tools/cli/testing/command-line.js';

/** A user's mistake: how to make it, and what the command must answer. */
export interface Mistake {
  readonly what: string;
  readonly code: string;
  /** Names the file or field, and the fix. */
  readonly message: RegExp;
  readonly prepare: () => void;
  readonly flags?: readonly string[];
}

/** Fails unless the command ended with one sentence of this code, without output, and status 2. */
export function expectMistake({ status, out, err }: CommandResult, code: string, message: RegExp): void {
  const lines = err.split('\n').filter((line) => line !== '' && !/^\[Aloft\] \[[IW]\] /.test(line));
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatch(/^aloft: [^\n]+[.)'] \[[A-Z_]+\]$/);
  expect(lines[0]).toContain(`[${code}]`);
  expect(lines[0]).toMatch(message);
  expect(out).toBe('');
  expect(status).toBe(2);
}

/** A directory for each test of the calling file. @returns a function that joins names to it */
export function temporaryRoot(): (...names: readonly string[]) => string {
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'aloft-test-'));
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));
  return (...names) => join(root, ...names);
}

/** `aloft build` of the checkpoint in `model` into `engine`. */
export function buildIn(
  at: (...names: readonly string[]) => string,
  ...flags: readonly string[]
): Promise<CommandResult> {
  return aloft(
    'build',
    '--model_dir',
    at('model'),
    '--output_dir',
    at('engine'),
    '--device',
    'cpu',
    ...flags,
  );
}
