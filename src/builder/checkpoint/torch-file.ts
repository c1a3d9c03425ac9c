/**
 * `pytorch_model*.bin` as `torch.save` has written it since PyTorch 1.6: a zip archive with a pickle that describes
 * tensors and one stored entry a storage. Source: torch/serialization.py, torch/_utils.py (facts of the format).
 */
import { BYTES_PER_ELEMENT, type DType, elementCount } from '../../core/dtype.js';
import { AloftError } from '../../core/errors.js';
import { type HostArea, mapFile } from '../../ffi/memory.js';
import type { TensorInfo, TensorSource } from './checkpoint.js';
import { type PickleGlobal, unpickle } from './pickle.js';
import { rowMajorBytes } from './strided.js';
import { readZipDirectory, type ZipEntry } from './zip.js';

/** Storage classes and their element types; null for those that no weight has. */
const STORAGE_DTYPES: Readonly<Record<string, DType | null>> = {
  FloatStorage: 'f32',
  HalfStorage: 'f16',
  BFloat16Storage: 'bf16',
  CharStorage: 'i8',
  ByteStorage: 'u8',
  IntStorage: 'i32',
  LongStorage: 'i64',
  BoolStorage: null,
  DoubleStorage: null,
  ShortStorage: null,
};

class TorchStorage {
  readonly typeName: string;
  readonly key: string;

  constructor(typeName: string, key: string) {
    this.typeName = typeName;
    this.key = key;
  }
}

/** Sizes in elements. */
class TorchTensor {
  readonly storage: TorchStorage;
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];

  constructor(storage: TorchStorage, offset: number, shape: readonly number[], strides: readonly number[]) {
    this.storage = storage;
    this.offset = offset;
    this.shape = shape;
    this.strides = strides;
  }
}

type Fail = (fault: string) => never;

/** Maps one file. @throws {AloftError} CHECKPOINT_CORRUPT, CHECKPOINT_UNSAFE, UNSUPPORTED */
export function openTorchFile(path: string): TensorSource {
  const area = mapFile(path);
  try {
    return tensorFile(path, area);
  } catch (fault) {
    area.dispose();
    throw fault;
  }
}

function tensorFile(path: string, area: HostArea): TensorSource {
  const fail: Fail = (fault) => {
    throw new AloftError('CHECKPOINT_CORRUPT', `${path} is damaged: ${fault}. Download it again.`);
  };
  if (area.byteLength < 4 || Buffer.from(area.bytes(0, 2)).toString('latin1') !== 'PK')
    throw new AloftError(
      'UNSUPPORTED',
      `${path} is not a zip archive: it was saved by PyTorch before 1.6, or is no checkpoint. Save it again as safetensors.`,
    );
  const entries = readZipDirectory(area, fail);
  const pickleName = Array.from(entries.keys()).find((name) => name.endsWith('/data.pkl'));
  if (pickleName === undefined) return fail("it has no 'data.pkl'");
  const prefix = pickleName.slice(0, -'data.pkl'.length);
  const bytesOf = ({ offset, byteLength }: ZipEntry) => area.bytes(offset, byteLength);
  const order = entries.get(`${prefix}byteorder`);
  if (order !== undefined && Buffer.from(bytesOf(order)).toString('latin1') !== 'little')
    throw new AloftError('UNSUPPORTED', `${path} is big-endian. Save it again as safetensors.`);
  const tensors = readTensors(path, bytesOf(entries.get(pickleName)!), fail);
  let last: ZipEntry = { offset: 0, byteLength: 0 };
  return {
    names: Array.from(tensors.keys()),
    info: (name) => infoOf(path, tensors.get(name)),
    read(name) {
      const { storage, offset, shape, strides } = tensors.get(name)!;
      const dtype = STORAGE_DTYPES[storage.typeName]!;
      const entry = entries.get(`${prefix}data/${storage.key}`);
      if (entry === undefined) return fail(`the storage '${storage.key}' of tensor '${name}' is missing`);
      if (last !== entry) area.release(last.offset, last.byteLength); // keeps a build small in memory
      last = entry;
      const strided = { shape, strides, offset, elementBytes: BYTES_PER_ELEMENT[dtype] };
      const bytes = rowMajorBytes(bytesOf(entry), strided);
      return bytes === undefined
        ? fail(`tensor '${name}' reaches beyond its storage of ${entry.byteLength} bytes`)
        : { dtype, shape, bytes };
    },
    lostPages: () => area.lostPages(),
    dispose: () => area.dispose(),
  };
}

function infoOf(file: string, tensor: TorchTensor | undefined): TensorInfo | undefined {
  if (tensor === undefined) return undefined;
  const { storage, shape } = tensor;
  return { file, shape, dtype: STORAGE_DTYPES[storage.typeName] ?? undefined, dtypeName: storage.typeName };
}

function readTensors(path: string, pickle: Uint8Array, fail: Fail): Map<string, TorchTensor> {
  const root = unpickle(pickle, {
    path,
    globals: allowedGlobals(fail),
    persistent: (id) => storageOf(id, fail),
  });
  if (!(root instanceof Map)) return fail('its pickle is not a dictionary of tensors');
  const tensors = new Map<string, TorchTensor>();
  for (const [name, value] of root as Map<unknown, unknown>)
    if (typeof name === 'string' && value instanceof TorchTensor) tensors.set(name, value);
  if (tensors.size === 0) fail('it holds no tensors by name');
  return tensors;
}

function allowedGlobals(fail: Fail): Map<string, PickleGlobal> {
  const globals: PickleGlobal[] = [
    { name: 'collections.OrderedDict', call: () => new Map() },
    { name: 'torch._utils._rebuild_tensor_v2', call: (args) => tensorOf(args, fail) },
    { name: 'torch._utils._rebuild_parameter', call: (args) => args[0] },
  ];
  for (const typeName of Object.keys(STORAGE_DTYPES)) globals.push({ name: `torch.${typeName}` });
  return new Map(globals.map((global) => [global.name, global]));
}

/** Persistent ids are ('storage', class, key, device, element count). */
function storageOf(id: unknown, fail: Fail): TorchStorage {
  const [tag, storageClass, key] = Array.isArray(id) ? (id as unknown[]) : [];
  const typeName = (storageClass as PickleGlobal | undefined)?.name.slice('torch.'.length) ?? '';
  if (tag !== 'storage' || typeof key !== 'string' || !(typeName in STORAGE_DTYPES))
    return fail('its pickle refers to something other than a storage');
  return new TorchStorage(typeName, key);
}

const isSizes = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && (size as number) >= 0);

/** Arguments: storage, offset, shape, strides, requires_grad, hooks. */
function tensorOf([storage, offset, shape, strides]: readonly unknown[], fail: Fail): TorchTensor {
  const wellFormed =
    storage instanceof TorchStorage &&
    isSizes([offset]) &&
    isSizes(shape) &&
    isSizes(strides) &&
    shape.length === strides.length &&
    Number.isSafeInteger(elementCount(shape));
  if (!wellFormed) return fail('its pickle describes a malformed tensor');
  return new TorchTensor(storage, offset as number, shape, strides);
}
