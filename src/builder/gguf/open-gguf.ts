/** Opens a GGUF file as a checkpoint: sizes from its metadata, tensors under published names, tokenizer files written out. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { elementCount } from '../../core/dtype.js';
import { AloftError } from '../../core/errors.js';
import type { HostTensor } from '../../core/tensor.js';
import { allocateHost, type HostArea } from '../../ffi/memory.js';
import type { Checkpoint, CodedTensor, TensorSource } from '../checkpoint/checkpoint.js';
import { parseGenerationConfig } from '../checkpoint/generation-config.js';
import { JsonFile } from '../checkpoint/json-file.js';
import type { ModelConfig } from '../checkpoint/model-config.js';
import { readConfig } from '../models/registry.js';
import { addOffset } from '../offset-values.js';
import { decodeBlocks, GGUF_TYPES, readCodedBlocks } from './blocks.js';
import { type GgufArchitecture, ggufArchitecture, ggufConfig } from './gguf-config.js';
import { type GgufFile, type GgufTensor, openGgufFile } from './gguf-file.js';
import { publishedName } from './gguf-names.js';
import { ggufTokenizer } from './gguf-tokenizer.js';

/** @throws {AloftError} CHECKPOINT_*, FILE_UNREADABLE, ARCHITECTURE_UNKNOWN, UNSUPPORTED */
export function openGguf(path: string): Checkpoint {
  const file = openGgufFile(path);
  try {
    const architecture = ggufArchitecture(file);
    const json = ggufConfig(file, architecture);
    checkTypes(file);
    const config = configOf(json, architecture);
    const generation = parseGenerationConfig(new JsonFile(path, {}), json);
    // Last, as what it writes stays until the checkpoint is disposed.
    const tokenizer = writeTokenizer(file);
    const tensors = new GgufTensors(file, architecture, tokenizer.directory);
    return {
      origin: path,
      config,
      generation,
      tokenizerDirectory: tokenizer.directory,
      tokenizerFiles: tokenizer.files,
      tensors,
      warnings: tokenizer.warnings,
    };
  } catch (fault) {
    file.area.dispose();
    throw fault;
  }
}

/** The sizes alone. @throws {AloftError} as {@link openGguf} */
export function readGgufConfig(path: string): ModelConfig {
  const file = openGgufFile(path);
  try {
    const architecture = ggufArchitecture(file);
    return configOf(ggufConfig(file, architecture), architecture);
  } finally {
    file.area.dispose();
  }
}

function configOf(json: JsonFile, { isInterleaved }: GgufArchitecture): ModelConfig {
  const config = readConfig(json);
  return isInterleaved ? { ...config, isInterleaved } : config;
}

/** @throws {AloftError} UNSUPPORTED with all types that cannot be read */
function checkTypes({ path, tensors }: GgufFile): void {
  const unknown = [...tensors.values()].filter(({ type }) => type === undefined);
  if (unknown.length === 0) return;
  const names = [...new Set(unknown.map(({ typeName }) => typeName))].join(', ');
  const known = Array.from(GGUF_TYPES.values(), ({ name }) => name).join(', ');
  throw new AloftError(
    'UNSUPPORTED',
    `${path} has ${unknown.length} tensors of ${names} (numbers of GGML types). Types that can be read are ${known}: convert it to one of these, such as Q8_0 or Q4_K_M.`,
  );
}

function writeTokenizer(file: GgufFile) {
  const contents = ggufTokenizer(file);
  const directory = mkdtempSync(join(tmpdir(), 'aloft-gguf-'));
  if ('obstacle' in contents)
    return {
      directory,
      files: [],
      warnings: [`${file.path} ${contents.obstacle}: text needs --tokenizer_dir when the engine runs.`],
    };
  const files = Array.from(contents.files, ([name, content]) => {
    const path = join(directory, name);
    writeFileSync(path, content);
    return path;
  });
  return { directory, files, warnings: [] };
}

class GgufTensors implements TensorSource {
  readonly names: readonly string[];
  readonly #file: GgufFile;
  readonly #hasShiftedNorms: boolean;
  readonly #scratchDirectory: string;
  readonly #tensors: ReadonlyMap<string, GgufTensor>;
  #decoded: HostArea | undefined;

  constructor(file: GgufFile, { hasShiftedNorms }: GgufArchitecture, scratchDirectory: string) {
    this.#file = file;
    this.#hasShiftedNorms = hasShiftedNorms;
    this.#scratchDirectory = scratchDirectory;
    // Gemma alone has shifted norms, and norms after each block.
    const named = [...file.tensors].map(
      ([name, tensor]) => [publishedName(name, hasShiftedNorms), tensor] as const,
    );
    this.#tensors = new Map(named);
    this.names = [...this.#tensors.keys()].filter((name) => name !== 'rope_freqs.weight');
  }

  info(name: string) {
    const tensor = this.#tensors.get(name);
    if (tensor === undefined) return undefined;
    const { shape, type, typeName } = tensor;
    return {
      file: this.#file.path,
      shape,
      dtype: this.#isShifted(name) ? 'f32' : (type!.dtype ?? 'f32'),
      dtypeName: typeName,
      ...(type!.coded !== undefined && { format: type!.coded.format }),
    } as const;
  }

  readCodes(name: string): CodedTensor {
    const { shape, type, offset, byteLength } = this.#tensors.get(name)!;
    const codes = new Int8Array(elementCount(shape));
    const scales = new Uint16Array(codes.length / type!.blockValues);
    readCodedBlocks(type!, this.#file.area.bytes(offset, byteLength), { codes, scales });
    const groups = [shape[0]!, shape[1]! / type!.blockValues];
    return {
      codes: { dtype: 'i8', shape, bytes: new Uint8Array(codes.buffer) },
      scales: { dtype: 'f16', shape: groups, bytes: new Uint8Array(scales.buffer) },
      zeros: null,
      order: null,
    };
  }

  read(name: string): HostTensor {
    const tensor = this.#tensors.get(name)!;
    const values = this.#values(tensor);
    return this.#isShifted(name) ? addOffset(values, -1) : values;
  }

  lostPages(): number {
    return this.#file.area.lostPages();
  }

  dispose(): void {
    this.#decoded?.dispose();
    this.#file.area.dispose();
    rmSync(this.#scratchDirectory, { recursive: true, force: true });
  }

  #isShifted(name: string): boolean {
    return this.#hasShiftedNorms && name.endsWith('norm.weight');
  }

  #values({ shape, type, offset, byteLength }: GgufTensor): HostTensor {
    const bytes = this.#file.area.bytes(offset, byteLength);
    if (type!.dtype !== null) return { dtype: type!.dtype, shape, bytes };
    this.#decoded?.dispose();
    const area = allocateHost(Float32Array.BYTES_PER_ELEMENT * elementCount(shape));
    this.#decoded = area;
    const decoded = area.bytes(0, area.byteLength);
    decodeBlocks(type!, bytes, new Float32Array(decoded.buffer, decoded.byteOffset, elementCount(shape)));
    return { dtype: 'f32', shape, bytes: decoded };
  }
}
