import { expect, test } from 'vitest';
import { BodyBytes } from './body-bytes.js';

test('pieces of all lengths come out as they went in', () => {
  let seed = 3;
  const random = (limit: number) => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
    return (seed >>> 8) % limit;
  };
  for (let round = 0; round < 50; round++) {
    const body = new BodyBytes();
    const pieces = Array.from({ length: random(40) }, () =>
      Buffer.alloc([1, 7, 4000, 16_384, 40_000][random(5)]!, random(256)),
    );
    for (const piece of pieces) body.push(piece);
    const expected = Buffer.concat(pieces);
    expect(body.byteCount).toBe(expected.length);
    expect(body.whole().equals(expected)).toBe(true);
  }
});

test('a million pieces of a byte are a few buffers, and one piece is not copied', () => {
  const body = new BodyBytes();
  for (let i = 0; i < 1_000_000; i++) body.push(Buffer.from([i % 256]));
  expect(body.partCount).toBeLessThan(70);
  const whole = body.whole();
  expect([whole.length, whole[999_999]]).toEqual([1_000_000, 999_999 % 256]);
  const single = new BodyBytes();
  const piece = Buffer.from('{}');
  single.push(piece);
  expect(single.whole()).toBe(piece);
});
