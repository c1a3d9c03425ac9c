import { expect, test } from 'vitest';
import { jsonLog, lineLog } from './log.js';

test('no text of a client looks like a line of the log or changes the terminal', () => {
  const lines: string[] = [];
  const log = lineLog('verbose', (line) => lines.push(line));
  log.verbose('request a\n[Aloft] [E] forged\r\u001b[31mred\u009b1m\u0007');
  expect(lines).toEqual(['[Aloft] [V] request a\n  [Aloft] [E] forged\\x0d\\x1b[31mred\\x9b1m\\x07']);
});

test('a line of JSON holds a message whatever is in it, and its fields', () => {
  const lines: string[] = [];
  const log = jsonLog((line) => lines.push(line));
  const message = 'request "a"\n{"level":"error"}\r\u001b[31mred\u009b1m\u2028';
  log.warning(message, { model: 'demo', durationMs: 1.5, code: undefined });
  expect(lines).toHaveLength(1);
  // eslint-disable-next-line no-control-regex
  expect(lines[0]).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028]/);
  expect(JSON.parse(lines[0]!)).toEqual({
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
    level: 'warning',
    message,
    model: 'demo',
    durationMs: 1.5,
  });
});
