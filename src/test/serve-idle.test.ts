/** A server whose engine is unloaded while nobody asks it anything. */
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type DemoServer, metricOf, startDemoServer } from './demo-server.js';

let demo: DemoServer;
beforeAll(async () => {
  demo = await startDemoServer({ serve: { idleUnloadMs: 2000 } });
});
afterAll(() => demo.close());

const heldBytes = async () =>
  metricOf(await demo.metrics(), 'aloft_rank_memory_bytes', 'purpose="weights"') ?? 0;

test('memory is free while it is idle, the model stays ready, and requests are answered as before', async () => {
  const request = { model: 'ensemble', prompt: 'Once upon a time', max_tokens: 12, temperature: 0 };
  const answer = async () => {
    const reply = await demo.post('/v1/completions', request);
    return ((await reply.json()) as { choices: { text: string }[] }).choices[0]!.text;
  };
  const first = await answer();
  expect(first.length).toBeGreaterThan(10);
  for (let round = 0; round < 2; round++) {
    await vi.waitFor(async () => expect(await heldBytes()).toBe(0), { timeout: 30_000, interval: 100 });
    expect((await fetch(`${demo.httpUrl}/v2/health/ready`)).status).toBe(200);
    expect((await demo.post('/tokenize', { model: 'ensemble', prompt: 'a' })).status).toBe(200);
    const answers = await Promise.all([answer(), answer(), answer()]);
    expect(answers).toEqual([first, first, first]);
    expect(await heldBytes()).toBeGreaterThan(1e6);
  }
});
