/** The part of SECURITY.md about who can connect. */
import { expect, test } from 'vitest';
import { DEFAULT_SERVE_OPTIONS, type ServeOptions } from '../context/options.js';
import { startedLines } from './startup-print.js';

const PORTS = { http: 8000, grpc: 8001, metrics: 8002 };
const at = (host: string, port: number) => ({ host, port });
const warnings = (options: Partial<ServeOptions>): string[] =>
  startedLines({ ...DEFAULT_SERVE_OPTIONS, ...options }, PORTS).filter(
    (line) => !line.startsWith('Started '),
  );

test('only this machine can connect unless an address is given', () => {
  const { http, grpc, metrics } = DEFAULT_SERVE_OPTIONS;
  expect([http, grpc, metrics]).toEqual([8000, 8001, 8002].map((port) => at('127.0.0.1', port)));
  expect(warnings({})).toEqual([
    expect.stringMatching(/^Only this machine can connect; use --host 0\.0\.0\.0/),
  ]);
});

test.each([
  [{ http: at('0.0.0.0', 8000), grpc: at('0.0.0.0', 8001) }],
  [{ http: at('::', 8000) }],
  [{ grpc: at('10.0.0.1', 8001) }],
])('others can connect to %j, and without keys the log says so', (addresses) => {
  expect(warnings(addresses)).toEqual(['Others can connect and no API key is set: use --api-key-file.']);
  expect(warnings({ ...addresses, apiKeys: ['key'] })).toEqual([]);
  expect(warnings({ ...addresses, apiKeys: ['key'], metrics: at('0.0.0.0', 8002) })).toEqual([
    expect.stringMatching(/^Metrics are open to others without a key/),
  ]);
});
