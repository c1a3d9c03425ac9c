/** Each kind of input in three sizes, each twice the one before, up to its limit: work that grows faster than its input shows here. */
import { Client, credentials } from '@grpc/grpc-js';

const REPEATS = 7;
/** Answers below this are dominated by the way there and back. */
const FLOOR_MS = 8;
/** A doubling that takes longer than this is no linear work. */
const MAX_RATIO = 3;
const MIB = 2 ** 20;

const post = (path, body) => (target) =>
  fetch(target.http + path, { method: 'POST', body }).then((answer) => answer.arrayBuffer());
const GENERATE = '/v2/models/ensemble/generate';
const ids = (count) => Array.from({ length: count }, (_, i) => i % 4000);
const same = (message) => message;

const call = (bytes) => async (target) => {
  const client = (target.client ??= new Client(target.grpc, credentials.createInsecure()));
  await new Promise((resolve) => {
    client.makeUnaryRequest('/inference.GRPCInferenceService/ModelInfer', same, same, bytes, () => resolve());
  });
};

/** Kinds: the largest size, and the request of a size. */
const KINDS = {
  'escaped quotes behind digits': [
    1_900_000,
    (size) => post(GENERATE, `${'1'.repeat(16)}"${'\\"'.repeat(size)}`),
  ],
  'numbers of a list': [260_000, (size) => post(GENERATE, `{"text_input":[${'0,'.repeat(size)}0]}`)],
  'numbers and a wide one': [
    260_000,
    (size) => post(GENERATE, `{"x":[${'0,'.repeat(size)}12345678901234567890]}`),
  ],
  members: [
    16_000,
    (size) => post(GENERATE, JSON.stringify(Object.fromEntries(ids(size).map((_, i) => [`k${i}`, 0])))),
  ],
  levels: [64, (size) => post(GENERATE, '['.repeat(size) + ']'.repeat(size))],
  'a text of one letter': [
    1_900_000,
    (size) => post(GENERATE, JSON.stringify({ text_input: 'a'.repeat(size), max_tokens: 1 })),
  ],
  'a text that fits': [
    512,
    (size) => post(GENERATE, JSON.stringify({ text_input: 'aq'.repeat(size), max_tokens: 1 })),
  ],
  'bad words': [
    256,
    (size) =>
      post(
        GENERATE,
        JSON.stringify({ text_input: 'a', max_tokens: 1, bad_words: ids(size).map((id) => `w${id}`) }),
      ),
  ],
  'commas of words': [
    32_000,
    (size) => post(GENERATE, JSON.stringify({ text_input: 'a', max_tokens: 1, bad_words: ','.repeat(size) })),
  ],
  'stop token ids': [
    1000,
    (size) =>
      post(
        '/v1/completions',
        JSON.stringify({ model: 'ensemble', prompt: 'a', max_tokens: 1, stop_token_ids: ids(size) }),
      ),
  ],
  messages: [
    2000,
    (size) =>
      post(
        '/v1/chat/completions',
        JSON.stringify({
          model: 'ensemble',
          max_tokens: 1,
          messages: ids(size).map(() => ({ role: 'user', content: 'a' })),
        }),
      ),
  ],
  'control tokens': [
    100_000,
    (size) =>
      post(
        '/v1/chat/completions',
        JSON.stringify({
          model: 'ensemble',
          max_tokens: 1,
          messages: [{ role: 'user', content: '</s>'.repeat(size) }],
        }),
      ),
  ],
  'fields of a message': [4000, (size) => call(Buffer.alloc(2 * size, Buffer.from([0x2a, 0])))],
  'fields beyond the limit': [4 * MIB, (size) => call(Buffer.alloc(2 * size, Buffer.from([0x2a, 0])))],
};

/** @returns an entry for each kind, with the fastest answer of each of its three sizes, ms */
export async function attackByDoubling(target) {
  const entries = [];
  for (const [name, [largest, request]] of Object.entries(KINDS)) {
    const fastest = [];
    for (const size of [largest / 4, largest / 2, largest]) {
      const send = request(Math.floor(size));
      const times = [];
      for (let i = 0; i < REPEATS; i++) {
        const startMs = performance.now();
        await send(target);
        times.push(performance.now() - startMs);
      }
      fastest.push(times.toSorted((a, b) => a - b)[0]);
    }
    const ratios = [1, 2].map((i) => Math.max(fastest[i], FLOOR_MS) / Math.max(fastest[i - 1], FLOOR_MS));
    const isHeld = ratios.every((ratio) => ratio <= MAX_RATIO);
    entries.push({
      name,
      largest,
      fastestMs: fastest.map((ms) => Number(ms.toFixed(1))),
      ratios: ratios.map((ratio) => Number(ratio.toFixed(2))),
      isHeld,
    });
  }
  target.client?.close();
  return entries;
}
