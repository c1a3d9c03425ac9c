/** One model of the repository with the state of its versions. */
import type { ModelFiles } from './scan.js';
import type { ServedModel } from './served-model.js';

type ModelState = 'UNKNOWN' | 'READY' | 'UNAVAILABLE' | 'LOADING' | 'UNLOADING';

export interface VersionState {
  readonly version: string;
  readonly state: ModelState;
  readonly reason: string;
  /** Present in state READY. */
  readonly served: ServedModel | undefined;
  /** Duration of loading; undefined in another state than READY. */
  readonly loadMs?: number;
}

/** Duration of loading of a version that is ready. */
export interface LoadTime {
  readonly name: string;
  readonly version: string;
  readonly loadMs: number;
}

export interface ModelEntry {
  readonly files: ModelFiles;
  /** Empty: never loaded. */
  readonly versions: ReadonlyMap<string, VersionState>;
}

/** A row of the repository index. */
export interface IndexRow {
  readonly name: string;
  readonly version?: string;
  readonly state?: ModelState;
  readonly reason?: string;
}

export function indexRows(entry: ModelEntry, readyOnly: boolean): IndexRow[] {
  const { name } = entry.files;
  if (entry.versions.size === 0) return readyOnly ? [] : [{ name }];
  return [...entry.versions.values()]
    .filter((version) => !readyOnly || version.state === 'READY')
    .map(({ version, state, reason }) => ({ name, version, state, reason }));
}

export function loadTimesOf({ files: { name }, versions }: ModelEntry): LoadTime[] {
  return [...versions.values()].flatMap(({ version, loadMs }) =>
    loadMs === undefined ? [] : [{ name, version, loadMs }],
  );
}
