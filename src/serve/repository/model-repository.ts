/** The models of a server: what is on disk, what is loaded, and the changes between the two. */
import { AloftError, reportError } from '../../core/errors.js';
import type { Log } from '../../core/log.js';
import type { EngineLoader } from '../engine/engine-loader.js';
import { EngineRestarts } from './engine-restarts.js';
import { unknownModelFault } from './load-faults.js';
import { VersionBinder } from './bind-version.js';
import type { IndexRow, LoadTime, ModelEntry } from './model-entry.js';
import { ModelLoads } from './model-loads.js';
import { ModelTable, UNLOADED } from './model-table.js';
import { readModelFiles, scanRepository, type ModelFiles } from './scan.js';
import type { ServedModel } from './served-model.js';
import type { RunningEngine } from '../generation/running-engine.js';

export type ControlMode = 'none' | 'explicit' | 'poll';

export interface RepositoryOptions {
  /** Directories; the first that has a model of a name wins. */
  readonly directories: readonly string[];
  /** Models without files, of a server for one engine. */
  readonly memoryModels: readonly ModelFiles[];
  readonly controlMode: ControlMode;
  readonly pollSeconds: number;
  /** In mode explicit: what to load at start; `*` for all. */
  readonly initialModels: readonly string[];
  readonly maxQueuedRequests: number;
  /** Whether an engine that has stopped is loaded again. */
  readonly restart: boolean;
  /** Time that requests of an unloaded model have to finish. */
  readonly drainMs: number;
}

export class ModelRepository {
  readonly #table = new ModelTable();
  readonly #options: RepositoryOptions;
  readonly #log: Log;
  readonly #binder: VersionBinder;
  readonly #loads: ModelLoads;
  /** Directories of models whose name another model has. */
  readonly #hidden = new Set<string>();
  #pollTimer: NodeJS.Timeout | undefined;
  /** Models that should be loaded at start and are in no directory. */
  #missingModels: readonly string[] = [];
  /** False until the directories were read for the first time: until then any name may be that of a model. */
  #isScanned = false;
  /** Loads and unloads happen one after another. */
  #queue: Promise<unknown> = Promise.resolve();

  constructor(options: RepositoryOptions, loader: EngineLoader, log: Log) {
    this.#options = options;
    this.#log = log;
    this.#binder = new VersionBinder(options, loader, this.#table);
    const serialized = (action: () => Promise<void>) => void this.#serialized(action);
    this.#loads = new ModelLoads(this.#table, this.#binder, {
      log,
      restarts: new EngineRestarts(options.restart),
      serialized,
    });
  }

  get controlMode(): ControlMode {
    return this.#options.controlMode;
  }

  /** Reads the directories and loads what the control mode says. Models that fail are UNAVAILABLE with their reason. */
  async start(): Promise<void> {
    this.#rescan();
    this.#isScanned = true;
    const { controlMode, initialModels, pollSeconds } = this.#options;
    const all = controlMode !== 'explicit' || initialModels.includes('*');
    const names = all ? this.#table.names : initialModels;
    this.#missingModels = names.filter((name) => !this.#table.has(name) && name !== '*');
    await this.#serialized(() =>
      this.#loads.loadAll(names.flatMap((name) => [name, ...this.#loads.dependencies(name)])),
    );
    if (controlMode === 'poll') this.#pollTimer = setInterval(() => void this.#poll(), pollSeconds * 1000);
  }

  /**
   * @param version Empty: the highest that is ready.
   * @throws {AloftError} MODEL_NOT_FOUND or MODEL_UNAVAILABLE, with Triton's texts.
   */
  resolve(name: string, version: string): ServedModel {
    if (!this.#isScanned)
      throw new AloftError(
        'MODEL_UNAVAILABLE',
        `The models are being loaded, '${name}' may be one of them; retry later.`,
      );
    return this.#table.resolve(name, version);
  }

  index(readyOnly: boolean): IndexRow[] {
    return this.#table.index(readyOnly);
  }

  /** Sorted by name. */
  list(): ModelEntry[] {
    return this.#table.list();
  }

  served(): ServedModel[] {
    return this.#table.served();
  }

  loadTimes(): LoadTime[] {
    return this.#table.loadTimes();
  }

  engines(): readonly RunningEngine[] {
    return this.#binder.engines();
  }

  /** The first model that should be served and is not; undefined when there is none. */
  notReadyReason(): string | undefined {
    const missing = this.#missingModels.find((name) => (this.#table.get(name)?.versions.size ?? 0) === 0);
    if (missing !== undefined) return `Model '${missing}' is not in the repository`;
    const members = this.list().toSorted(
      (a, b) => this.#loads.loadRank(a.files.name) - this.#loads.loadRank(b.files.name),
    );
    for (const { files, versions } of members) {
      for (const { version, state, reason } of versions.values()) {
        if (state === 'READY' || reason === UNLOADED) continue;
        return `Model '${files.name}' version ${version} is ${state}${reason === '' ? '' : `: ${reason}`}`;
      }
    }
    return undefined;
  }

  /**
   * Loads or reloads a model and the models made of it.
   * @param configOverride Text of a config.pbtxt to use instead of the file.
   * @throws {AloftError} MODEL_UNAVAILABLE in another mode than explicit, MODEL_LOAD_FAILED when there is no such model or
   * its files have a fault, REPOSITORY_INVALID when a version cannot be loaded.
   */
  async load(name: string, configOverride?: string): Promise<void> {
    this.#requireExplicit();
    await this.#serialized(async () => {
      this.#rescan();
      const entry = this.#table.get(name);
      if (entry === undefined) throw unknownModelFault(name, this.#table.names);
      if (configOverride !== undefined && entry.files.directory !== undefined) {
        this.#table.setFiles(readModelFiles(name, entry.files.directory, configOverride));
      }
      const names = [name, ...this.#loads.dependencies(name)];
      const faults = await this.#loads.loadAll(names);
      const fault = names.map((one) => faults.get(one)).find((one) => one !== undefined);
      if (fault !== undefined) throw fault;
    });
  }

  /** @throws {AloftError} MODEL_UNAVAILABLE in another mode than explicit, REPOSITORY_INVALID when it is not loaded. */
  async unload(name: string, unloadDependents: boolean): Promise<void> {
    this.#requireExplicit();
    await this.#serialized(async () => {
      const entry = this.#table.get(name);
      if (entry === undefined || entry.versions.size === 0) {
        throw new AloftError(
          'REPOSITORY_INVALID',
          `failed to unload '${name}': Model to be unloaded has not been served.`,
        );
      }
      const others = unloadDependents ? this.#loads.dependencies(name) : [];
      for (const model of [name, ...others]) await this.#loads.unloadModel(model);
    });
  }

  /** Stops accepting, lets requests finish, and frees everything. @returns false when an engine hangs in a native call */
  async close(): Promise<boolean> {
    clearInterval(this.#pollTimer);
    return await this.#serialized(() => this.#binder.closeAll());
  }

  #requireExplicit(): void {
    const { controlMode } = this.#options;
    if (controlMode === 'explicit') return;
    // Triton's words, which it also uses where nothing polls.
    throw new AloftError(
      'MODEL_UNAVAILABLE',
      `explicit model load / unload is not allowed if polling is enabled; the mode of this server is ${controlMode}, start it with --model-control-mode explicit`,
    );
  }

  async #serialized<T>(action: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(action);
    this.#queue = result.catch(() => undefined);
    return await result;
  }

  #rescan(): string[] {
    const found = new Map(this.#options.memoryModels.map((files) => [files.name, files]));
    for (const directory of this.#options.directories) {
      for (const files of scanRepository(directory)) {
        const first = found.get(files.name);
        if (first === undefined) found.set(files.name, files);
        else this.#reportHidden(files.directory!, first);
      }
    }
    const changed = [...found.values()].filter(
      (files) => this.#table.get(files.name)?.files.signature !== files.signature,
    );
    for (const files of changed) this.#table.setFiles(files);
    const gone = this.#table.names.filter((name) => !found.has(name));
    return [...changed.map((files) => files.name), ...gone];
  }

  /** Says once of a directory that another model has its name. */
  #reportHidden(directory: string, { name, directory: first }: ModelFiles): void {
    if (this.#hidden.has(directory)) return;
    this.#hidden.add(directory);
    const other = first ?? 'an engine of the command line';
    this.#log.warning(
      `${directory} is not served: ${other} has the name '${name}', too; rename one of them.`,
    );
  }

  async #poll(): Promise<void> {
    try {
      await this.#serialized(async () => {
        const changed = this.#rescan();
        const isGone = (name: string) => {
          const directory = this.#table.get(name)?.files.directory;
          return (
            directory !== undefined &&
            !this.#options.directories.some((root) =>
              scanRepository(root).some((files) => files.name === name),
            )
          );
        };
        for (const name of changed.filter(isGone)) {
          await this.#loads.unloadModel(name);
          this.#table.delete(name);
        }
        await this.#loads.loadAll(changed.filter((name) => this.#table.has(name)));
      });
    } catch (error) {
      this.#log.error(`Polling the model repository failed: ${reportError(error).message}`);
    }
  }
}
