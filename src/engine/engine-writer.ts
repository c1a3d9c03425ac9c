/** Writes an engine directory: rank files side by side while the builder streams weights, then the small files, then the rename. */
import { copyFileSync, mkdirSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import type { Plan } from '../plan/plan.js';
import { ENGINE_FORMAT_VERSION, rankFileName, TIMING_CACHE_FILE } from './format.js';
import { type EngineManifest, writeManifest } from './manifest.js';
import { RankFileWriter } from './rank-file-writer.js';
import type { NamedTensorSpec } from './safetensors.js';
import { stageDirectory } from './staging.js';
import { type TimingCache, writeTimingCache } from './timing-cache.js';

/** The manifest but for what only the writer knows. */
export type ManifestDraft = Omit<EngineManifest, 'aloft'> & {
  readonly aloft: Omit<EngineManifest['aloft'], 'format_version' | 'ranks' | 'tokenizer_files'>;
};

export interface RankContent {
  readonly plan: Plan;
  /** JSON for the device's loader; undefined when there are no kernels. */
  readonly kernelFacts?: unknown;
  /** In the order in which they will be written. */
  readonly tensors: readonly NamedTensorSpec[];
}

export interface EngineDirectory {
  readonly path: string;
  readonly replace: boolean;
}

/** Files that lie beside the rank files. */
interface SideFiles {
  /** Directory of the files below, which keep their place in it; without it all come to lie in the engine's directory itself. */
  readonly tokenizerDirectory?: string;
  /** Paths of tokenizer and template files to copy. */
  readonly tokenizerFiles: readonly string[];
  readonly timingCache: TimingCache;
}

export interface EngineWriter {
  write(rank: number, tensor: string, bytes: Uint8Array): void;
  /** Completes the directory and moves it to its place. */
  commit(side: SideFiles): EngineManifest;
  /** Removes everything written. Does nothing after `commit`. */
  discard(): void;
}

/** @throws {AloftError} OUTPUT_EXISTS, OUTPUT_FAILED */
export function createEngine(
  directory: EngineDirectory,
  draft: ManifestDraft,
  ranks: readonly RankContent[],
): EngineWriter {
  const staged = stageDirectory(directory.path, directory.replace);
  const fileNames = ranks.map((_, rank) =>
    rankFileName(draft.builder_config.name, draft.builder_config.precision, ranks.length, rank),
  );
  const files: RankFileWriter[] = [];
  const discard = (): void => {
    for (const file of files) file.close();
    staged.discard();
  };
  try {
    for (const [rank, content] of ranks.entries())
      files.push(
        new RankFileWriter(join(staged.path, fileNames[rank]!), content.tensors, metadataOf(draft, content)),
      );
  } catch (fault) {
    discard();
    throw fault;
  }
  return {
    write: (rank, tensor, bytes) => files[rank]!.write(tensor, bytes),
    commit(side) {
      const finished = files.map((file) => file.finish());
      const copies = side.tokenizerFiles.map((path) => ({
        path,
        name: copyName(path, side.tokenizerDirectory),
      }));
      for (const { path, name } of copies) {
        mkdirSync(dirname(join(staged.path, name)), { recursive: true });
        copyFileSync(path, join(staged.path, name));
      }
      writeTimingCache(join(staged.path, TIMING_CACHE_FILE), side.timingCache);
      const manifest: EngineManifest = {
        ...draft,
        aloft: {
          ...draft.aloft,
          format_version: ENGINE_FORMAT_VERSION,
          tokenizer_files: copies.map(({ name }) => name),
          ranks: finished.map(({ bytes, headerChecksum }, rank) => ({
            file: fileNames[rank]!,
            bytes,
            header_crc32: headerChecksum,
          })),
        },
      };
      writeManifest(staged.path, manifest);
      staged.commit();
      return manifest;
    },
    discard,
  };
}

const copyName = (path: string, directory: string | undefined): string =>
  directory === undefined ? basename(path) : relative(directory, path);

function metadataOf({ aloft }: ManifestDraft, { plan, kernelFacts }: RankContent) {
  return {
    format: 'aloft-engine',
    format_version: String(ENGINE_FORMAT_VERSION),
    device: aloft.device,
    device_architecture: aloft.device_architecture ?? '',
    layout_version: String(aloft.layout_version),
    rank: String(plan.rank),
    world_size: String(plan.worldSize),
    plan: JSON.stringify(plan),
    ...(kernelFacts === undefined ? {} : { kernels: JSON.stringify(kernelFacts) }),
  } as const;
}
