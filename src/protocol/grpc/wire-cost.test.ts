import { create, toBinary } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { ModelInferRequestSchema } from '../gen/inference_pb.js';
import { checkWireCost } from './wire-cost.js';

const check = (bytes: Uint8Array) => () => checkWireCost(ModelInferRequestSchema, bytes);

const withContents = (contents: object) =>
  toBinary(
    ModelInferRequestSchema,
    create(ModelInferRequestSchema, { inputs: [{ name: 'x', datatype: 'INT32', shape: [1n], contents }] }),
  );

test.each([
  ['inputs', Buffer.from([0x2a, 0])],
  ['outputs', Buffer.from([0x32, 0])],
  ['parameters', Buffer.from([0x22, 0])],
])('too many %s are refused', (_, field) => {
  check(Buffer.alloc(2 * 4096, field))();
  expect(check(Buffer.alloc(2 * 4097, field))).toThrow(/4096 are accepted/);
});

test.each([
  ['raw contents', Buffer.alloc(600_000, Buffer.from([0x3a, 0]))],
  ['unknown fields', Buffer.alloc(600_000, Buffer.from([0x78, 1]))],
  ['packed integers', withContents({ intContents: Array.from({ length: 270_000 }, () => 300) })],
  ['packed floats', withContents({ fp32Contents: Array.from({ length: 270_000 }, () => 1) })],
  ['texts', withContents({ bytesContents: Array.from({ length: 270_000 }, () => new Uint8Array()) })],
])('too many %s are refused', (_, bytes) => expect(check(bytes)).toThrow(/262144 are accepted/));

test('a prompt of a quarter of a million ids, and raw contents of any size, are counted as what they are', () => {
  check(withContents({ intContents: Array.from({ length: 260_000 }, () => 100_000) }))();
  const raw = create(ModelInferRequestSchema, { rawInputContents: [new Uint8Array(8 << 20)] });
  check(toBinary(ModelInferRequestSchema, raw))();
});

test('bytes that are no message are left to the decoder', () => {
  for (const bytes of [[0xff], [0x2a, 0xff, 0xff, 0xff, 0xff, 0x0f], [0x0b], [0x29, 1]])
    check(Buffer.from(bytes))();
});
