/** `aloft pull`: a model from a hub into the cache that it shares with Hugging Face's Python client. */
import { existsSync } from 'node:fs';
import { SingleBar } from 'cli-progress';
import type { Command } from 'commander';
import { AloftError } from '../../core/errors.js';
import { present } from '../../core/present.js';
import { checkedRevision, type ModelName, parseModelName } from '../../hub/model-name.js';
import type { HubSettings } from '../../hub/hub-settings.js';
import { cachedModel, pullConfig, pullModel, type PullPlan, pullTexts } from '../../hub/pull.js';
import { requireSpace } from './disk-space.js';
import { hubSettings } from './hub-settings.js';
import { interruptible } from './interrupt.js';
import { formatBytes, type Terminal } from './terminal.js';

interface PullFlags {
  readonly revision?: string;
  readonly file?: string;
}

export function registerPull(command: Command, terminal: Terminal): void {
  command
    .argument('<model>', 'ORG/NAME, ORG/NAME:revision, or ORG/NAME:Q4_K_M for a GGUF file of that type')
    .option('--revision <name>', 'branch, tag or commit (default: main)')
    .option('--file <path>', 'one GGUF file of the repository')
    .addHelpText('after', '\nReads HF_TOKEN, HF_HOME, HF_HUB_CACHE, HF_ENDPOINT and HF_HUB_OFFLINE.');
  command.action(async (model: string, flags: PullFlags) => {
    terminal.out(`${await pull(namedModel(model, flags), terminal, requireDownloadSpace)}\n`);
  });
}

/** @throws {AloftError} USAGE */
function namedModel(text: string, { revision, file }: PullFlags): ModelName {
  const name = parseModelName(text);
  if (name === undefined)
    throw new AloftError('USAGE', `'${text}' is no name of a model; give ORG/NAME, such as Qwen/Qwen3-0.6B.`);
  if (revision !== undefined) checkedRevision(revision);
  return { ...name, ...present({ revision, file }) };
}

/** The name of a model on the hub that a command line means; undefined for a path, which goes before a name. */
export function modelNameOf(source: string): ModelName | undefined {
  return existsSync(source) ? undefined : parseModelName(source);
}

/** @param source a path, which stays as it is, or the name of a model on the hub @returns a path */
export async function localModel(source: string, terminal: Terminal): Promise<string> {
  const name = modelNameOf(source);
  return name === undefined ? source : cachedOrPulled(name, terminal, requireDownloadSpace);
}

/**
 * Path whose configuration can be read: that of a model on the hub is downloaded alone.
 * @throws {AloftError} HUB_*, CHECKPOINT_NOT_FOUND, also of a GGUF file that is not in the cache
 */
export async function localConfig(source: string): Promise<string> {
  const name = modelNameOf(source);
  if (name === undefined) return source;
  return cachedModel(name, hubSettings(process.env)) ?? (await bring(source, name, pullConfig));
}

/** A model whose configuration and tokenizer can be read. */
export interface LocalTexts {
  /** Directory of the checkpoint, or path of a GGUF file. */
  readonly path: string;
  /** False where they were downloaded alone. */
  readonly hasWeights: boolean;
}

/** Like {@link localConfig}, with the tokenizer. @throws {AloftError} as that */
export async function localTexts(source: string, terminal: Terminal): Promise<LocalTexts> {
  const name = modelNameOf(source);
  if (name === undefined) return { path: source, hasWeights: true };
  const settings = hubSettings(process.env);
  const cached = cachedModel(name, settings);
  if (cached !== undefined) return { path: cached, hasWeights: true };
  sayAsking(name, settings, terminal);
  return { path: await bring(source, name, pullTexts), hasWeights: false };
}

/** @param pull brings a part of a model without its weights */
async function bring(source: string, name: ModelName, pull: typeof pullConfig): Promise<string> {
  const path = await interruptible((signal) => pull(name, hubSettings(process.env), signal));
  if (existsSync(path)) return path;
  throw new AloftError(
    'CHECKPOINT_NOT_FOUND',
    `${source} is a GGUF file, which says itself what it is and must be here whole; bring it with 'aloft pull ${source}'.`,
  );
}

function sayAsking(
  { repository }: ModelName,
  { isOffline, endpoint }: HubSettings,
  terminal: Terminal,
): void {
  if (isOffline) return;
  terminal.err(`There is no ${repository} here or in the cache; asking ${endpoint} for it ...\n`);
}

/** Path of a model. One in the cache is used as it is; `aloft pull` looks for a newer commit. */
export async function cachedOrPulled(
  name: ModelName,
  terminal: Terminal,
  check: (plan: PullPlan) => void,
): Promise<string> {
  const settings = hubSettings(process.env);
  const cached = cachedModel(name, settings);
  if (cached !== undefined) return cached;
  sayAsking(name, settings, terminal);
  return pull(name, terminal, check);
}

function requireDownloadSpace({ cacheDirectory, missingBytes }: PullPlan): void {
  requireSpace([{ directory: cacheDirectory, bytes: missingBytes }]);
}

/**
 * Says what is missing and how large it is, checks what `check` checks, and downloads it. Ctrl-C keeps what has come.
 * @returns path of the checkpoint or the GGUF file
 * @throws {AloftError} HUB_*, CHECKPOINT_NOT_FOUND, DOWNLOAD_CORRUPT, OUTPUT_FAILED, CANCELLED
 */
async function pull(name: ModelName, terminal: Terminal, check: (plan: PullPlan) => void): Promise<string> {
  const bar = terminal.isInteractive ? byteBar() : undefined;
  try {
    return await interruptible(
      (signal) =>
        pullModel(name, hubSettings(process.env), {
          signal,
          onPlan(plan) {
            terminal.err(`${planText(name, plan)}\n`);
            check(plan);
            if (plan.missingBytes > 0) bar?.start(plan.missingBytes, 0);
          },
          onBytes: (bytes) => bar?.increment(bytes),
        }),
      'what has come is kept, and the next pull goes on from there',
    );
  } finally {
    bar?.stop();
  }
}

function planText({ repository }: ModelName, plan: PullPlan): string {
  const { commit, fileCount, missingFileCount, totalBytes, missingBytes, cacheDirectory } = plan;
  const model = `${repository} at ${commit.slice(0, 12)}: ${formatBytes(totalBytes)} in ${fileCount} ${fileCount === 1 ? 'file' : 'files'}`;
  if (missingFileCount === 0) return `${model}, all of them in ${cacheDirectory}`;
  return `${model}\nTo download: ${formatBytes(missingBytes)} in ${missingFileCount} of them, to ${cacheDirectory}`;
}

function byteBar(): SingleBar {
  return new SingleBar({
    format: 'downloading |{bar}| {value} of {total}, {eta_formatted} left',
    formatValue: (value, _, type) =>
      type === 'value' || type === 'total' ? formatBytes(value) : String(value),
    hideCursor: true,
    clearOnComplete: true,
    etaBuffer: 100,
  });
}
