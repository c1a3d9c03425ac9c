import { BYTES_PER_ELEMENT } from '../../core/dtype.js';
import { AloftError } from '../../core/errors.js';
import { dtypeOfCode, parseSafetensors, type SafetensorsEntry } from '../../engine/safetensors.js';
import { mapFile } from '../../ffi/memory.js';
import type { TensorInfo, TensorSource } from './checkpoint.js';

/** Maps one safetensors file. @throws {AloftError} CHECKPOINT_CORRUPT */
export function openSafetensorsFile(path: string): TensorSource {
  const area = mapFile(path);
  const fail = (fault: string): never => {
    area.dispose();
    throw new AloftError('CHECKPOINT_CORRUPT', `${path} is damaged: ${fault}. Download it again.`);
  };
  const { tensors, dataStart } = parseSafetensors(area, fail);
  const infoOf = ({ code, shape }: SafetensorsEntry): TensorInfo => ({
    file: path,
    shape,
    dtype: dtypeOfCode(code),
    dtypeName: code,
  });
  let last = { offset: 0, length: 0 };
  return {
    names: Array.from(tensors.keys()),
    info(name) {
      const entry = tensors.get(name);
      return entry === undefined ? undefined : infoOf(entry);
    },
    read(name) {
      const entry = tensors.get(name)!;
      const dtype = dtypeOfCode(entry.code)!;
      const offset = dataStart + entry.begin;
      const view = area.bytes(offset, entry.end - entry.begin);
      if (last.offset !== offset) area.release(last.offset, last.length); // keeps a build small in memory
      last = { offset, length: view.length };
      // Old writers did not pad the header, so that tensors may lie at odd addresses; a copy is aligned.
      const aligned = offset % BYTES_PER_ELEMENT[dtype] === 0;
      return { dtype, shape: entry.shape, bytes: aligned ? view : Uint8Array.from(view) };
    },
    lostPages: () => area.lostPages(),
    dispose: () => area.dispose(),
  };
}
