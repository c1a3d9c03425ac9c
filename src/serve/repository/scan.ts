/** Finds models and versions in repository directories. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { AloftError, reportError } from '../../core/errors.js';
import { readingFile } from '../../core/file-fault.js';
import type { ModelConfig } from '../../protocol/gen/model_config_pb.js';
import { emptyConfig, lineOf, readConfigFile, type ConfigFile } from './config-file.js';
import type { Finding } from './finding.js';

/** A model as its files describe it. */
export interface ModelFiles {
  readonly name: string;
  /** Undefined for a model that lives in memory only. */
  readonly directory: string | undefined;
  /** Undefined when the file cannot be read; the findings say why. */
  readonly file: ConfigFile | undefined;
  /** All versions, ascending. */
  readonly versions: readonly number[];
  readonly findings: readonly Finding[];
  /** Changes when a file that matters changes. */
  readonly signature: string;
}

/** @throws {AloftError} REPOSITORY_INVALID when the directory is missing. */
export function scanRepository(directory: string): ModelFiles[] {
  if (!existsSync(directory) || !statSync(directory).isDirectory()) {
    throw new AloftError(
      'REPOSITORY_INVALID',
      `There is no model repository at '${directory}'; make one with 'aloft repo create'.`,
    );
  }
  return readdirSync(directory, { withFileTypes: true })
    .filter((entry) => !entry.name.startsWith('.') && statSync(join(directory, entry.name)).isDirectory())
    .map((entry) => readModelFiles(entry.name, join(directory, entry.name)))
    .toSorted((a, b) => a.name.localeCompare(b.name));
}

export function readModelFiles(name: string, directory: string, configOverride?: string): ModelFiles {
  const path = join(directory, 'config.pbtxt');
  const { text, unreadable } = configOverride === undefined ? configText(path) : { text: configOverride };
  const versions = readingFile(directory, () => versionsOf(directory));
  const signature = `${text ?? ''}\n${versions.join(',')}`;
  const read = unreadable ?? readText(name, path, text);
  const findings: Finding[] = [...read.findings];
  const config = read.file?.config;
  if (config && config.name !== '' && config.name !== name) {
    findings.push(
      finding(
        path,
        lineOfName(text),
        `name is '${config.name}', but the directory is '${name}'; make them equal or remove the name.`,
      ),
    );
  }
  if (read.file && config && config.maxBatchSize < 0) {
    const message = `max_batch_size is ${config.maxBatchSize}, but must be 0 or more.`;
    findings.push(finding(path, lineOf(read.file, /^\s*max_batch_size\s*:/), message));
  }
  if (versions.length === 0) {
    findings.push(finding(directory, undefined, `no version directory; make an (empty) directory named 1.`));
  }
  return { name, directory, file: named(read.file, name), versions, findings, signature };
}

interface ReadConfig {
  readonly file: ConfigFile | undefined;
  readonly findings: readonly Finding[];
}

/** Far more than a configuration has, and little enough to be parsed while others wait. */
const MAX_CONFIG_BYTES = 2 ** 20;

/** A file that may not be read is a fault of its model, and not of the others. */
function configText(path: string): { readonly text?: string; readonly unreadable?: ReadConfig } {
  const unreadable = (message: string) => ({
    unreadable: { file: undefined, findings: [finding(path, undefined, message)] },
  });
  try {
    const stats = existsSync(path) ? statSync(path) : undefined;
    if (stats === undefined) return {};
    // To read a pipe or a device may never end.
    if (!stats.isFile() && !stats.isDirectory())
      return unreadable('this is no regular file; put the configuration itself there.');
    if (stats.size > MAX_CONFIG_BYTES)
      return unreadable(
        `the file has ${stats.size} bytes, but a configuration has at most ${MAX_CONFIG_BYTES}; correct the file.`,
      );
    return { text: readingFile(path, () => readFileSync(path, 'utf8')) };
  } catch (error) {
    return unreadable(reportError(error).message);
  }
}

function readText(name: string, path: string, text: string | undefined): ReadConfig {
  if (text !== undefined) return readConfigFile(path, text);
  return { file: { path, text: '', config: emptyConfig(name) }, findings: [missingConfig(path)] };
}

/** Versions that the policy selects, ascending. */
export function selectedVersions(config: ModelConfig, versions: readonly number[]): readonly number[] {
  const policy = config.versionPolicy?.policyChoice;
  if (policy?.case === 'all') return versions;
  if (policy?.case === 'specific')
    return versions.filter((version) => policy.value.versions.includes(BigInt(version)));
  const count = policy?.case === 'latest' ? policy.value.numVersions : 1;
  return versions.slice(-Math.max(1, count));
}

function versionsOf(directory: string): number[] {
  return readdirSync(directory, { withFileTypes: true })
    .filter(
      (entry) => /^[1-9][0-9]*$/.test(entry.name) && statSync(join(directory, entry.name)).isDirectory(),
    )
    .map((entry) => Number(entry.name))
    .toSorted((a, b) => a - b);
}

function named(file: ConfigFile | undefined, name: string): ConfigFile | undefined {
  return file && { ...file, config: { ...file.config, name } };
}

function missingConfig(path: string): Finding {
  return finding(path, undefined, 'the file is missing, and nothing can be derived without it.');
}

function lineOfName(text: string | undefined): number | undefined {
  const index = text?.split('\n').findIndex((line) => /^\s*name\s*:/.test(line)) ?? -1;
  return index < 0 ? undefined : index + 1;
}

function finding(file: string, line: number | undefined, message: string): Finding {
  return { severity: 'error', file, line, message };
}
