/** The models that a server knows: their files, the state of their versions, and which of them answers a request. */
import { AloftError } from '../../core/errors.js';
import {
  indexRows,
  loadTimesOf,
  type IndexRow,
  type LoadTime,
  type ModelEntry,
  type VersionState,
} from './model-entry.js';
import type { ModelFiles } from './scan.js';
import type { ServedModel } from './served-model.js';

/** Reason of a version that is not loaded, in the words of Triton's index. */
export const UNLOADED = 'unloaded';

export class ModelTable {
  readonly #entries = new Map<string, ModelEntry>();

  get names(): readonly string[] {
    return [...this.#entries.keys()];
  }

  has(name: string): boolean {
    return this.#entries.has(name);
  }

  get(name: string): ModelEntry | undefined {
    return this.#entries.get(name);
  }

  /** Entries in the order in which they were found. */
  values(): Iterable<ModelEntry> {
    return this.#entries.values();
  }

  /** Entries, sorted by name. */
  list(): ModelEntry[] {
    return [...this.#entries.values()].toSorted((a, b) => a.files.name.localeCompare(b.files.name));
  }

  served(): ServedModel[] {
    return this.list().flatMap((entry) =>
      [...entry.versions.values()].flatMap((state) => state.served ?? []),
    );
  }

  index(readyOnly: boolean): IndexRow[] {
    return this.list().flatMap((entry) => indexRows(entry, readyOnly));
  }

  loadTimes(): LoadTime[] {
    return this.list().flatMap(loadTimesOf);
  }

  /**
   * @param version Empty: the highest that is ready.
   * @throws {AloftError} MODEL_NOT_FOUND or MODEL_UNAVAILABLE, which begin with Triton's texts.
   */
  resolve(name: string, version: string): ServedModel {
    const entry = this.#entries.get(name);
    const unknown = (code: 'MODEL_NOT_FOUND' | 'MODEL_UNAVAILABLE', rest: string) =>
      new AloftError(code, `Request for unknown model: '${name}' ${rest}`);
    if (entry === undefined || entry.versions.size === 0)
      throw unknown(
        'MODEL_NOT_FOUND',
        'is not found; GET /v1/models or the repository index names those there are',
      );
    if (version !== '') {
      const state = entry.versions.get(version);
      if (state === undefined) throw unknown('MODEL_NOT_FOUND', `version ${version} is not found`);
      if (state.served !== undefined) return state.served;
      throw unknown('MODEL_UNAVAILABLE', `version ${version} is not at ready state`);
    }
    const ready = [...entry.versions.values()].flatMap((state) => state.served ?? []);
    const latest = ready.toSorted((a, b) => Number(a.version) - Number(b.version)).at(-1);
    if (latest !== undefined) return latest;
    const isLoading = [...entry.versions.values()].some((state) => state.state === 'LOADING');
    if (isLoading) throw unknown('MODEL_UNAVAILABLE', 'is loading; retry later');
    throw unknown('MODEL_NOT_FOUND', 'has no available versions');
  }

  setFiles(files: ModelFiles): void {
    this.#entries.set(files.name, { files, versions: this.#entries.get(files.name)?.versions ?? new Map() });
  }

  setState(name: string, state: VersionState): void {
    const entry = this.#entries.get(name)!;
    this.#entries.set(name, { ...entry, versions: new Map([...entry.versions, [state.version, state]]) });
  }

  delete(name: string): void {
    this.#entries.delete(name);
  }
}
