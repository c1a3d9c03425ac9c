/** config.pbtxt of an engine model -> how to load its engine. Names, values and defaults are tensorrtllm_backend's. */
import { existsSync } from 'node:fs';
import { isAbsolute, join, relative, resolve } from 'node:path';
import type { EngineSettings } from '../engine/engine-loader.js';
import type { ConfigFile } from './config-file.js';
import type { Finding } from './finding.js';
import { readOptions } from './option-parameters.js';
import { ParameterReader } from './parameters.js';

export interface EngineModel {
  readonly file: ConfigFile;
  readonly modelName: string;
  /** Undefined for a model that lives in memory only. */
  readonly modelDirectory: string | undefined;
  readonly version: string;
  /** From the preprocessing model that feeds this engine, where the engine itself names none. */
  readonly tokenizerDirectory: string | undefined;
}

export interface SettingsRead {
  readonly settings: EngineSettings;
  readonly findings: readonly Finding[];
}

export function readEngineSettings(model: EngineModel): SettingsRead {
  const parameters = new ParameterReader(model.file);
  parameters.reportIdle('engine');
  const tokenizer = parameters.text('tokenizer_dir');
  const settings: EngineSettings = {
    modelName: model.modelName,
    modelVersion: model.version,
    engineDirectory: engineDirectory(model, parameters),
    tokenizerDirectory: tokenizer === undefined ? model.tokenizerDirectory : fromModel(model, tokenizer),
    options: readOptions(model.file, parameters),
  };
  return { settings, findings: parameters.findings };
}

/**
 * gpt_model_path, relative to the model's directory. A path inside the model's own directory only names one version,
 * so each version then uses its own folder.
 */
function engineDirectory(model: EngineModel, parameters: ParameterReader): string {
  const versionDirectory =
    model.modelDirectory === undefined ? undefined : join(model.modelDirectory, model.version);
  const text = parameters.text('gpt_model_path');
  const path = text === undefined ? undefined : fromModel(model, text);
  const isOwn =
    path !== undefined &&
    model.modelDirectory !== undefined &&
    !relative(model.modelDirectory, path).startsWith('..');
  const directory = path === undefined || isOwn ? (versionDirectory ?? path) : path;
  if (directory === undefined) return '';
  if (!existsSync(join(directory, 'config.json'))) {
    const message = `no engine in '${directory}': config.json is missing; set 'gpt_model_path' to an engine directory.`;
    parameters.add('error', 'gpt_model_path', message);
  }
  return directory;
}

function fromModel(model: EngineModel, path: string): string {
  return isAbsolute(path) || model.modelDirectory === undefined
    ? resolve(path)
    : resolve(model.modelDirectory, path);
}
