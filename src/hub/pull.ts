/** Brings a model from a hub into the cache, and finds it there. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { AloftError } from '../core/errors.js';
import { CachedRepository } from './cache.js';
import { type ChosenFiles, chooseFiles, filesOfIndex } from './choose-files.js';
import { download } from './download.js';
import { HubClient } from './hub-client.js';
import type { HubSettings } from './hub-settings.js';
import type { ModelName } from './model-name.js';
import type { RemoteFile } from './remote-file.js';
import { writingTo } from './write-fault.js';

/** A pull before most of its files are downloaded. */
export interface PullPlan {
  readonly commit: string;
  /** Directory of a checkpoint, with its config.json, or path of a GGUF file. */
  readonly path: string;
  readonly cacheDirectory: string;
  readonly fileCount: number;
  readonly missingFileCount: number;
  /** Bytes of all files, and those of them that are not in the cache. */
  readonly totalBytes: number;
  readonly missingBytes: number;
}

export interface PullEvents {
  /** Called once, when it is known which files are needed. What it throws ends the pull. */
  readonly onPlan: (plan: PullPlan) => Promise<void> | void;
  /** Called with numbers of bytes that have come after the plan; together `missingBytes`. */
  readonly onBytes: (bytes: number) => void;
  readonly signal: AbortSignal;
}

const DOWNLOADS_AT_ONCE = 4;

/**
 * @returns path of the checkpoint or GGUF file in the cache
 * @throws {AloftError} HUB_*, CHECKPOINT_NOT_FOUND, DOWNLOAD_CORRUPT, OUTPUT_FAILED, and what `onPlan` throws
 */
export async function pullModel(name: ModelName, settings: HubSettings, events: PullEvents): Promise<string> {
  if (settings.isOffline) return requireCached(name, settings);
  const { place, chosen, first, filesOf } = await beginPull(name, settings, events.signal);
  const { cached, commit } = place;
  const snapshot = cached.snapshot(commit);
  const all = [...new Set([...first, ...filesOf(chosen.texts), ...filesOf(weightPaths(chosen, snapshot))])];
  const path = pathOf(snapshot, chosen);
  await events.onPlan({ ...sizes(cached, all), commit, path, cacheDirectory: settings.cacheDirectory });
  await fetchAll(all, place, events);
  await writingTo(cached.folder, `refs/${name.revision}`, () => cached.setCommit(name.revision, commit));
  return path;
}

/**
 * Brings the configuration of a model into the cache, and no weights.
 * @returns directory that has its config.json, or path of a GGUF file, which is there only if it was pulled
 * @throws {AloftError} HUB_*, CHECKPOINT_NOT_FOUND, DOWNLOAD_CORRUPT, OUTPUT_FAILED
 */
export async function pullConfig(
  name: ModelName,
  settings: HubSettings,
  signal: AbortSignal,
): Promise<string> {
  if (settings.isOffline) return requireCached(name, settings);
  const { place, chosen } = await beginPull(name, settings, signal);
  return pathOf(place.cached.snapshot(place.commit), chosen);
}

/** As {@link pullConfig}, with all that a build reads besides weights: the tokenizer, templates, defaults of generation. */
export async function pullTexts(
  name: ModelName,
  settings: HubSettings,
  signal: AbortSignal,
): Promise<string> {
  if (settings.isOffline) return requireCached(name, settings);
  const { place, chosen, filesOf } = await beginPull(name, settings, signal);
  await fetchAll(filesOf(chosen.texts), place, { onBytes: () => {}, signal });
  return pathOf(place.cached.snapshot(place.commit), chosen);
}

/** Files of a model on a hub, once those are here that say what else is needed, and what a build would make of it. */
interface BegunPull {
  readonly place: Place;
  readonly chosen: ChosenFiles;
  readonly first: readonly RemoteFile[];
  readonly filesOf: (paths: readonly string[]) => RemoteFile[];
}

async function beginPull(name: ModelName, settings: HubSettings, signal: AbortSignal): Promise<BegunPull> {
  const client = new HubClient(settings, signal);
  const model = await client.model(name.repository, name.revision);
  const cached = new CachedRepository(settings.cacheDirectory, name.repository);
  const place = { client, cached, repository: name.repository, commit: model.commit };
  const files = new Map(model.files.map((file) => [file.path, file]));
  const chosen = chooseFiles([...files.keys()], name);
  const filesOf = (paths: readonly string[]): RemoteFile[] =>
    paths.map((path) => listedFile(files, path, name));
  const first = filesOf(
    [...chosen.texts, chosen.weights].filter((path) => /(?:^config|^modules|\.index)\.json$/.test(path)),
  );
  await fetchAll(first, place, { onBytes: () => {}, signal });
  return { place, chosen, first, filesOf };
}

/** Path of a model that was pulled, of the revision's last commit; undefined when one of its files is missing. Needs no network. */
export function cachedModel(name: ModelName, { cacheDirectory }: HubSettings): string | undefined {
  const cached = new CachedRepository(cacheDirectory, name.repository);
  const commit = cached.commitOf(name.revision);
  if (commit === undefined) return undefined;
  const paths = cached.filesOf(commit);
  const snapshot = cached.snapshot(commit);
  try {
    const chosen = chooseFiles(paths, name);
    const isWhole = weightPaths(chosen, snapshot).every((path) => paths.includes(path));
    return isWhole ? pathOf(snapshot, chosen) : undefined;
  } catch (fault) {
    if (fault instanceof AloftError) return undefined;
    throw fault;
  }
}

function requireCached(name: ModelName, settings: HubSettings): string {
  const path = cachedModel(name, settings);
  if (path !== undefined) return path;
  throw new AloftError(
    'CHECKPOINT_NOT_FOUND',
    `${name.repository} at ${name.quantisation ?? name.file ?? name.revision} is not whole in ${settings.cacheDirectory}, and HF_HUB_OFFLINE is set; unset it, or pull the model where there is a network.`,
  );
}

function pathOf(snapshot: string, { weights }: ChosenFiles): string {
  return weights.endsWith('.gguf') ? join(snapshot, weights) : snapshot;
}

function weightPaths({ weights, isIndex }: ChosenFiles, snapshot: string): string[] {
  return isIndex ? filesOfIndex(readFileSync(join(snapshot, weights), 'utf8'), weights) : [weights];
}

function listedFile(
  files: ReadonlyMap<string, RemoteFile>,
  path: string,
  { repository }: ModelName,
): RemoteFile {
  const file = files.get(path);
  if (file !== undefined) return file;
  throw new AloftError(
    'CHECKPOINT_NOT_FOUND',
    `${repository} lacks ${path}, which its index of the weights names; name another revision.`,
  );
}

function sizes(
  cached: CachedRepository,
  files: readonly RemoteFile[],
): Pick<PullPlan, 'fileCount' | 'missingFileCount' | 'totalBytes' | 'missingBytes'> {
  const missing = files.filter((file) => !cached.hasBlob(file));
  return {
    fileCount: files.length,
    missingFileCount: missing.length,
    totalBytes: files.reduce((sum, { bytes }) => sum + bytes, 0),
    missingBytes: missing.reduce((sum, file) => sum + file.bytes - cached.partBytes(file), 0),
  };
}

interface Place {
  readonly client: HubClient;
  readonly cached: CachedRepository;
  readonly repository: string;
  readonly commit: string;
}

/** Downloads what is missing, several files at once, and links all files into the snapshot. The first fault stops the others. */
async function fetchAll(
  files: readonly RemoteFile[],
  place: Place,
  { onBytes, signal }: Pick<PullEvents, 'onBytes' | 'signal'>,
): Promise<void> {
  // Its iterator is one for all workers.
  const queue = files.values();
  const stop = new AbortController();
  const either = AbortSignal.any([stop.signal, signal]);
  const worker = async (): Promise<void> => {
    for (const file of queue) {
      either.throwIfAborted();
      await writingTo(place.cached.folder, file.path, () =>
        fetchOne(file, place, { onBytes, signal: either }),
      );
    }
  };
  const workers = Array.from({ length: DOWNLOADS_AT_ONCE }, () =>
    worker().catch((fault: unknown) => {
      stop.abort(fault);
      throw fault;
    }),
  );
  const outcomes = await Promise.allSettled(workers);
  const failed = outcomes.find(({ status }) => status === 'rejected');
  if (failed !== undefined) throw signal.aborted ? signal.reason : stop.signal.reason;
}

async function fetchOne(
  file: RemoteFile,
  { cached, ...place }: Place,
  { onBytes, signal }: Pick<PullEvents, 'onBytes' | 'signal'>,
): Promise<void> {
  if (!cached.hasBlob(file)) await download({ ...place, file, blob: cached.blob(file), signal, onBytes });
  cached.link(place.commit, file);
}
