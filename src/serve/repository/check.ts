/** `aloft repo check`: all that is wrong with a model repository, without loading anything. */
import { lineOf, lineOfTensor } from './config-file.js';
import { readEngineSettings } from './engine-settings.js';
import { idleFieldFindings, priorityFindings } from './field-findings.js';
import { ParameterReader } from './parameters.js';
import { type FindConfig, mapEnsemble } from './ensemble-map.js';
import { namesWithLines, type Finding } from './finding.js';
import { modelKind, type ModelKind } from '../tensors/model-kind.js';
import { engineNameOf } from './bind-model.js';
import { inputField } from '../tensors/fields.js';
import { scanRepository, selectedVersions, type ModelFiles } from './scan.js';
import type { ConfigFile } from './config-file.js';

/**
 * Findings sorted by file and line.
 * @throws {AloftError} REPOSITORY_INVALID when the directory is missing.
 */
export function checkRepository(directory: string): Finding[] {
  const models = scanRepository(directory);
  const findings = models.flatMap((files) => [...files.findings, ...modelFindings(files, models)]);
  if (models.length === 0)
    findings.push(at('error', directory, undefined, 'there is no model in this directory.'));
  return findings.toSorted((a, b) => a.file.localeCompare(b.file) || (a.line ?? 0) - (b.line ?? 0));
}

function modelFindings(files: ModelFiles, models: readonly ModelFiles[]): Finding[] {
  const { file } = files;
  if (file === undefined) return [];
  const find: FindConfig = (name) => models.find((other) => other.name === name)?.file?.config;
  const kind = modelKind(file.config);
  if (kind === undefined) {
    const message = `backend '${file.config.backend}' with these tensors is no model that can be served: engine models have backend 'tensorrtllm', ensembles platform 'ensemble'.`;
    return [at('error', file.path, lineOf(file, /^\s*(backend|platform)\s*:/), message)];
  }
  const findings = [
    ...tensorFindings(file),
    ...versionFindings(files, file),
    ...idleFieldFindings(file),
    ...priorityFindings(file),
  ];
  if (kind === 'engine') findings.push(...engineFindings(files, file));
  else findings.push(...idleParameterFindings(file, kind));
  if (kind === 'ensemble') findings.push(...ensembleFindings(file, find));
  if (kind === 'bls') findings.push(...blsFindings(file, find));
  if (kind !== 'ensemble' && kind !== 'postprocessing') findings.push(...unsupportedFindings(file, kind));
  return findings;
}

function engineFindings(files: ModelFiles, file: ConfigFile): Finding[] {
  const model = {
    file,
    modelName: files.name,
    modelDirectory: files.directory,
    tokenizerDirectory: undefined,
  };
  return selectedVersions(file.config, files.versions).flatMap(
    (version) => readEngineSettings({ ...model, version: String(version) }).findings,
  );
}

function idleParameterFindings(file: ConfigFile, kind: ModelKind): Finding[] {
  const parameters = new ParameterReader(file);
  parameters.reportIdle(kind);
  return parameters.findings;
}

function ensembleFindings(file: ConfigFile, find: FindConfig): Finding[] {
  const line = lineOf(file, /ensemble_scheduling/);
  const faults = mapEnsemble(file.config, find).faults.map((fault) =>
    at('error', file.path, line, `${fault}.`),
  );
  const fields = { instance_group: file.config.instanceGroup, model_warmup: file.config.modelWarmup };
  const set = Object.entries(fields).filter(([, values]) => values.length > 0);
  return [
    ...faults,
    ...set.map(([field]) => at('error', file.path, undefined, `an ensemble must not have ${field}.`)),
  ];
}

function blsFindings(file: ConfigFile, find: FindConfig): Finding[] {
  const engine = engineNameOf('bls', file, find);
  if (engine === undefined || find(engine) !== undefined) return [];
  const message = `the engine model '${engine}' is not in this repository; set 'tensorrt_llm_model_name'.`;
  return [at('error', file.path, lineOf(file, /tensorrt_llm_model_name/), message)];
}

function tensorFindings(file: ConfigFile): Finding[] {
  const all = [...file.config.input, ...file.config.output];
  return all.flatMap((tensor) => {
    const line = lineOfTensor(file, tensor.name);
    const findings: Finding[] = [];
    if (tensor.dims.length === 0)
      findings.push(at('error', file.path, line, `tensor '${tensor.name}' has no dims.`));
    if (tensor.dataType === 0)
      findings.push(at('error', file.path, line, `tensor '${tensor.name}' has no data_type.`));
    if (tensor.dims.some((dim) => dim === 0n || dim < -1n)) {
      findings.push(
        at(
          'error',
          file.path,
          line,
          `tensor '${tensor.name}' has a dimension that is neither -1 nor positive.`,
        ),
      );
    }
    return findings;
  });
}

function versionFindings(files: ModelFiles, file: ConfigFile): Finding[] {
  if (files.versions.length === 0 || selectedVersions(file.config, files.versions).length > 0) return [];
  const line = lineOf(file, /version_policy/);
  return [
    at('error', file.path, line, `version_policy selects none of the versions ${files.versions.join(', ')}.`),
  ];
}

/** An error for each that requests have to send, and one warning for all others. */
function unsupportedFindings(file: ConfigFile, kind: 'engine' | 'bls' | 'preprocessing'): Finding[] {
  const inputs = file.config.input
    .filter(({ name }) => inputField(kind, name) === 'unsupported')
    .map(({ name, optional }) => ({ name, optional, line: lineOfTensor(file, name) }));
  const findings = inputs
    .filter(({ optional }) => !optional)
    .map(({ name, line }) =>
      at('error', file.path, line, `input '${name}' has no meaning here; requests that send it are refused.`),
    );
  const idle = inputs.filter(({ optional }) => optional);
  if (idle.length === 0) return findings;
  const subject =
    idle.length === 1
      ? '1 optional input has no meaning here, so requests that send it are refused'
      : `${idle.length} optional inputs have no meaning here, so requests that send one are refused`;
  const message = `${subject}: ${namesWithLines(idle)}.`;
  return [...findings, at('warning', file.path, idle[0]?.line, message)];
}

function at(severity: Finding['severity'], file: string, line: number | undefined, message: string): Finding {
  return { severity, file, line, message };
}
