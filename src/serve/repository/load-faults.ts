/** Faults of requests to load a model that cannot be loaded; the sentences begin with Triton's. */
import { AloftError, suggestion } from '../../core/errors.js';
import { formatFinding } from './finding.js';
import type { ModelFiles } from './scan.js';

export function unknownModelFault(name: string, names: readonly string[]): AloftError {
  const near = suggestion(name, names);
  const hint = near === undefined ? 'the repository index names those there are' : `did you mean '${near}'?`;
  return new AloftError('MODEL_LOAD_FAILED', `${notPolled(name)}: there is no such model; ${hint}`);
}

/** Fault of a version that cannot be loaded. */
export function loadFault(
  files: ModelFiles,
  failed: { readonly version: string; readonly reason: string },
): AloftError {
  const { name } = files;
  const finding = files.findings.find(({ severity }) => severity === 'error');
  if (finding === undefined) {
    const message = `load failed for model '${name}': version ${failed.version} is at UNAVAILABLE state: ${failed.reason};`;
    return new AloftError('REPOSITORY_INVALID', message);
  }
  const stage =
    files.file !== undefined && files.versions.length === 0
      ? `failed to load '${name}', no version is available`
      : notPolled(name);
  return new AloftError('MODEL_LOAD_FAILED', `${stage}: ${formatFinding(finding)}`);
}

function notPolled(name: string): string {
  return `failed to load '${name}', failed to poll from model repository`;
}
