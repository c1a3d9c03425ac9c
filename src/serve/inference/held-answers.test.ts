import { expect, test } from 'vitest';
import type { TextEvent } from '../../core/generate.js';
import { REQUEST_LIMITS } from '../../core/request-limits.js';
import { startTestServer } from '../testing/test-server.js';
import { HeldAnswers } from './held-answers.js';

const withLogits = (count: number): TextEvent => ({
  type: 'text',
  sequence: 0,
  text: '',
  tokenIds: [],
  logprobs: undefined,
  logits: new Float32Array(count),
});

test('all answers together have a limit, and give back what they held', () => {
  const held = new HeldAnswers(1000);
  const [first, second] = [held.open(), held.open()];
  first.add([withLogits(100)]);
  second.add([withLogits(100)]);
  expect(() => second.add([withLogits(100)])).toThrow(expect.objectContaining({ code: 'SERVER_BUSY' }));
  expect(held.bytes).toBe(800);
  first.release();
  first.release();
  second.add([withLogits(100)]);
  second.release();
  expect(held.bytes).toBe(0);
});

test('a whole answer has a limit of log probabilities, a stream has none, and nothing stays', async () => {
  const { max } = REQUEST_LIMITS.answerLogprobs;
  const tokenCount = Math.ceil(max / 21) + 10;
  const server = await startTestServer({ script: { answer: () => 'w'.repeat(tokenCount), tokenMs: 0 } });
  const ask = (path: string, body: object) =>
    fetch(server.httpUrl + path, { method: 'POST', body: JSON.stringify({ model: 'ensemble', ...body }) });
  try {
    const long = { logprobs: 20, max_tokens: tokenCount };
    const whole = await ask('/v1/completions', { prompt: 'a', ...long });
    expect([whole.status, await whole.text()]).toEqual([
      400,
      expect.stringContaining(`at most ${max} are accepted`),
    ]);
    const messages = [{ role: 'user', content: 'a' }];
    const chat = { messages, ...long, logprobs: true, top_logprobs: 20 };
    expect((await ask('/v1/chat/completions', chat)).status).toBe(400);
    const short = await ask('/v1/completions', { prompt: 'a', logprobs: 20, max_tokens: 100 });
    expect(short.status).toBe(200);
    await short.text();
    const stream = await ask('/v1/completions', { prompt: 'a', ...long, stream: true });
    expect(await stream.text()).toContain('[DONE]');
    expect(server.server.context.heldAnswers.bytes).toBe(0);
  } finally {
    await server.close();
  }
});
