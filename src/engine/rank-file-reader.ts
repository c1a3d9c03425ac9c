import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { DeviceName } from '../core/device.js';
import type { DType } from '../core/dtype.js';
import { AloftError } from '../core/errors.js';
import { type HostArea, mapFile, readFileToHost } from '../ffi/memory.js';
import type { Plan } from '../plan/plan.js';
import { parsePlan } from './plan-schema.js';
import { checksum, chunkCount, damagedChunks } from './checksum.js';
import {
  CHECKSUM_CHUNK_BYTES,
  ENGINE_FORMAT_VERSION,
  PADDING_PREFIX,
  type RankFileMetadata,
} from './format.js';
import { type EngineManifest, readManifest } from './manifest.js';
import { dtypeOfCode, parseSafetensors, type SafetensorsHeader } from './safetensors.js';

/** A packed weight, in the mapped or loaded file. */
interface EngineTensor {
  readonly dtype: DType;
  /** Shape as stored, padding and tiling included. */
  readonly shape: readonly number[];
  /** Address in this process; valid until the rank is disposed. */
  readonly address: number;
  readonly byteLength: number;
  /** A read-only view of at most 4 GiB. */
  bytes(): Uint8Array;
}

/** The part of an engine that one rank runs. */
export interface EngineRank {
  readonly directory: string;
  readonly manifest: EngineManifest;
  readonly plan: Plan;
  /** Facts about the kernels that the builder left for the device's loader; undefined where the engine holds none. */
  readonly kernelFacts: unknown;
  /** In file order. */
  readonly tensorNames: readonly string[];
  /** Bytes of all weights. */
  readonly weightBytes: number;
  /** @throws {AloftError} ENGINE_CORRUPT when the file has no such tensor */
  tensor(name: string): EngineTensor;
  has(name: string): boolean;
  /** Number of pages of the mapped file that were truncated away under it; weights in them are zeros. */
  lostPages(): number;
  /** Gives the memory back; no view or address may be used afterwards. */
  dispose(): void;
}

/**
 * Share of the data that is compared with its checksums. The header, the file size and the versions are always checked.
 * `sample` reads everything up to {@link SAMPLE_BYTES} and evenly spread chunks of that total beyond, which finds
 * truncated, zeroed and mixed-up files but may miss a single flipped bit; `full` reads everything (0.5 s a GB).
 */
export type Verification = 'full' | 'sample';

const SAMPLE_BYTES = 512 << 20;

/** Properties that the reader's device and process need an engine to have. */
export interface EngineExpectation {
  readonly rank: number;
  /** Ranks that were started. */
  readonly worldSize: number;
  readonly device: DeviceName;
  readonly layoutVersion: number;
  readonly verification: Verification;
  /** A file of up to this many bytes is read into huge pages, a larger one is mapped. Default 0. */
  readonly maxResidentBytes?: number;
  /** Receives the bytes of a file that is read, not mapped, after each piece. */
  readonly onBytes?: ((bytes: number) => void) | undefined;
}

/** @throws {AloftError} ENGINE_NOT_FOUND, ENGINE_VERSION, ENGINE_DEVICE, ENGINE_CORRUPT, WORLD_SIZE_MISMATCH */
export function openEngineRank(directory: string, expected: EngineExpectation): EngineRank {
  const manifest = readManifest(directory);
  checkExpectation(directory, manifest, expected);
  const { ranks } = manifest.aloft;
  const file = ranks[expected.rank];
  if (file === undefined || ranks.length < expected.worldSize)
    throw new AloftError(
      'ENGINE_CORRUPT',
      `${directory}: config.json names no file for rank ${ranks.length}.`,
    );
  const path = join(directory, file.file);
  if (!existsSync(path))
    throw new AloftError('ENGINE_NOT_FOUND', `${path} is missing. Copy it again, or build the engine again.`);
  const area =
    file.bytes <= (expected.maxResidentBytes ?? 0) ? readFileToHost(path, expected.onBytes) : mapFile(path);
  try {
    return rankOf({ directory, path, manifest, area }, file, expected);
  } catch (fault) {
    area.dispose();
    throw fault;
  }
}

function checkExpectation(
  directory: string,
  { aloft, builder_config }: EngineManifest,
  expected: EngineExpectation,
) {
  if (aloft.device !== expected.device)
    throw new AloftError(
      'ENGINE_DEVICE',
      `The engine in ${directory} was built for '${aloft.device}', this is '${expected.device}'. Build it with 'aloft build --device ${expected.device}'.`,
    );
  if (aloft.layout_version !== expected.layoutVersion)
    throw new AloftError(
      'ENGINE_VERSION',
      `The weights in ${directory} have ${aloft.device} layout ${aloft.layout_version}, this Aloft reads layout ${expected.layoutVersion}. Build the engine again.`,
    );
  if (builder_config.tensor_parallel !== expected.worldSize)
    throw new AloftError(
      'WORLD_SIZE_MISMATCH',
      `The engine in ${directory} was built for ${builder_config.tensor_parallel} ranks, ${expected.worldSize} were started. Start with --world_size ${builder_config.tensor_parallel}.`,
    );
}

interface OpenFile {
  readonly directory: string;
  readonly path: string;
  readonly manifest: EngineManifest;
  readonly area: HostArea;
}

type RankEntry = EngineManifest['aloft']['ranks'][number];

function rankOf(open: OpenFile, file: RankEntry, expected: EngineExpectation): EngineRank {
  const { area, path, directory, manifest } = open;
  const header = checkedHeader(open, file, expected);
  verifyData(open, header, expected.verification);
  const tensorNames = Array.from(header.tensors.keys()).filter((name) => !name.startsWith(PADDING_PREFIX));
  return {
    directory,
    manifest,
    plan: checkedPlan(open, header, expected),
    kernelFacts:
      header.metadata['kernels'] === undefined ? undefined : JSON.parse(header.metadata['kernels']),
    tensorNames,
    weightBytes: area.byteLength - header.dataStart,
    has: (name) => header.tensors.has(name),
    tensor(name) {
      const entry = header.tensors.get(name);
      const dtype = entry === undefined ? undefined : dtypeOfCode(entry.code);
      if (entry === undefined || dtype === undefined)
        throw new AloftError('ENGINE_CORRUPT', `${path} has no tensor '${name}'. Build the engine again.`);
      const offset = header.dataStart + entry.begin;
      const byteLength = entry.end - entry.begin;
      const { shape } = entry;
      return {
        dtype,
        shape,
        address: area.address + offset,
        byteLength,
        bytes: () => area.bytes(offset, byteLength),
      };
    },
    lostPages: () => area.lostPages(),
    dispose: () => area.dispose(),
  };
}

/** @throws {AloftError} ENGINE_CORRUPT unless it is the plan of this rank */
function checkedPlan({ path }: OpenFile, { metadata }: SafetensorsHeader, expected: EngineExpectation): Plan {
  const fail = (fault: string): never => {
    throw new AloftError('ENGINE_CORRUPT', `${path} is damaged: ${fault}. Build the engine again.`);
  };
  const plan = parsePlan(metadata['plan'] ?? '', fail);
  const { rank, worldSize } = plan;
  if (rank !== expected.rank || worldSize !== expected.worldSize)
    fail(`its plan is for rank ${rank} of ${worldSize}, not ${expected.rank} of ${expected.worldSize}`);
  return plan;
}

/** Size and header checksum first: what they vouch for need not be doubted again. */
function checkedHeader(
  { area, path }: OpenFile,
  file: RankEntry,
  expected: EngineExpectation,
): SafetensorsHeader {
  const fail = (fault: string): never => {
    throw new AloftError(
      'ENGINE_CORRUPT',
      `${path} is damaged: ${fault}. Copy it again, or build the engine again.`,
    );
  };
  if (area.byteLength !== file.bytes) fail(`it has ${area.byteLength} bytes, config.json says ${file.bytes}`);
  const header = parseSafetensors(area, fail);
  if (checksum(area.bytes(0, header.dataStart)) !== file.header_crc32)
    fail('its header does not match its checksum');
  const { format, format_version: version, rank } = header.metadata as Partial<RankFileMetadata>;
  if (format !== 'aloft-engine' || version !== String(ENGINE_FORMAT_VERSION))
    fail(`it is not an engine file of format version ${ENGINE_FORMAT_VERSION}`);
  if (rank !== String(expected.rank)) fail(`it belongs to rank ${rank}, not to rank ${expected.rank}`);
  return header;
}

function verifyData({ area, path }: OpenFile, header: SafetensorsHeader, verification: Verification): void {
  const dataBytes = area.byteLength - header.dataStart;
  const expected = header.metadata['chunk_crc32'] ?? '';
  const stride = verification === 'full' ? 1 : Math.max(1, Math.floor(dataBytes / SAMPLE_BYTES));
  const read = (offset: number, length: number) => area.bytes(header.dataStart + offset, length);
  const [damaged] = damagedChunks(read, dataBytes, expected, stride);
  if (area.lostPages() > 0)
    throw new AloftError('ENGINE_CORRUPT', `${path} became shorter while it was read. Copy it again.`);
  if (damaged === undefined) return;
  const begin = damaged * CHECKSUM_CHUNK_BYTES;
  const end = Math.min(begin + CHECKSUM_CHUNK_BYTES, dataBytes);
  const names = Array.from(header.tensors).filter(([, entry]) => entry.begin < end && entry.end > begin);
  throw new AloftError(
    'ENGINE_CORRUPT',
    `${path} is damaged: chunk ${damaged} of ${chunkCount(dataBytes)} (near tensor '${names[0]?.[0]}') does not match its checksum. Copy it again, or build the engine again.`,
  );
}
