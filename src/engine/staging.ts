/** Output that appears complete or not at all: work in a directory beside the target, renamed at the end. */
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { AloftError } from '../core/errors.js';
import { looksLikeEngine } from './manifest.js';

export interface StagedDirectory {
  /** Directory to write to. */
  readonly path: string;
  /** Moves the result to the target. */
  commit(): void;
  /** Removes what was written. Does nothing after `commit`. */
  discard(): void;
}

/**
 * @param replace lets a directory that holds an engine be replaced; the old one stays until `commit`
 * @throws {AloftError} OUTPUT_EXISTS, OUTPUT_FAILED
 */
export function stageDirectory(target: string, replace: boolean): StagedDirectory {
  const destination = resolve(target);
  checkTarget(destination, replace);
  const parent = dirname(destination);
  const prefix = `.${basename(destination)}.building-`;
  const path = join(parent, prefix + process.pid);
  try {
    mkdirSync(parent, { recursive: true });
    removeLeftovers(parent, prefix);
    mkdirSync(path);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new AloftError('OUTPUT_FAILED', `Cannot write to the output directory ${destination}: ${reason}.`, {
      cause,
    });
  }
  let open = true;
  return {
    path,
    commit() {
      checkTarget(destination, replace);
      // A name must not reach the disk before what it names.
      for (const entry of readdirSync(path)) flush(join(path, entry));
      flush(path);
      const replaced = `${path}.replaced`; // The old engine is whole until the new one has its name.
      if (existsSync(destination)) renameSync(destination, replaced);
      renameSync(path, destination);
      flush(parent);
      open = false;
      rmSync(replaced, { recursive: true, force: true });
    },
    discard() {
      if (open) rmSync(path, { recursive: true, force: true });
      open = false;
    },
  };
}

/** Waits until a file's bytes, or a directory's names, are on the disk. */
function flush(path: string): void {
  const file = openSync(path, 'r');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

function checkTarget(destination: string, replace: boolean): void {
  if (!existsSync(destination)) return;
  if (!statSync(destination).isDirectory())
    throw new AloftError('OUTPUT_EXISTS', `The output path ${destination} is a file. Name a directory.`);
  if (readdirSync(destination).length === 0) return;
  if (!replace)
    throw new AloftError(
      'OUTPUT_EXISTS',
      `The output directory ${destination} is not empty. Choose another, or replace the engine in it with --force.`,
    );
  if (!looksLikeEngine(destination))
    throw new AloftError(
      'OUTPUT_EXISTS',
      `The output directory ${destination} holds something other than an engine, which --force does not replace. Choose another.`,
    );
}

/** Removes what builds left behind that were killed. */
function removeLeftovers(parent: string, prefix: string): void {
  for (const name of readdirSync(parent)) {
    if (!name.startsWith(prefix)) continue;
    const pid = Number.parseInt(name.slice(prefix.length), 10);
    if (pid === process.pid || !isRunning(pid)) rmSync(join(parent, name), { recursive: true, force: true });
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (fault) {
    return (fault as NodeJS.ErrnoException).code === 'EPERM';
  }
}
