/** For tests that span folders: a real engine, built from a checkpoint into a temporary directory, opened on the tests' device. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildEngine } from '../builder/builder.js';
import type { Checkpoint } from '../builder/checkpoint/checkpoint.js';
import { openCheckpoint } from '../builder/checkpoint/open.js';
import { randomCheckpoint } from '../builder/random-weights/random-checkpoint.js';
import { resolveBuildOptions } from '../builder/resolve-options.js';
import { SYSTEM_CLOCK } from '../core/clock.js';
import { SILENT_LOG } from '../core/log.js';
import { Batcher } from '../run/batcher/batcher.js';
import { type BatcherOptions, DEFAULT_BATCHER_OPTIONS } from '../run/batcher/batcher-options.js';
import type { Executor } from '../run/executor/executor.js';
import { openExecutor } from '../run/executor/open-executor.js';
import type { OpenExecutorOptions } from '../run/executor/opening/open-options.js';
import { openBuildTarget } from '../tools/cli/build-target.js';
import { DEVICE } from './device.js';

export { DEMO_MODEL } from '../tools/cli/testing/command-line.js';

/** Flags of `aloft build`, by their names with underscores. */
export type BuildFlags = Readonly<Record<string, string | true>>;

export interface TemporaryEngine {
  readonly directory: string;
  /** Removes the engine. Executors on it must be disposed first. */
  dispose(): void;
}

/** Everything but the directory. */
export type OpenOptions = Omit<OpenExecutorOptions, 'engineDirectory'>;

/** Builds as `aloft build` does: source and sizes come from the same flags. Kernels are not tuned, so that results are the same on every run. */
export async function buildTemporaryEngine(flags: BuildFlags): Promise<TemporaryEngine> {
  const root = mkdtempSync(join(tmpdir(), 'aloft-test-'));
  const dispose = () => rmSync(root, { recursive: true, force: true });
  const directory = join(root, 'engine');
  try {
    await buildInto(directory, flags);
    return { directory, dispose };
  } catch (fault) {
    dispose();
    throw fault;
  }
}

async function buildInto(directory: string, flags: BuildFlags): Promise<void> {
  const given = new Map(Object.entries({ ...flags, output_dir: directory }));
  const { source, options } = resolveBuildOptions(given);
  const target = openBuildTarget({ device: DEVICE, tune: false }, options.precision, SILENT_LOG);
  let checkpoint: Checkpoint | undefined;
  try {
    checkpoint =
      source.type === 'checkpoint'
        ? openCheckpoint(source.directory)
        : randomCheckpoint(source.shape, source.seed);
    await buildEngine(checkpoint, target, options, { log: SILENT_LOG, onProgress() {} });
  } finally {
    checkpoint?.tensors.dispose();
    target.dispose();
  }
}

/** Runs `use` with an executor on an engine, which is disposed afterwards. */
export async function withExecutor<T>(
  { directory }: TemporaryEngine,
  options: OpenOptions,
  use: (executor: Executor) => T | Promise<T>,
): Promise<T> {
  const executor = await openExecutor({ engineDirectory: directory, ...options });
  try {
    return await use(executor);
  } finally {
    await executor.dispose();
  }
}

/** Builds an engine and runs `use` with an executor on it; both are gone afterwards. */
export async function withModel<T>(
  flags: BuildFlags,
  options: OpenOptions,
  use: (executor: Executor) => T | Promise<T>,
): Promise<T> {
  const engine = await buildTemporaryEngine(flags);
  try {
    return await withExecutor(engine, options, use);
  } finally {
    engine.dispose();
  }
}

/** A batcher on the calling thread, to be driven with `runToEnd`. */
export function batcherOver(executor: Executor, options: Partial<BatcherOptions> = {}): Batcher {
  return new Batcher(executor, { ...DEFAULT_BATCHER_OPTIONS, ...options }, SYSTEM_CLOCK);
}
