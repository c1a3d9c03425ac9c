/** A server on IPv6 addresses, as in clusters that have no others. */
import { createServer } from 'node:net';
import { describe, expect, test } from 'vitest';
import { bareHost, hostAndPort } from '../core/network-address.js';
import { startedLines, tryLines } from './start/startup-print.js';
import { DEFAULT_SERVE_OPTIONS } from './context/options.js';
import { IndependentClient } from './testing/independent-grpc.js';
import { startTestServer } from './testing/test-server.js';

const hasIpv6 = await new Promise<boolean>((resolve) => {
  const probe = createServer();
  probe.once('error', () => resolve(false));
  probe.listen(0, '::1', () => probe.close(() => resolve(true)));
});

describe.skipIf(!hasIpv6)('IPv6 [needs the address ::1: enable IPv6 of the loopback interface]', () => {
  test.each(['::1', '[::1]', '::'])('HTTP, gRPC and metrics listen on %s', async (host) => {
    const free = { host, port: 0 };
    const server = await startTestServer({ options: { http: free, grpc: free, metrics: free } });
    try {
      const { http, grpc, metrics } = server.server.ports;
      const at = (port: number | undefined) => `http://[::1]:${port}`;
      expect((await fetch(`${at(http)}/v2/health/ready`)).status).toBe(200);
      expect((await fetch(`${at(metrics)}/metrics`)).status).toBe(200);
      const client = new IndependentClient(`[::1]:${grpc}`);
      expect(await client.call('ServerLive')).toEqual({ live: true });
      client.close();
    } finally {
      await server.close();
    }
  });
});

test.each([
  ['::1', '[::1]:80', '::1'],
  ['[::1]', '[::1]:80', '::1'],
  ['fe80::1%eth0', '[fe80::1%eth0]:80', 'fe80::1%eth0'],
  ['127.0.0.1', '127.0.0.1:80', '127.0.0.1'],
  ['name.example', 'name.example:80', 'name.example'],
])('%s is written as an address with a port, and without brackets', (host, expected, bare) => {
  expect(hostAndPort(host, 80)).toBe(expected);
  expect(bareHost(host)).toBe(bare);
});

test('what a server prints can be copied', () => {
  const listen = { host: '::1', port: 1 };
  const options = { ...DEFAULT_SERVE_OPTIONS, http: listen, grpc: listen, metrics: listen };
  const ports = { http: 1, grpc: 2, metrics: 3 };
  expect(startedLines(options, ports).join('\n')).toMatch(
    /at \[::1\]:2\n.*at \[::1\]:1\n.*at \[::1\]:3\nOnly this machine/,
  );
  expect(tryLines(options, ports, 'm').join('\n')).toMatch(/-u \[::1\]:2 [^]*http:\/\/\[::1\]:1\/v2/);
});
