/** `aloft repo create`: a complete model repository for one engine. */
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { EngineOptions } from '../../core/engine-options.js';
import { AloftError } from '../../core/errors.js';
import { readingFile, writingFile } from '../../core/file-fault.js';
import { writeConfigText } from '../../protocol/grpc/config-text.js';
import { isObject } from '../../protocol/json.js';
import { repositoryConfigs, type RepositorySettings } from './templates.js';

export type CreateOptions = Partial<Omit<RepositorySettings, 'engineDirectory'>> & {
  readonly engineDirectory: string;
  readonly outputDirectory: string;
};

/** Options that a written configuration names although they are defaults, so that whoever edits it finds them. */
const WRITTEN: EngineOptions = { policy: 'guaranteed_no_evict', prefixReuse: true };

/**
 * Writes the five models, or the two of an engine that embeds, each with version 1. The directory appears complete or not at all.
 * @returns the names of the models.
 * @throws {AloftError} ENGINE_NOT_FOUND, OUTPUT_EXISTS, OUTPUT_FAILED
 */
export function createRepository(options: CreateOptions): string[] {
  const output = resolve(options.outputDirectory);
  if (existsSync(output) && readingFile(output, () => readdirSync(output)).length > 0) {
    throw new AloftError(
      'OUTPUT_EXISTS',
      `'${output}' is not empty; remove it or choose another --model_repo.`,
    );
  }
  const written = { ...WRITTEN, ...options.options };
  const configs = repositoryConfigs(completeSettings({ ...options, options: written }));
  const temporary = `${output}.partial-${process.pid}`;
  try {
    writingFile(output, () => {
      for (const [name, config] of configs) {
        const directory = join(temporary, name);
        mkdirSync(join(directory, '1'), { recursive: true });
        writeFileSync(join(directory, 'config.pbtxt'), `${writeConfigText(config).trimEnd()}\n`);
        // Keeps the directory in version control systems that drop empty ones.
        writeFileSync(join(directory, '1', '.keep'), '');
      }
      mkdirSync(dirname(output), { recursive: true });
      rmSync(output, { recursive: true, force: true });
      renameSync(temporary, output);
    });
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
  return [...configs.keys()];
}

/** Settings with defaults; limits come from the engine's config.json. */
export function completeSettings(options: Omit<CreateOptions, 'outputDirectory'>): RepositorySettings {
  const engineDirectory = resolve(options.engineDirectory);
  const { embeds, ...limits } = engineFacts(engineDirectory);
  return {
    engineDirectory,
    embeds,
    tokenizerDirectory: resolve(options.tokenizerDirectory ?? engineDirectory),
    maxBatchSize: options.maxBatchSize ?? limits.maxBatchSize ?? 128,
    decoupled: options.decoupled ?? true,
    excludeInputInOutput: options.excludeInputInOutput ?? false,
    options: {
      batchingType: 'inflight_fused_batching',
      maxBeamWidth: limits.maxBeamWidth ?? 1,
      ...options.options,
    },
  };
}

interface EngineFacts {
  readonly embeds: boolean;
  readonly maxBatchSize: number | undefined;
  readonly maxBeamWidth: number | undefined;
}

function engineFacts(engineDirectory: string): EngineFacts {
  const path = join(engineDirectory, 'config.json');
  if (!existsSync(path))
    throw new AloftError(
      'ENGINE_NOT_FOUND',
      `No engine in '${engineDirectory}': config.json is missing; make one with 'aloft build --output_dir ${engineDirectory}'.`,
    );
  const text = readingFile(path, () => readFileSync(path, 'utf8'));
  let config: unknown;
  try {
    config = JSON.parse(text);
  } catch (cause) {
    throw new AloftError('ENGINE_CORRUPT', `'${path}' is not JSON.`, { cause });
  }
  const count = (section: 'builder_config' | 'aloft', key: string) => {
    const members = isObject(config) ? config[section] : undefined;
    const value = isObject(members) ? members[key] : undefined;
    return typeof value === 'number' && value >= 1 ? value : undefined;
  };
  const section = isObject(config) ? config['aloft'] : undefined;
  return {
    embeds: isObject(section) && isObject(section['embedding']),
    maxBatchSize: count('builder_config', 'max_batch_size'),
    maxBeamWidth: count('aloft', 'max_beam_width'),
  };
}
