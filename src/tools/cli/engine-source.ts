/** The engine that a command line names: an engine's directory, or a model that is built into the user's cache first. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, realpathSync, rmSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { isGgufFile, readModelConfig } from '../../builder/checkpoint/open.js';
import type { GivenFlags } from '../../builder/flag-reader.js';
import { AloftError } from '../../core/errors.js';
import { ENGINE_FORMAT_VERSION } from '../../engine/format.js';
import type { ModelName } from '../../hub/model-name.js';
import type { PullPlan } from '../../hub/pull.js';
import { openRank } from '../../run/executor/opening/open-rank.js';
import { runBuild } from './build.js';
import { type BuildForecast, forecastBuild } from './build-forecast.js';
import { requireSpace } from './disk-space.js';
import { cacheFolder } from './folders.js';
import { cachedOrPulled, modelNameOf } from './pull.js';
import type { Terminal } from './terminal.js';
import { terminalLog } from './terminal-log.js';

/** Limits of an engine that is built on the way; `aloft build` sets others. */
const MAX_BATCH_SIZE = 16;
const MOST_TOKENS = 4096;
/** File of models that are published for embeddings. */
const MODULES = 'modules.json';

/**
 * @param source an engine, a checkpoint, or the name of a model on the hub, which is pulled when it is not in the cache. The engine
 * of a checkpoint is built once and kept until one of the checkpoint's files changes.
 * @throws {AloftError} what pull and build throw
 */
export async function engineDirectoryOf(source: string, terminal: Terminal): Promise<string> {
  const name = modelNameOf(source);
  if (name !== undefined) return engineOfModel(name, terminal);
  if (!isCheckpoint(source)) return source;
  const work = { checkpoint: source, engine: engineFolder(basename(realpathSync(source)), stateOf(source)) };
  return isWhole(work.engine) ? work.engine : build(work, forecastOf(work.checkpoint, terminal), terminal);
}

async function engineOfModel(name: ModelName, terminal: Terminal): Promise<string> {
  const label = name.repository.replace('/', '--');
  const workOf = (checkpoint: string): Work => ({
    checkpoint,
    engine: engineFolder(label, snapshotState(checkpoint)),
  });
  let forecast: BuildForecast | undefined;
  const checkPlan = ({ path, cacheDirectory, missingBytes }: PullPlan): void => {
    const needs = [{ directory: cacheDirectory, bytes: missingBytes }];
    // A GGUF file says itself what it is, so it must be there first.
    if (existsSync(path)) {
      forecast = forecastOf(path, terminal);
      needs.push({ directory: cacheFolder(), bytes: forecast.engineBytes });
    }
    requireSpace(needs);
  };
  const work = workOf(await cachedOrPulled(name, terminal, checkPlan));
  if (isWhole(work.engine)) return work.engine;
  return build(work, forecast ?? forecastOf(work.checkpoint, terminal), terminal);
}

interface Work {
  readonly checkpoint: string;
  /** Directory of the engine to build. */
  readonly engine: string;
}

/** Says what a build makes and a load takes. @throws {AloftError} of what cannot be built or loaded here */
function forecastOf(checkpoint: string, terminal: Terminal): BuildForecast {
  const forecast = forecastBuild(checkpoint, buildFlags({ checkpoint, engine: cacheFolder() }));
  terminal.err(`To build, once: ${forecast.build}, in ${cacheFolder()}\nTo load: ${forecast.load}\n`);
  forecast.requireMemory();
  return forecast;
}

async function build(work: Work, { engineBytes }: BuildForecast, terminal: Terminal): Promise<string> {
  requireSpace([{ directory: cacheFolder(), bytes: engineBytes }]);
  rmSync(work.engine, { recursive: true, force: true });
  const log = terminalLog('warning', terminal);
  await runBuild(buildFlags(work), { device: 'auto' }, log, terminal);
  return work.engine;
}

function buildFlags({ checkpoint, engine }: Work): GivenFlags {
  const half = String(Math.min(MOST_TOKENS, Math.floor(readModelConfig(checkpoint).maxPositions / 2)));
  return new Map([
    ['model_dir', checkpoint],
    ['output_dir', engine],
    ['max_batch_size', String(MAX_BATCH_SIZE)],
    ['max_input_len', half],
    ['max_output_len', half],
    ...(existsSync(join(checkpoint, MODULES)) ? [['task', 'embed'] as const] : []),
  ]);
}

/** @param state changes with the model's files */
function engineFolder(label: string, state: string): string {
  const hash = createHash('sha256').update(`${ENGINE_FORMAT_VERSION}\n${state}`).digest('hex');
  return join(cacheFolder(), 'engines', `${label}-${hash.slice(0, 12)}`);
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

/** The files of a checkpoint, by name, size and time. */
function stateOf(path: string): string {
  const names = statSync(path).isDirectory() ? readdirSync(path).toSorted() : [''];
  const files = names.map((name) => {
    const { size, mtimeMs } = statSync(join(path, name));
    return `${name} ${size} ${mtimeMs}\n`;
  });
  return `${realpathSync(path)}\n${files.join('')}`;
}

/** A snapshot of the hub's cache: its path names the commit. Its weights may not be there yet, and others of its files may never be. */
function snapshotState(path: string): string {
  const isDirectory = statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
  const names = isDirectory ? readdirSync(path).filter((name) => !/\.(?:safetensors|bin)$/.test(name)) : [];
  return [path, ...names.toSorted()].join('\n');
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
