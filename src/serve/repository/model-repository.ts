/** The models of a server: what is on disk, what is loaded, and the changes between the two. */
import { AloftError, reportError } from '../../core/errors.js';
import type { Log } from '../../core/log.js';
import type { EngineLoader } from '../engine/engine-loader.js';
import { EngineRestarts } from './engine-restarts.js';
import { formatFinding } from './finding.js';
import { loadFault, unknownModelFault } from './load-faults.js';
import { VersionBinder } from './bind-version.js';
import type { IndexRow, LoadTime, ModelEntry } from './model-entry.js';
import { modelKind, type ModelKind } from '../tensors/model-kind.js';
import { ModelTable, UNLOADED } from './model-table.js';
import { readModelFiles, scanRepository, selectedVersions, type ModelFiles } from './scan.js';
import type { GenerationModel, ServedModel } from './served-model.js';
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

/** Members before what is made of them. */
const LOAD_ORDER: readonly ModelKind[] = ['engine', 'preprocessing', 'postprocessing', 'bls', 'ensemble'];

export class ModelRepository {
  readonly #table = new ModelTable();
  readonly #options: RepositoryOptions;
  readonly #log: Log;
  readonly #binder: VersionBinder;
  readonly #restarts: EngineRestarts;
  #pollTimer: NodeJS.Timeout | undefined;
  /** Models that should be loaded at start and are in no directory. */
  #missingModels: readonly string[] = [];
  /** Files with which a model was loaded last. */
  readonly #loadedFiles = new Map<string, ModelFiles>();
  /** False until the directories were read for the first time: until then any name may be that of a model. */
  #isScanned = false;
  /** Loads and unloads happen one after another. */
  #queue: Promise<unknown> = Promise.resolve();

  constructor(options: RepositoryOptions, loader: EngineLoader, log: Log) {
    this.#options = options;
    this.#log = log;
    this.#binder = new VersionBinder(options, loader, this.#table);
    this.#restarts = new EngineRestarts(options.restart);
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
    await this.#serialized(() => this.#loadAll(names.flatMap((name) => [name, ...this.#dependencies(name)])));
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
      (a, b) => this.#loadRank(a.files.name) - this.#loadRank(b.files.name),
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
      const names = [name, ...this.#dependencies(name)];
      const faults = await this.#loadAll(names);
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
      const others = unloadDependents ? this.#dependencies(name) : [];
      for (const model of [name, ...others]) await this.#unloadModel(model);
    });
  }

  /** Stops accepting, lets requests finish, and frees everything. @returns false when an engine hangs in a native call */
  async close(): Promise<boolean> {
    clearInterval(this.#pollTimer);
    return await this.#serialized(() => this.#binder.closeAll());
  }

  #requireExplicit(): void {
    if (this.#options.controlMode === 'explicit') return;
    throw new AloftError(
      'MODEL_UNAVAILABLE',
      'explicit model load / unload is not allowed if polling is enabled',
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
      for (const files of scanRepository(directory)) if (!found.has(files.name)) found.set(files.name, files);
    }
    const changed = [...found.values()].filter(
      (files) => this.#table.get(files.name)?.files.signature !== files.signature,
    );
    for (const files of changed) this.#table.setFiles(files);
    const gone = this.#table.names.filter((name) => !found.has(name));
    return [...changed.map((files) => files.name), ...gone];
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
          await this.#unloadModel(name);
          this.#table.delete(name);
        }
        await this.#loadAll(changed.filter((name) => this.#table.has(name)));
      });
    } catch (error) {
      this.#log.error(`Polling the model repository failed: ${reportError(error).message}`);
    }
  }

  /** The members of an ensemble, or the engine of a bls model. */
  #dependencies(name: string): string[] {
    const file = this.#table.get(name)?.files.file;
    const kind = file && modelKind(file.config);
    return file === undefined || kind === undefined
      ? []
      : this.#binder.membersOf(kind, file).filter((member) => this.#table.has(member));
  }

  /**
   * Loads models in an order that has members first, then again what is made of them and was loaded before.
   * @returns faults by model; a model that was served before still is, as it was
   */
  async #loadAll(names: readonly string[]): Promise<ReadonlyMap<string, AloftError>> {
    const wanted = new Set(names);
    const isLoaded = (entry: ModelEntry) =>
      [...entry.versions.values()].some((state) => state.reason !== UNLOADED);
    const dependents = this.list().filter(
      (entry) => isLoaded(entry) && this.#dependencies(entry.files.name).some((member) => wanted.has(member)),
    );
    for (const entry of dependents) wanted.add(entry.files.name);
    // At once, so that none looks as if it did not exist while others are loaded.
    for (const name of wanted) this.#announce(name);
    const faults = new Map<string, AloftError>();
    for (const name of [...wanted].toSorted((a, b) => this.#loadRank(a) - this.#loadRank(b))) {
      const fault = await this.#loadModel(name);
      if (fault !== undefined) faults.set(name, fault);
    }
    this.#binder.drainReplaced();
    return faults;
  }

  /** Marks the versions that will be loaded, where none answers yet. */
  #announce(name: string): void {
    const entry = this.#table.get(name);
    if (entry === undefined || [...entry.versions.values()].some(({ served }) => served !== undefined))
      return;
    for (const version of versionsToLoad(entry.files))
      this.#table.setState(name, { version, state: 'LOADING', reason: '', served: undefined });
  }

  /** Members come before what is made of them; first what cannot be read. */
  #loadRank(name: string): number {
    const file = this.#table.get(name)?.files.file;
    const kind = file && modelKind(file.config);
    return kind === undefined ? -1 : LOAD_ORDER.indexOf(kind);
  }

  async #loadModel(name: string): Promise<AloftError | undefined> {
    const entry = this.#table.get(name);
    if (entry === undefined) {
      this.#log.error(`failed to load '${name}': there is no such model in the repository.`);
      return unknownModelFault(name, this.#table.names);
    }
    const { files } = entry;
    for (const finding of files.findings) this.#log[finding.severity](formatFinding(finding));
    // A version whose files cannot be read is served on.
    const served = [...entry.versions.values()].filter((state) => state.served !== undefined);
    const isServedOn = files.file === undefined && served.length > 0;
    const keep = new Set(isServedOn ? served.map(({ version }) => version) : versionsToLoad(files));
    for (const version of entry.versions.keys())
      if (!keep.has(version)) await this.#dropVersion(name, version);
    let fault: AloftError | undefined;
    for (const version of keep) fault = (await this.#loadVersion(files, version)) ?? fault;
    if (fault === undefined) this.#loadedFiles.set(name, files);
    return fault;
  }

  /** Loads a version. The one that is served goes on until its successor is there. */
  async #loadVersion(files: ModelFiles, version: string): Promise<AloftError | undefined> {
    const { name } = files;
    const earlier = this.#table.get(name)!.versions.get(version)?.served;
    if (earlier === undefined)
      this.#table.setState(name, { version, state: 'LOADING', reason: '', served: undefined });
    const startMs = performance.now();
    try {
      const { served, findings, fault } = await this.#binder.bind(files, version);
      for (const finding of findings) this.#log[finding.severity](formatFinding(finding));
      if (served.kind === 'engine') this.#followEngine(served);
      const loadMs = performance.now() - startMs;
      this.#table.setState(name, { version, state: 'READY', reason: '', served, loadMs });
      if (fault === undefined) return undefined;
      this.#restoreFiles(files);
      return this.#loadFault(files, version, fault.message);
    } catch (error) {
      const reason = reportError(error).message;
      const kept = earlier && (await this.#keep(files, version, earlier));
      if (kept === undefined)
        this.#table.setState(name, { version, state: 'UNAVAILABLE', reason, served: undefined });
      else this.#table.setState(name, { version, state: 'READY', reason: '', served: kept });
      return this.#loadFault(files, version, reason);
    }
  }

  #loadFault(files: ModelFiles, version: string, reason: string): AloftError {
    this.#log.error(`failed to load '${files.name}' version ${version}: ${reason}`);
    return loadFault(files, { version, reason });
  }

  /** The version as it was before a load that failed; undefined when it cannot answer any more. */
  async #keep(files: ModelFiles, version: string, earlier: ServedModel): Promise<ServedModel | undefined> {
    const loaded = this.#restoreFiles(files);
    if (loaded === undefined) return undefined;
    // Ensembles and BLS models are bound again: their engine may be another one by now.
    const isView = earlier.kind === 'ensemble' || earlier.kind === 'bls';
    if (!isView) return this.#binder.isLive(earlier) ? earlier : undefined;
    try {
      return (await this.#binder.bind(loaded, version)).served;
    } catch {
      return undefined; // its engine is gone, too, and the fault of the load says why
    }
  }

  /** The files with which the model was loaded last, under the signature of those that failed: polling must not try these again. */
  #restoreFiles({ name, signature }: ModelFiles): ModelFiles | undefined {
    const loaded = this.#loadedFiles.get(name);
    if (loaded !== undefined) this.#table.setFiles({ ...loaded, signature });
    return loaded;
  }

  #followEngine(served: GenerationModel): void {
    const { name, version, engine } = served;
    engine.loaded.onFailure(({ code, message }) => {
      const isRestarted = this.#restarts.allow(engine);
      const until = isRestarted ? 'until it is loaded again, which begins now' : 'until it is loaded again';
      this.#log.error(
        `The engine of '${name}' version ${version} has stopped (${code}): ${message}; open requests have failed and new ones are refused ${until}.`,
      );
      if (isRestarted) void this.#serialized(() => this.#restart(served));
    });
  }

  /** Loads a model again whose engine has stopped, and what is made of it, unless somebody else has or it is gone. */
  async #restart({ name, version, engine }: GenerationModel): Promise<void> {
    if (!this.#binder.engines().includes(engine)) return;
    this.#table.setState(name, { version, state: 'LOADING', reason: '', served: undefined });
    await this.#binder.release(name, version);
    await this.#loadAll([name]);
    const state = this.#table.get(name)?.versions.get(version)?.state;
    if (state === 'READY') this.#log.info(`The engine of '${name}' version ${version} is loaded again.`);
  }

  async #unloadModel(name: string): Promise<void> {
    for (const version of this.#table.get(name)?.versions.keys() ?? [])
      await this.#dropVersion(name, version);
  }

  async #dropVersion(name: string, version: string): Promise<void> {
    this.#table.setState(name, { version, state: 'UNLOADING', reason: '', served: undefined });
    await this.#binder.release(name, version);
    this.#table.setState(name, { version, state: 'UNAVAILABLE', reason: UNLOADED, served: undefined });
  }
}

/** Versions that the policy selects; 1 where there is none, for a fault to be shown on. */
function versionsToLoad({ file, versions }: ModelFiles): string[] {
  const selected = file === undefined ? versions.slice(-1) : selectedVersions(file.config, versions);
  return (selected.length === 0 ? [1] : selected).map(String);
}
