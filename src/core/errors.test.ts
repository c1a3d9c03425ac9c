import { describe, expect, test } from 'vitest';
import { AloftError, ERROR_CATALOGUE, GRPC, reportError, suggestion } from './errors.js';

describe('catalogue', () => {
  test.each(Object.entries(ERROR_CATALOGUE))('%s has statuses of its class and a sentence', (_, kind) => {
    expect(Object.values(GRPC)).toContain(kind.grpc);
    expect(kind.http).toBeGreaterThanOrEqual(400);
    expect(kind.meaning).toMatch(/^[A-Z].*\.$/);
    if (kind.exit === 1 && kind.grpc === GRPC.INVALID_ARGUMENT) expect(kind.http).toBeGreaterThanOrEqual(500);
  });
});

test('a report keeps code and message, and turns anything else into INTERNAL', () => {
  expect(reportError(new AloftError('QUEUE_FULL', 'full'))).toEqual({ code: 'QUEUE_FULL', message: 'full' });
  expect(reportError(new TypeError('x')).code).toBe('INTERNAL');
  expect(reportError('thrown text')).toEqual({ code: 'INTERNAL', message: 'thrown text' });
});

describe('suggestion', () => {
  test.each([
    ['--max-batchsize', '--max-batch-size'],
    ['--engin-dir', '--engine-dir'],
    ['--zzz', undefined],
  ])('%s -> %s', (word, expected) => {
    expect(suggestion(word, ['--max-batch-size', '--engine-dir', '--dtype'])).toBe(expected);
  });

  test('for a word of a million letters there is none, and to find that takes no time', () => {
    const startMs = performance.now();
    expect(suggestion('a'.repeat(2 ** 20), ['a'.repeat(40), 'log_verbose_level'])).toBeUndefined();
    expect(performance.now() - startMs).toBeLessThan(20);
  });
});
