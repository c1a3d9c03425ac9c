/** Form of the files of an engine directory; the one place that knows it. */
import { BYTES_PER_ELEMENT, elementCount } from '../core/dtype.js';
import { codeOfDtype, type NamedTensorSpec, type SafetensorsEntry } from './safetensors.js';

/** Raised whenever an older Aloft could misread a newer engine, or the other way round. */
export const ENGINE_FORMAT_VERSION = 3;

export const MANIFEST_FILE = 'config.json';
export const TIMING_CACHE_FILE = 'model.cache';

/** Tensors start at multiples of this, so that vector loads never straddle a cache line. */
export const TENSOR_ALIGNMENT_BYTES = 64;
/** The data part starts on a page, so that tensors are aligned in memory as they are in the file. */
export const DATA_ALIGNMENT_BYTES = 4096;
/** Checksums are taken over pieces of this size of the data part. */
export const CHECKSUM_CHUNK_BYTES = 4 << 20;

/** Safetensors allows no holes, so gaps before aligned tensors are tensors themselves, with this prefix. */
export const PADDING_PREFIX = 'padding.';

/** Machine code of a device lies in tensors of bytes with this prefix and the name of the unit. */
export const KERNEL_TENSOR_PREFIX = 'kernels.';

/** Keys of `__metadata__` in an engine file. All values are strings, as safetensors demands. */
export interface RankFileMetadata {
  readonly format: 'aloft-engine';
  readonly format_version: string;
  readonly device: string;
  /** GPU architecture such as `sm_90`; empty for a CPU. */
  readonly device_architecture: string;
  readonly layout_version: string;
  readonly rank: string;
  readonly world_size: string;
  /** The plan as JSON. */
  readonly plan: string;
  /** Facts about the kernels for the device's loader, as JSON; absent where the engine holds none. */
  readonly kernels?: string;
  /** CRC-32 of every chunk of the data part, eight hexadecimal digits each. */
  readonly chunk_crc32: string;
}

/** `llama_float16_tp4_rank3.engine` */
export function rankFileName(model: string, precision: string, worldSize: number, rank: number): string {
  return `${model}_${precision}_tp${worldSize}_rank${rank}.engine`;
}

export interface RankFileLayout {
  readonly tensors: ReadonlyMap<string, SafetensorsEntry>;
  readonly dataBytes: number;
}

/** Places tensors one after another, each aligned, with padding tensors in the gaps. */
export function layOutTensors(specs: readonly NamedTensorSpec[], alignmentBytes: number): RankFileLayout {
  const tensors = new Map<string, SafetensorsEntry>();
  let cursor = 0;
  for (const { name, dtype, shape } of specs) {
    const begin = Math.ceil(cursor / alignmentBytes) * alignmentBytes;
    if (begin > cursor)
      tensors.set(PADDING_PREFIX + cursor, {
        code: 'U8',
        shape: [begin - cursor],
        begin: cursor,
        end: begin,
      });
    cursor = begin + elementCount(shape) * BYTES_PER_ELEMENT[dtype];
    tensors.set(name, { code: codeOfDtype(dtype), shape, begin, end: cursor });
  }
  return { tensors, dataBytes: cursor };
}
