import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { credentials } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { IndependentClient, ensembleRequest, textsOf } from './testing/independent-grpc.js';
import { startTestServer, type TestServer } from './testing/test-server.js';

const hasOpenssl = spawnSync('openssl', ['version']).status === 0;

describe.skipIf(!hasOpenssl)('TLS with client certificates [needs openssl: apt-get install openssl]', () => {
  let directory: string;
  let server: TestServer;
  const file = (name: string) => readFileSync(join(directory, name));

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'aloft-tls-'));
    const openssl = (...words: string[]) =>
      execFileSync('openssl', words, { cwd: directory, stdio: 'ignore' });
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
    const name = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
    openssl('req', '-x509', ...key, '-keyout', 'server.key', '-out', 'server.pem', ...name);
    openssl('req', '-x509', ...key, '-keyout', 'client.key', '-out', 'client.pem', '-subj', '/CN=client');
    const tls = {
      certificate: file('server.pem').toString(),
      key: file('server.key').toString(),
      clientAuthority: file('client.pem').toString(),
    };
    server = await startTestServer({ options: { tls } });
  });
  afterAll(async () => {
    await server?.close();
    rmSync(directory, { recursive: true, force: true });
  });

  const ready = async (withCertificate: boolean) =>
    await new Promise<number | string>((resolve) => {
      const client = withCertificate ? { cert: file('client.pem'), key: file('client.key') } : {};
      request(
        `${server.httpUrl}/v2/health/ready`,
        { ca: file('server.pem'), agent: false, ...client },
        (response) => {
          response.resume();
          resolve(response.statusCode ?? 0);
        },
      )
        .on('error', () => resolve('refused'))
        .end();
    });

  test('HTTP', async () => {
    expect([await ready(true), await ready(false)]).toEqual([200, 'refused']);
  });

  test('gRPC', async () => {
    const address = server.grpcAddress;
    const good = new IndependentClient(
      address,
      credentials.createSsl(file('server.pem'), file('client.key'), file('client.pem')),
    );
    expect(textsOf(await good.call('ModelInfer', ensembleRequest('a', 8, false)))).toEqual(['a echo of']);
    good.close();
    const anonymous = new IndependentClient(address, credentials.createSsl(file('server.pem')));
    await expect(anonymous.call('ServerLive', {}, { deadlineMs: 1000 })).rejects.toThrow();
    anonymous.close();
  });
});
