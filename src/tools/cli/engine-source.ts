/** The engine that a command line names: an engine's directory, or a checkpoint that is built into the user's cache first. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, realpathSync, rmSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { isGgufFile, readModelConfig } from '../../builder/checkpoint/open.js';
import { AloftError } from '../../core/errors.js';
import { ENGINE_FORMAT_VERSION } from '../../engine/format.js';
import { openRank } from '../../run/executor/opening/open-rank.js';
import { runBuild } from './build.js';
import { cacheFolder } from './folders.js';
import type { Terminal } from './terminal.js';
import { terminalLog } from './terminal-log.js';

/** Limits of an engine that is built on the way; `aloft build` sets others. */
const MAX_BATCH_SIZE = 16;
const MOST_TOKENS = 4096;

/**
 * @param path an engine, or a checkpoint, whose engine is built once and kept until one of the checkpoint's files changes
 * @throws {AloftError} what the build throws
 */
export async function engineDirectoryOf(path: string, terminal: Terminal): Promise<string> {
  if (!isCheckpoint(path)) return path;
  const engine = join(cacheFolder(), 'engines', `${basename(realpathSync(path))}-${fingerprintOf(path)}`);
  if (isWhole(engine)) return engine;
  const context = readModelConfig(path).maxPositions;
  const half = String(Math.min(MOST_TOKENS, Math.floor(context / 2)));
  terminal.err(`Building an engine of ${path}, once, in ${engine} ...\n`);
  rmSync(engine, { recursive: true, force: true });
  const flags = new Map<string, string>([
    ['model_dir', path],
    ['output_dir', engine],
    ['max_batch_size', String(MAX_BATCH_SIZE)],
    ['max_input_len', half],
    ['max_output_len', half],
  ]);
  const log = terminalLog('warning', terminal);
  await runBuild(flags, { device: 'auto' }, log, terminal);
  return engine;
}

/** Whether a path is a GGUF file, or a directory with a configuration as Hugging Face publishes it. What else may be wrong with it, its reader says. */
function isCheckpoint(path: string): boolean {
  if (isGgufFile(path)) return true;
  const config = configIn(path);
  return (
    config !== undefined && !('aloft' in config) && ('architectures' in config || 'model_type' in config)
  );
}

/** Whether a directory has the configuration of an engine. */
export function isEngine(path: string): boolean {
  return 'aloft' in (configIn(path) ?? {});
}

/** The config.json of a directory; undefined where there is none that can be parsed. */
function configIn(directory: string): Record<string, unknown> | undefined {
  const file = join(directory, 'config.json');
  if (!existsSync(file)) return undefined;
  try {
    return Object(JSON.parse(readFileSync(file, 'utf8'))) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}

/** Changes with the files of the checkpoint, by name, size and time, and with the format of engines. */
function fingerprintOf(path: string): string {
  const hash = createHash('sha256').update(`${ENGINE_FORMAT_VERSION}\n${realpathSync(path)}\n`);
  const names = statSync(path).isDirectory() ? readdirSync(path).toSorted() : [''];
  for (const name of names) {
    const { size, mtimeMs } = statSync(join(path, name));
    hash.update(`${name} ${size} ${mtimeMs}\n`);
  }
  return hash.digest('hex').slice(0, 12);
}

/** An engine whose build was cut off, or of another kind of machine, is built again. */
function isWhole(engine: string): boolean {
  if (!existsSync(engine)) return false;
  try {
    openRank({ engineDirectory: engine }).dispose();
    return true;
  } catch (fault) {
    if (fault instanceof AloftError) return false;
    throw fault;
  }
}
