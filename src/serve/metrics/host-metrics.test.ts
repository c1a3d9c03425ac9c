import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { registerHostMetrics } from './host-metrics.js';

test('the delay of the event loop is the longest since it was last asked for', async () => {
  const registry = new Registry();
  registerHostMetrics(registry);
  const delaySeconds = async () =>
    Number(/^aloft_event_loop_delay_seconds (\S+)$/m.exec(await registry.metrics())?.[1]);
  const turn = () => new Promise((resolve) => setTimeout(resolve, 50));
  await turn();
  const untilMs = performance.now() + 400;
  while (performance.now() < untilMs);
  await turn();
  expect(await delaySeconds()).toBeGreaterThan(0.35);
  await turn();
  expect(await delaySeconds()).toBeLessThan(0.35);
});
