import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { startTestServer } from '../testing/test-server.js';

test('every metric of the Grafana dashboard exists', async () => {
  const dashboard = readFileSync(new URL('../../../docs/grafana/aloft.json', import.meta.url), 'utf8');
  const wanted = new Set(
    [...dashboard.matchAll(/\b(?:aloft|nv)_[a-z_]+(?=\{|\\|,)/g)].map((match) => match[0]),
  );
  const server = await startTestServer();
  try {
    await fetch(`${server.httpUrl}/v2/models/ensemble/generate`, {
      method: 'POST',
      body: '{"text_input":"a","max_tokens":3}',
    });
    const text = await (await fetch(server.metricsUrl)).text();
    expect(wanted.size).toBeGreaterThan(15);
    expect([...wanted].filter((name) => !text.includes(`${name}{`))).toEqual([]);
  } finally {
    await server.close();
  }
});
