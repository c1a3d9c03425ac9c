import { expect, test } from 'vitest';
import { startTestServer } from '../testing/test-server.js';
import { listenFault } from './listen-fault.js';

/** An address of documentation (RFC 5737), which no machine has, and a name that none may have (RFC 6761). */
const [NOT_OURS, NO_NAME] = ['192.0.2.1', 'aloft.invalid'];

test.each([
  ['http', 'HTTP'],
  ['grpc', 'gRPC'],
  ['metrics', 'metrics'],
])('%s says which address is none of this machine, and which name has none', async (key, service) => {
  const start = (host: string) => startTestServer({ options: { [key]: { host, port: 0 } } });
  await expect(start(NOT_OURS)).rejects.toMatchObject({
    code: 'USAGE',
    message: `${NOT_OURS} is no address of this machine, so ${service} cannot listen there; give one that is, or 0.0.0.0 for all, with --host or --${key}-address.`,
  });
  await expect(start(NO_NAME)).rejects.toMatchObject({
    code: 'USAGE',
    message: `${NO_NAME}, where ${service} should listen, cannot be resolved to an address; correct --host or --${key}-address.`,
  });
});

test('a port that needs rights, and what nobody foresaw', () => {
  const fault = (text: string) => listenFault('HTTP', { host: '::1', port: 1 }, new Error(text));
  expect(fault('listen EACCES: permission denied ::1:1')).toMatchObject({
    code: 'USAGE',
    message: 'Port 1 for HTTP may not be opened by this user; choose one from 1024 with --http-port.',
  });
  expect(fault('listen EAFNOSUPPORT')).toMatchObject({
    code: 'USAGE',
    message: 'HTTP cannot listen at [::1]:1: listen EAFNOSUPPORT.',
  });
});
