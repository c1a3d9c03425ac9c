import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { AloftError } from '../../core/errors.js';
import { faultOf } from '../testing/fault.js';
import { pickle } from '../testing/torch-archive.js';
import { unpickle } from './pickle.js';

const RULES = { path: 'f.bin', globals: new Map(), persistent: (id: unknown) => id };

/** Bytes that CPython 3.11 writes for {'a': [1, -2, 70000, 2.5, None, True, 2**40], 'b': (1, (2, 3))} in protocol 4. */
const PROTOCOL_4 =
  '8004953a000000000000007d94288c0161945d94284b014afeffffff4a701101004740040000000000004e888a06000000000001658c0162944b014b024b0386948694752e';

test('reads what CPython writes', () => {
  expect(unpickle(Buffer.from(PROTOCOL_4, 'hex'), RULES)).toEqual(
    new Map<string, unknown>([
      ['a', [1, -2, 70000, 2.5, null, true, 2 ** 40]],
      ['b', [1, [2, 3]]],
    ]),
  );
});

test('recalls memoised values and long integers', () => {
  const bytes = Buffer.from(
    '\x80\x02X\x01\0\0\0aq\x05h\x05\x86M\x01\x02\x86\x8a\x05\0\0\0\0\x01\x86.',
    'latin1',
  );
  expect(unpickle(bytes, RULES)).toEqual([[['a', 'a'], 513], 2 ** 32]);
});

test('refuses to set attributes, to build objects and opcodes that make instances', () => {
  const build = Buffer.from('\x80\x02K\x01}b.', 'latin1');
  expect(faultOf(() => unpickle(build, RULES)).code).toBe('CHECKPOINT_UNSAFE');
  const inst = Buffer.from('\x80\x02(iposix\nsystem\n.', 'latin1');
  expect(faultOf(() => unpickle(inst, RULES)).code).toBe('CHECKPOINT_CORRUPT');
  const stackGlobal = Buffer.from('\x80\x04\x8c\x05posix\x8c\x06system\x93.', 'latin1');
  expect(faultOf(() => unpickle(stackGlobal, RULES)).message).toContain("'posix.system'");
});

test('a name is a text: lists that hold each other twice are not written out', () => {
  // An empty list, memoised; then sixty lists that hold the one before twice.
  const grown = Array.from(
    { length: 60 },
    (_, i) => `](h${String.fromCharCode(i)}h${String.fromCharCode(i)}eq${String.fromCharCode(i + 1)}`,
  );
  const bytes = Buffer.from(`\x80\x04]q\0${grown.join('')}\x8c\x01x\x93.`, 'latin1');
  expect(faultOf(() => unpickle(bytes, RULES))).toMatchObject({ code: 'CHECKPOINT_UNSAFE' });
});

test('never throws anything but a coded error, whatever the bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      try {
        unpickle(bytes, RULES);
      } catch (fault) {
        expect(fault).toBeInstanceOf(AloftError);
      }
    }),
    { numRuns: 2000 },
  );
});

test('values survive a round trip', () => {
  const value = fc.letrec((tie) => ({
    value: fc.oneof(
      fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
      fc.string(),
      fc.boolean(),
      fc.constant(null),
      fc.record({ tuple: fc.array(tie('value'), { maxLength: 3 }) }),
    ),
  })).value;
  const plain = (item: unknown): unknown =>
    typeof item === 'object' && item !== null ? (item as { tuple: unknown[] }).tuple.map(plain) : item;
  fc.assert(
    fc.property(value, (item) => {
      expect(unpickle(pickle(item as Parameters<typeof pickle>[0]), RULES)).toEqual(plain(item));
    }),
  );
});
