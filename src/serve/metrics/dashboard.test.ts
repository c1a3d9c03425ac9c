import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { startTestServer, type TestServer } from '../testing/test-server.js';

const read = (name: string): string =>
  readFileSync(new URL(`../../../docs/grafana/${name}`, import.meta.url), 'utf8');

let server: TestServer;
let metrics: string;
beforeAll(async () => {
  server = await startTestServer();
  const ask = (body: string) =>
    fetch(`${server.httpUrl}/v2/models/ensemble/generate`, { method: 'POST', body });
  await ask('{"text_input":"a","max_tokens":3}');
  await ask('{"text_input":"a","max_tokens":-3}');
  metrics = await (await fetch(server.metricsUrl)).text();
});
afterAll(() => server.close());

const exists = (name: string): boolean => new RegExp(`^${name}[{ ]`, 'm').test(metrics);
const NAME = /\b(?:aloft|nv|process|nodejs)_[a-z_]+\b/g;

test('every metric of the Grafana dashboard exists', () => {
  const wanted = new Set([...read('aloft.json').matchAll(NAME)].map(([name]) => name));
  expect(wanted.size).toBeGreaterThan(15);
  expect([...wanted].filter((name) => !exists(name))).toEqual([]);
});

interface Alerts {
  readonly groups: readonly { readonly rules: readonly Rule[] }[];
}
interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly annotations: { readonly summary: string };
}
const rules = (parse(read('alerts.yml')) as Alerts).groups.flatMap((group) => group.rules);

test.each(rules.map(({ alert, expr }) => [alert, expr]))(
  'every metric of the alert %s exists, and the guide explains it',
  (alert, expr) => {
    const names = [...expr.matchAll(NAME)].map(([name]) => name);
    expect(names.filter((name) => !exists(name))).toEqual([]);
    expect(names.length + Number(expr.startsWith('up{'))).toBeGreaterThan(0);
    expect(readFileSync(new URL('../../../docs/guide/alerts.md', import.meta.url), 'utf8')).toContain(
      `\`${alert}\``,
    );
  },
);

test('Prometheus scrapes the metrics at their default port, with these rules', () => {
  const config = parse(read('prometheus.yml')) as {
    rule_files: string[];
    scrape_configs: { job_name: string; static_configs: { targets: string[] }[] }[];
  };
  expect(config.rule_files).toEqual(['alerts.yml']);
  expect(config.scrape_configs[0]).toMatchObject({
    job_name: 'aloft',
    static_configs: [{ targets: ['localhost:8002'] }],
  });
});

test('memory, files and event loop of the process are there', () => {
  for (const name of [
    'process_resident_memory_bytes',
    'process_open_fds',
    'nodejs_eventloop_lag_p99_seconds',
  ])
    expect(exists(name), name).toBe(true);
});

test('who asks for metrics at the port of requests learns where they are', async () => {
  const { status, body } = await fetch(`${server.httpUrl}/metrics`).then(async (response) => ({
    status: response.status,
    body: await response.text(),
  }));
  expect(status).toBe(404);
  expect(body).toContain('--metrics-port (8002 unless it is given)');
});
