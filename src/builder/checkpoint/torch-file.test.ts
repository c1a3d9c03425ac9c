import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { faultOf } from '../testing/fault.js';
import { withDirectory } from '../testing/tiny-checkpoint.js';
import { pickle, pickledTensor, type PickleValue, storedZip } from '../testing/torch-archive.js';
import { openTorchFile } from './torch-file.js';

const VALUES = Float32Array.from({ length: 12 }, (_, i) => i);
const STORAGE = { storage: 'FloatStorage', key: '0', elements: 12 };
const PLAIN = { ...STORAGE, offset: 0, shape: [3, 4], strides: [4, 1] };

function archive(root: PickleValue, zip64 = false): Buffer {
  return storedZip(
    [
      ['model/data.pkl', pickle(root)],
      ['model/byteorder', Buffer.from('little')],
      ['model/data/0', new Uint8Array(VALUES.buffer)],
      ['model/version', Buffer.from('3\n')],
    ],
    zip64,
  );
}

async function open<T>(bytes: Uint8Array, use: (path: string) => T): Promise<T> {
  return withDirectory((directory) => {
    const path = join(directory, 'pytorch_model.bin');
    writeFileSync(path, bytes);
    return use(path);
  });
}

test.each([false, true])('reads tensors of a stored archive, zip64 %s', async (zip64) => {
  const root: PickleValue = {
    dict: [
      ['plain', pickledTensor(PLAIN)],
      ['rows', pickledTensor({ ...PLAIN, offset: 4, shape: [2, 4] })],
      ['transposed', pickledTensor({ ...PLAIN, shape: [4, 3], strides: [1, 4] })],
      [
        'parameter',
        {
          call: { global: ['torch._utils', '_rebuild_parameter'] },
          args: [pickledTensor(PLAIN), true, null],
        },
      ],
      ['mask', pickledTensor({ ...PLAIN, storage: 'BoolStorage' })],
      ['step', 7],
    ],
  };
  await open(archive(root, zip64), (path) => {
    const file = openTorchFile(path);
    const floats = (name: string) => {
      const { bytes } = file.read(name);
      return Array.from(new Float32Array(bytes.slice().buffer));
    };
    expect(file.names).toEqual(['plain', 'rows', 'transposed', 'parameter', 'mask']);
    expect(file.info('rows')).toMatchObject({ shape: [2, 4], dtype: 'f32', dtypeName: 'FloatStorage' });
    expect(file.info('mask')?.dtype).toBeUndefined();
    expect(floats('plain')).toEqual(Array.from(VALUES));
    expect(floats('rows')).toEqual([4, 5, 6, 7, 8, 9, 10, 11]);
    expect(floats('transposed')).toEqual([0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11]);
    expect(floats('parameter')).toEqual(floats('plain'));
    file.dispose();
  });
});

const codeCall = (module: string, name: string): PickleValue => ({
  dict: [['x', { call: { global: [module, name] }, args: ['echo hacked'] }]],
});

test.each([
  ['posix', 'system'],
  ['builtins', 'eval'],
  ['torch', 'load'],
  ['collections', 'OrderedDict.fromkeys'],
])('refuses %s.%s without calling anything', async (module, name) => {
  await open(archive(codeCall(module, name)), (path) => {
    const fault = faultOf(() => openTorchFile(path));
    expect(fault.code).toBe('CHECKPOINT_UNSAFE');
    expect(fault.message).toContain(`'${module}.${name}'`);
    expect(fault.message).toContain(path);
  });
});

test('refuses a call of something that is only a name', async () => {
  await open(archive(codeCall('torch', 'FloatStorage')), (path) => {
    expect(faultOf(() => openTorchFile(path)).code).toBe('CHECKPOINT_UNSAFE');
  });
});

test('refuses what is not a zip archive and says what it may be', async () => {
  await open(Buffer.from('\x80\x02 an old file'), (path) => {
    const fault = faultOf(() => openTorchFile(path));
    expect(fault.code).toBe('UNSUPPORTED');
    expect(fault.message).toMatch(/before 1\.6/);
  });
});

test('finds truncation at any place', async () => {
  const whole = archive({ dict: [['plain', pickledTensor(PLAIN)]] });
  for (const kept of [10, 100, whole.length - 30, whole.length - 1])
    await open(whole.subarray(0, kept), (path) => {
      const fault = faultOf(() => openTorchFile(path));
      expect(fault.code).toBe('CHECKPOINT_CORRUPT');
      expect(fault.message).toContain(path);
    });
});

test('refuses tensors that reach beyond their storage, or whose storage is missing', async () => {
  const root: PickleValue = {
    dict: [
      ['long', pickledTensor({ ...PLAIN, shape: [4, 4] })],
      ['offset', pickledTensor({ ...PLAIN, offset: 1 })],
      ['lost', pickledTensor({ ...PLAIN, key: '9' })],
    ],
  };
  await open(archive(root), (path) => {
    const file = openTorchFile(path);
    expect(faultOf(() => file.read('long')).message).toMatch(/'long' reaches beyond/);
    expect(faultOf(() => file.read('offset')).message).toMatch(/'offset' reaches beyond/);
    expect(faultOf(() => file.read('lost')).message).toMatch(/storage '9' of tensor 'lost' is missing/);
    file.dispose();
  });
});

test('refuses compressed entries, other byte orders and pickles of something else', async () => {
  const compressed = archive({ dict: [] });
  compressed.writeUInt16LE(8, compressed.indexOf(Buffer.from('PK\x01\x02')) + 10);
  await open(compressed, (path) =>
    expect(faultOf(() => openTorchFile(path)).message).toMatch(/is compressed/),
  );
  const big = storedZip([
    ['m/data.pkl', pickle({ dict: [] })],
    ['m/byteorder', Buffer.from('big')],
  ]);
  await open(big, (path) => expect(faultOf(() => openTorchFile(path)).message).toMatch(/big-endian/));
  await open(archive(5), (path) =>
    expect(faultOf(() => openTorchFile(path)).message).toMatch(/not a dictionary/),
  );
  await open(archive({ dict: [] }), (path) =>
    expect(faultOf(() => openTorchFile(path)).message).toMatch(/no tensors/),
  );
});
