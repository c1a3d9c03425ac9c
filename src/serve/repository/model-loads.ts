/** Loads and unloads models in the order that they need each other, and loads engines again that have stopped. */
import { AloftError, reportError } from '../../core/errors.js';
import type { Log } from '../../core/log.js';
import type { EngineRestarts } from './engine-restarts.js';
import { formatFinding } from './finding.js';
import { loadFault, unknownModelFault } from './load-faults.js';
import type { VersionBinder } from './bind-version.js';
import type { ModelEntry } from './model-entry.js';
import { modelKind, type ModelKind } from '../tensors/model-kind.js';
import { type ModelTable, UNLOADED } from './model-table.js';
import { selectedVersions, type ModelFiles } from './scan.js';
import type { GenerationModel, ServedModel } from './served-model.js';

/** Members before what is made of them. */
const LOAD_ORDER: readonly ModelKind[] = ['engine', 'preprocessing', 'postprocessing', 'bls', 'ensemble'];

/** Parts that a load needs besides the models. */
interface LoadParts {
  readonly log: Log;
  readonly restarts: EngineRestarts;
  /** Runs an action when no other load or unload does. */
  readonly serialized: (action: () => Promise<void>) => void;
}

/** Its methods are called one after another. */
export class ModelLoads {
  readonly #table: ModelTable;
  readonly #binder: VersionBinder;
  readonly #log: Log;
  readonly #restarts: EngineRestarts;
  readonly #serialized: LoadParts['serialized'];
  /** Files with which a model was loaded last. */
  readonly #loadedFiles = new Map<string, ModelFiles>();

  constructor(table: ModelTable, binder: VersionBinder, { log, restarts, serialized }: LoadParts) {
    this.#table = table;
    this.#binder = binder;
    this.#log = log;
    this.#restarts = restarts;
    this.#serialized = serialized;
  }

  /** The members of an ensemble, or the engine of a bls model. */
  dependencies(name: string): string[] {
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
  async loadAll(names: readonly string[]): Promise<ReadonlyMap<string, AloftError>> {
    const wanted = new Set(names);
    const isLoaded = (entry: ModelEntry) =>
      [...entry.versions.values()].some((state) => state.reason !== UNLOADED);
    const dependents = this.#table
      .list()
      .filter(
        (entry) =>
          isLoaded(entry) && this.dependencies(entry.files.name).some((member) => wanted.has(member)),
      );
    for (const entry of dependents) wanted.add(entry.files.name);
    // At once, so that none looks as if it did not exist while others are loaded.
    for (const name of wanted) this.#announce(name);
    const faults = new Map<string, AloftError>();
    for (const name of [...wanted].toSorted((a, b) => this.loadRank(a) - this.loadRank(b))) {
      const fault = await this.#loadModel(name);
      if (fault !== undefined) faults.set(name, fault);
    }
    this.#binder.retireReplaced();
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
  loadRank(name: string): number {
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
      if (isRestarted) this.#serialized(() => this.#restart(served));
    });
  }

  /** Loads a model again whose engine has stopped, and what is made of it, unless somebody else has or it is gone. */
  async #restart({ name, version, engine }: GenerationModel): Promise<void> {
    if (!this.#binder.engines().includes(engine)) return;
    this.#table.setState(name, { version, state: 'LOADING', reason: '', served: undefined });
    await this.#binder.release(name, version);
    await this.loadAll([name]);
    const state = this.#table.get(name)?.versions.get(version)?.state;
    if (state === 'READY') this.#log.info(`The engine of '${name}' version ${version} is loaded again.`);
  }

  async unloadModel(name: string): Promise<void> {
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
