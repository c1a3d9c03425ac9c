/** Binds a version of a model to what answers its requests: an engine, which is loaded first, a tokenizer, or an engine that is loaded already. */
import { isAbsolute, resolve } from 'node:path';
import { AloftError } from '../../core/errors.js';
import { RunningEngine } from '../generation/running-engine.js';
import type { EngineLoader, EngineSettings, ServableEngine } from '../engine/engine-loader.js';
import { asAloftError } from '../generation/run-generation.js';
import {
  bindCodec,
  bindGeneration,
  engineNameOf,
  requireValidEnsemble,
  type ModelVersion,
} from './bind-model.js';
import type { ConfigFile } from './config-file.js';
import { readEngineSettings } from './engine-settings.js';
import { mapEnsemble, stepsOf, type FindConfig } from './ensemble-map.js';
import { priorityFindings } from './field-findings.js';
import { formatFinding, type Finding } from './finding.js';
import type { ModelTable } from './model-table.js';
import { modelKind, type ModelKind } from '../tensors/model-kind.js';
import { ParameterReader } from './parameters.js';
import type { ModelFiles } from './scan.js';
import type { CodecModel, ServedModel } from './served-model.js';

export interface BindOptions {
  readonly maxQueuedRequests: number;
  readonly drainMs: number;
}

export interface BoundVersion {
  readonly served: ServedModel;
  readonly findings: readonly Finding[];
  /** Why it is the one that was served before. */
  readonly fault: AloftError | undefined;
}

interface LoadedVersion {
  readonly engine: RunningEngine;
  readonly settings: EngineSettings;
  readonly model: ModelVersion;
}

interface Replacement {
  readonly loaded: LoadedVersion;
  readonly fault: AloftError | undefined;
}

export class VersionBinder {
  readonly #options: BindOptions;
  readonly #loader: EngineLoader;
  readonly #models: ModelTable;
  readonly #loadedByKey = new Map<string, LoadedVersion>();
  /** Engines that new ones have replaced, until nothing refers to them. */
  readonly #replaced: RunningEngine[] = [];
  /** Replaced engines that still have requests. */
  readonly #retiring = new Set<RunningEngine>();

  constructor(options: BindOptions, loader: EngineLoader, models: ModelTable) {
    this.#options = options;
    this.#loader = loader;
    this.#models = models;
  }

  engines(): readonly RunningEngine[] {
    return [...this.#loadedByKey.values()].map(({ engine }) => engine);
  }

  /** @throws {AloftError} that says why the version cannot be served. */
  async bind(files: ModelFiles, version: string): Promise<BoundVersion> {
    const { file } = files;
    const error = files.findings.find((finding) => finding.severity === 'error');
    if (error !== undefined || file === undefined)
      throw invalid(error === undefined ? `${files.name} cannot be read` : formatFinding(error));
    const kind = modelKind(file.config);
    if (kind === undefined) {
      throw invalid(
        `${file.path}: backend '${file.config.backend}' with these tensors is no model that can be served here; see 'aloft repo check'.`,
      );
    }
    const model: ModelVersion = { name: files.name, version, file };
    switch (kind) {
      case 'engine':
        return await this.#loadEngine(model, files);
      case 'preprocessing':
      case 'postprocessing':
        return { served: await this.#loadCodec(model, kind, files), findings: [], fault: undefined };
      default:
        return { served: this.#bindView(model, kind), findings: [], fault: undefined };
    }
  }

  /** True if what was bound earlier can still answer. */
  isLive(served: ServedModel): boolean {
    return 'codec' in served || this.engines().includes(served.engine);
  }

  /** Frees the engine of a version, if it has one of its own, and those that it has replaced. */
  async release(name: string, version: string): Promise<void> {
    const key = `${name}/${version}`;
    const loaded = this.#loadedByKey.get(key);
    this.#loadedByKey.delete(key);
    const replaced = [...this.#retiring].filter(
      (engine) => engine.name === name && engine.version === version,
    );
    const engines = loaded === undefined ? replaced : [loaded.engine, ...replaced];
    await Promise.all(engines.map((engine) => engine.close(this.#options.drainMs, unloadedFault(name))));
  }

  /** Lets engines that were replaced finish all their requests, and frees them. Does not wait for that. */
  retireReplaced(): void {
    for (const engine of this.#replaced.splice(0)) {
      this.#retiring.add(engine);
      void engine.retire().finally(() => this.#retiring.delete(engine));
    }
  }

  /** @returns false when an engine hangs in a native call */
  async closeAll(): Promise<boolean> {
    const engines = [...this.engines(), ...this.#replaced.splice(0), ...this.#retiring];
    this.#loadedByKey.clear();
    const cut = new AloftError(
      'SHUTTING_DOWN',
      'The server shuts down and cannot wait for this request; send it again.',
    );
    const ends = engines.map((engine) => engine.close(this.#options.drainMs, cut));
    const ended = await Promise.all(ends);
    return ended.every(Boolean);
  }

  /** Names of the models that a model needs. */
  membersOf(kind: ModelKind, file: ConfigFile): string[] {
    const engine = engineNameOf(kind, file, this.#find);
    const members = stepsOf(file.config).map((step) => step.modelName);
    return [...new Set([...members, ...(engine === undefined || kind === 'engine' ? [] : [engine])])];
  }

  async #loadEngine(model: ModelVersion, files: ModelFiles): Promise<BoundVersion> {
    const { settings, findings } = readEngineSettings({
      file: model.file,
      modelName: model.name,
      modelDirectory: files.directory,
      version: model.version,
      tokenizerDirectory: this.#tokenizerFor(model.name),
    });
    const faults = [...findings, ...priorityFindings(model.file)];
    const error = faults.find((finding) => finding.severity === 'error');
    if (error !== undefined) throw invalid(formatFinding(error));
    const { loaded, fault } = await this.#replaceEngine(settings, model);
    const context = { engine: loaded.engine, engineFile: loaded.model.file, find: this.#find };
    const remarks = loaded.engine.loaded.remarks.map((message): Finding => {
      return { severity: 'warning', file: model.file.path, line: undefined, message };
    });
    const served = bindGeneration(loaded.model, 'engine', context);
    return { served, findings: [...findings, ...remarks], fault };
  }

  /**
   * Loads an engine beside the one that it replaces, which serves until then. Where memory does not hold both, what can be checked is
   * checked before the old one is freed, and the old one is loaded again when the new one fails all the same.
   */
  async #replaceEngine(settings: EngineSettings, model: ModelVersion): Promise<Replacement> {
    const { modelName, modelVersion } = settings;
    const old = this.#loadedByKey.get(`${modelName}/${modelVersion}`);
    try {
      const loaded = this.#keep(settings, model, await this.#loader.load(settings));
      if (old !== undefined) this.#replaced.push(old.engine);
      return { loaded, fault: undefined };
    } catch (error) {
      if (old === undefined || !(error instanceof AloftError) || error.code !== 'OUT_OF_MEMORY') throw error;
    }
    await this.#loader.check(settings);
    await this.release(modelName, modelVersion);
    try {
      return { loaded: this.#keep(settings, model, await this.#loader.load(settings)), fault: undefined };
    } catch (error) {
      const loaded = this.#keep(old.settings, old.model, await this.#loader.load(old.settings));
      return { loaded, fault: asAloftError(error) };
    }
  }

  #keep(settings: EngineSettings, model: ModelVersion, loaded: ServableEngine): LoadedVersion {
    const { modelName, modelVersion } = settings;
    const maxQueued = settings.options.maxQueuedRequests ?? this.#options.maxQueuedRequests;
    const engine = new RunningEngine(modelName, modelVersion, loaded, maxQueued);
    const kept = { engine, settings, model };
    this.#loadedByKey.set(`${modelName}/${modelVersion}`, kept);
    return kept;
  }

  async #loadCodec(model: ModelVersion, kind: CodecModel['kind'], files: ModelFiles): Promise<CodecModel> {
    const directory = tokenizerDirectory(model.file, files.directory);
    if (directory !== undefined) return bindCodec(model, kind, await this.#loader.loadTokenizer(directory));
    const [engine] = this.engines();
    if (engine !== undefined) return bindCodec(model, kind, engine.loaded.codec);
    throw invalid(
      `${model.file.path}: parameter 'tokenizer_dir' is not set, and no engine is loaded whose tokenizer could be used.`,
    );
  }

  #bindView(model: ModelVersion, kind: 'ensemble' | 'bls'): ServedModel {
    if (kind === 'ensemble') {
      this.#requireReadableMembers(model);
      requireValidEnsemble(model.file, this.#find);
    }
    const name = engineNameOf(kind, model.file, this.#find);
    const engineEntry = name === undefined ? undefined : this.#models.get(name);
    const engine = this.engines().findLast((candidate) => candidate.name === name);
    const engineFile = engineEntry?.files.file;
    if (engine !== undefined && engineFile !== undefined) {
      return bindGeneration(model, kind, { engine, engineFile, find: this.#find });
    }
    const reason = [...(engineEntry?.versions.values() ?? [])].find((state) => state.reason !== '')?.reason;
    const because = reason === undefined ? '' : ` Model '${name}' loading failed with error: ${reason}`;
    throw invalid(
      `${kind} '${model.name}' depends on '${name ?? 'an engine model'}' which has no loaded version.${because}`,
    );
  }

  /** A member whose file cannot be read is the fault of that file, not of the ensemble's. */
  #requireReadableMembers({ name, file }: ModelVersion): void {
    for (const { modelName } of stepsOf(file.config)) {
      const files = this.#models.get(modelName)?.files;
      const [fault] = files?.findings.filter(({ severity }) => severity === 'error') ?? [];
      if (files === undefined || files.file !== undefined || fault === undefined) continue;
      const message = `ensemble '${name}' depends on '${modelName}' which has no loaded version. Model '${modelName}' loading failed with error: ${formatFinding(fault)}`;
      throw invalid(message);
    }
  }

  readonly #find: FindConfig = (name) => this.#models.get(name)?.files.file?.config;

  /** The tokenizer of the preprocessing model of an ensemble that uses this engine. */
  #tokenizerFor(engineName: string): string | undefined {
    for (const { files } of this.#models.values()) {
      const { file } = files;
      if (file === undefined) continue;
      const map = mapEnsemble(file.config, this.#find);
      if (map.engineName !== engineName || map.preprocessingName === undefined) continue;
      const preprocessing = this.#models.get(map.preprocessingName)?.files;
      if (preprocessing?.file !== undefined)
        return tokenizerDirectory(preprocessing.file, preprocessing.directory);
    }
    return undefined;
  }
}

function tokenizerDirectory(file: ConfigFile, modelDirectory: string | undefined): string | undefined {
  const path = new ParameterReader(file).text('tokenizer_dir');
  if (path === undefined) return undefined;
  return isAbsolute(path) || modelDirectory === undefined ? resolve(path) : resolve(modelDirectory, path);
}

function invalid(message: string): AloftError {
  return new AloftError('REPOSITORY_INVALID', message);
}

function unloadedFault(name: string): AloftError {
  const message = `Model '${name}' was unloaded, and could not wait for this request; send it again.`;
  return new AloftError('MODEL_UNAVAILABLE', message);
}
