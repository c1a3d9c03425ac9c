import { expect, test } from 'vitest';
import { lineLog } from './log.js';

test('no text of a client looks like a line of the log or changes the terminal', () => {
  const lines: string[] = [];
  const log = lineLog('verbose', (line) => lines.push(line));
  log.verbose('request a\n[Aloft] [E] forged\r\u001b[31mred\u009b1m\u0007');
  expect(lines).toEqual(['[Aloft] [V] request a\n  [Aloft] [E] forged\\x0d\\x1b[31mred\\x9b1m\\x07']);
});
