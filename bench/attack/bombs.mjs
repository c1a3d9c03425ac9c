/** Requests that are small to send and large to answer. Each is sent to a running server while another client watches. */
import { connect } from 'node:net';
import { connect as connectHttp2 } from 'node:http2';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { Client, credentials } from '@grpc/grpc-js';

const GENERATE = '/v2/models/ensemble/generate';
const INFER = '/v2/models/tensorrt_llm/infer';
const COMPLETIONS = '/v1/completions';
const CHAT = '/v1/chat/completions';
const MIB = 2 ** 20;

/** @returns status of an answer, or the code of a connection that ended */
async function post(target, path, body, headers = {}) {
  try {
    const answer = await fetch(target.http + path, { method: 'POST', body, headers });
    const text = await answer.text();
    return { status: answer.status, isCoded: answer.status < 500 || /"(error|code)"/.test(text) };
  } catch (error) {
    return { status: error.cause?.code ?? error.message, isCoded: true };
  }
}

const json = (path, value) => (target) => post(target, path, JSON.stringify(value));
const text = (path, body, headers) => (target) => post(target, path, body, headers);
const generate = (fields) => json(GENERATE, { text_input: 'a', max_tokens: 4, ...fields });
const complete = (fields) => json(COMPLETIONS, { model: 'ensemble', prompt: 'a', max_tokens: 4, ...fields });
const chat = (messages, fields) => json(CHAT, { model: 'ensemble', messages, max_tokens: 4, ...fields });

/** A gRPC call with these bytes as its message. */
const call = (method, bytes) => async (target) => {
  const client = new Client(target.grpc, credentials.createInsecure());
  const same = (message) => message;
  const code = await new Promise((resolve) => {
    client.makeUnaryRequest(method, same, same, bytes, (error) => resolve(error?.code ?? 0));
  });
  client.close();
  return { status: `grpc ${code}`, isCoded: code !== 2 };
};
const INFERENCE = '/inference.GRPCInferenceService/';

/** Many connections that send a head and then nothing, or a byte now and then. */
const slowBodies = (count, isDripping) => async (target) => {
  const sockets = Array.from({ length: count }, () => {
    const socket = connect({ host: '127.0.0.1', port: target.httpPort });
    socket.on('error', () => undefined);
    socket.resume();
    socket.write(
      `POST ${GENERATE} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4000000\r\n\r\n${'x'.repeat(1000)}`,
    );
    return socket;
  });
  const closed = Promise.all(
    sockets.map((socket) => new Promise((resolve) => socket.once('close', resolve))),
  );
  const drip = isDripping
    ? setInterval(() => sockets.forEach((socket) => socket.writable && socket.write('x')), 100)
    : 0;
  const startMs = performance.now();
  await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, 15_000))]);
  clearInterval(drip);
  const left = sockets.filter((socket) => !socket.closed).length;
  for (const socket of sockets) socket.destroy();
  const seconds = ((performance.now() - startMs) / 1000).toFixed(0);
  return {
    status: left === 0 ? `closed in ${seconds} s` : `${left} open after ${seconds} s`,
    isCoded: left === 0,
  };
};

/** What one connection sends at once, and whether the server has closed it. */
const ahead =
  (text, waitMs = 3000) =>
  async (target) => {
    const socket = connect({ host: '127.0.0.1', port: target.httpPort });
    const closed = new Promise((resolve) => socket.once('close', () => resolve('closed')));
    socket.on('error', () => undefined);
    socket.resume();
    socket.write(text);
    const status = await Promise.race([closed, sleep(waitMs, 'open')]);
    socket.destroy();
    return { status, isCoded: true };
  };
const CHUNKED = `POST ${INFER} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n`;
const SMALL_REQUEST = `POST ${GENERATE} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 34\r\n\r\n{"text_input":"a","max_tokens": 4}`;

/** Streams of one connection, each with the same bytes, which their client never ends. */
const openStreams = (count, bytes, headers) => async (target) => {
  const session = connectHttp2(`http://${target.grpc}`);
  session.on('error', () => undefined);
  session.setMaxListeners(0);
  for (let i = 0; i < count; i++) {
    const stream = session.request({
      ':method': 'POST',
      ':path': `${INFERENCE}ModelStreamInfer`,
      'content-type': 'application/grpc',
      te: 'trailers',
      ...headers,
    });
    stream.on('error', () => undefined);
    stream.resume();
    stream.write(bytes);
  }
  await sleep(4000);
  session.destroy();
  return { status: 'cut', isCoded: true };
};
const framed = (message, isPacked) => {
  const head = Buffer.alloc(5);
  head[0] = isPacked ? 1 : 0;
  head.writeUInt32BE(isPacked ? message.length : 60 * MIB, 1);
  return Buffer.concat([head, message]);
};

const called = (argumentText) =>
  chat([
    { role: 'user', content: 'a' },
    {
      role: 'assistant',
      content: null,
      tool_calls: [{ id: 'x', type: 'function', function: { name: 'f', arguments: argumentText } }],
    },
    { role: 'user', content: 'b' },
  ]);

/** Pages that look at the server at the same time. */
const viewers = (count) => async (target) => {
  const controller = new AbortController();
  const view = async () => {
    const answer = await fetch(`${target.http}/aloft/live`, { signal: controller.signal });
    for await (const _ of answer.body);
    return answer.status;
  };
  const all = Array.from({ length: count }, () => view().catch(() => 0));
  await sleep(2000);
  controller.abort();
  const statuses = await Promise.all(all);
  return { status: `${statuses.filter((one) => one === 503).length} refused`, isCoded: true };
};

/** Prompts of one request beside the second client's. */
const manyPrompts = complete({ prompt: Array.from({ length: 256 }, (_, i) => `word ${i}`), max_tokens: 16 });

/** Inputs, each with its type, shape and bytes, as raw tensors. */
const rawTensors = (model, tensors) => {
  const inputs = tensors.map(([name, datatype, shape, bytes]) => ({
    name,
    datatype,
    shape,
    parameters: { binary_data_size: bytes.length },
  }));
  const head = JSON.stringify({ inputs });
  const headers = { 'inference-header-content-length': String(head.length) };
  const chunks = tensors.map(([, , , bytes]) => bytes);
  return text(`/v2/models/${model}/infer`, Buffer.concat([Buffer.from(head), ...chunks]), headers);
};
const raw = (name, bytes) => rawTensors('tensorrt_llm', [[name, 'BYTES', [1, 1], bytes]]);
const int32 = (count, value = 5) => Buffer.from(new Int32Array(count).fill(value).buffer);
const ids = (name, shape, value) => [
  name,
  'INT32',
  shape,
  int32(
    shape.reduce((product, dim) => product * dim, 1),
    value,
  ),
];
const prompt = (count) => [
  ids('input_ids', [1, count]),
  ids('input_lengths', [1, 1], count),
  ids('request_output_len', [1, 1], 2),
];
const query = (length) => {
  const bytes = Buffer.alloc(4 + length, 'word ');
  bytes.writeUInt32LE(length);
  return [['QUERY', 'BYTES', [1, 1], bytes], ids('REQUEST_OUTPUT_LEN', [1, 1], 2)];
};

/** 60 KiB that become 60 MiB. */
const GZIP_BOMB = gzipSync(Buffer.alloc(60 * MIB, ' '));

const bias = Object.fromEntries(Array.from({ length: 4000 }, (_, i) => [i, 1e9]));

export const BOMBS = {
  'digits, a quote and escaped quotes, 1 MiB': text(GENERATE, `${'1'.repeat(16)}"${'\\"'.repeat(MIB / 2)}`),
  'the same to the log settings': text('/v2/logging', `${'1'.repeat(16)}"${'\\"'.repeat(MIB / 4)}`),
  '57 MiB of {}': text(GENERATE, `[${'{},'.repeat(19 * MIB)}1]`),
  '4 MiB of {}': text(GENERATE, `[${'{},'.repeat(MIB)}1]`),
  '4 MiB of keys': text(GENERATE, `{${Array.from({ length: 500_000 }, (_, i) => `"${i}":0`).join()}}`),
  '30,000 keys': text(GENERATE, `{${Array.from({ length: 30_000 }, (_, i) => `"${i}":0`).join()}}`),
  '260,000 numbers and a wide one': text(
    GENERATE,
    `{"text_input":[${'0,'.repeat(260_000)}12345678901234567890]}`,
  ),
  'a million levels': text(CHAT, `{"chat_template_kwargs":${'['.repeat(MIB)}${']'.repeat(MIB)}}`),
  'a million levels of objects': text(COMPLETIONS, '{"a":'.repeat(700_000)),
  '4 MB of one text': generate({ text_input: 'a'.repeat(4_000_000) }),
  '4 MB of spaces': generate({ text_input: ' '.repeat(4_000_000) }),
  '4 MB of text to the chat': chat([{ role: 'user', content: 'word '.repeat(800_000) }]),
  '4 MB of text, cut': complete({ prompt: 'word '.repeat(800_000), truncate_prompt_tokens: 4 }),
  '57 MiB of commas as stop words': generate({ stop_words: ','.repeat(57 * MIB) }),
  '4 MB of commas as bad words': generate({ bad_words: ','.repeat(4_000_000) }),
  '32 KiB of commas as bad words': generate({ bad_words: 'a,'.repeat(16_000) }),
  '20,000 bad words': generate({
    bad_words: JSON.stringify(Array.from({ length: 20_000 }, (_, i) => `w${i}`)),
  }),
  '256 bad words': generate({
    bad_words: JSON.stringify(Array.from({ length: 256 }, (_, i) => `word ${i}`)),
  }),
  '64 stop words of 1,000 characters': complete({
    stop: Array.from({ length: 64 }, (_, i) => `${i}`.repeat(200)),
  }),
  'a stop word of a megabyte': complete({ stop: 'x'.repeat(MIB) }),
  '100,000 stop token ids': complete({ stop_token_ids: Array.from({ length: 100_000 }, (_, i) => i % 4000) }),
  '20,000 messages': chat(Array.from({ length: 20_000 }, () => ({ role: 'user', content: 'a' }))),
  '2,000 messages': chat(Array.from({ length: 2000 }, () => ({ role: 'user', content: 'a' }))),
  '10,000 parts': chat([
    { role: 'user', content: Array.from({ length: 10_000 }, () => ({ type: 'text', text: 'a' })) },
  ]),
  '5,000 tools': chat([{ role: 'user', content: 'a' }], {
    tools: Array.from({ length: 5000 }, () => ({ type: 'function', function: { name: 'f' } })),
  }),
  'control tokens in 1 MB': chat([{ role: 'user', content: '</s><s>'.repeat(140_000) }]),
  '256 prompts': manyPrompts,
  '128 sequences': complete({ n: 128, max_tokens: 64 }),
  'the logits of a long prompt as JSON': generate({
    text_input: 'word '.repeat(200),
    return_context_logits: true,
  }),
  'echo with log probabilities': complete({ prompt: 'word '.repeat(200), echo: true, logprobs: 20 }),
  'temperature 1e-38 with top_k': generate({ temperature: 1e-38, top_k: 5 }),
  'temperature 1e-40': generate({ temperature: 1e-40 }),
  'a bias of 1e39': complete({ logit_bias: { 5: 1e39 } }),
  'repetition penalty 1e-40': generate({ repetition_penalty: 1e-40 }),
  'frequency penalty -3e38': generate({ frequency_penalty: -3e38 }),
  '4,000 biases': complete({ logit_bias: bias }),
  '16 million empty texts': raw('input_ids', Buffer.alloc(60 * MIB)),
  '60,000 empty texts': raw('text_input', Buffer.alloc(240_000)),
  '15 million raw ids': rawTensors('tensorrt_llm', prompt(15 * MIB)),
  'a million raw ids': rawTensors('tensorrt_llm', prompt(MIB - 4)),
  '15 million raw biases': rawTensors('tensorrt_llm', [
    ...prompt(3),
    ['embedding_bias', 'FP32', [1, 15 * MIB], int32(15 * MIB)],
  ]),
  '250,000 raw biases': rawTensors('tensorrt_llm', [
    ...prompt(3),
    ['embedding_bias', 'FP32', [1, 250_000], int32(250_000, 0x3f800000)],
  ]),
  'a raw token list of seven million': rawTensors('tensorrt_llm', [
    ...prompt(3),
    ids('bad_words_list', [1, 2, 7 * MIB], 1),
  ]),
  '8 MB to the preprocessing model': rawTensors('preprocessing', query(8_000_000)),
  '1 MB to the preprocessing model': rawTensors('preprocessing', query(1_000_000)),
  '15 million ids to decode': rawTensors('postprocessing', [ids('TOKENS_BATCH', [1, 1, 15 * MIB])]),
  '260,000 ids to decode': rawTensors('postprocessing', [ids('TOKENS_BATCH', [1, 1, 260_000])]),
  'a million rows to decode': rawTensors('postprocessing', [ids('TOKENS_BATCH', [1, MIB, 1])]),
  'a gzip bomb': text(INFER, GZIP_BOMB, { 'content-encoding': 'gzip' }),
  '40 gzip bombs at once': async (target) =>
    (
      await Promise.all(
        Array.from({ length: 40 }, () =>
          post(target, INFER, GZIP_BOMB, {
            'content-encoding': 'gzip',
            'inference-header-content-length': '10',
          }),
        ),
      )
    ).at(-1),
  '8 MiB of empty gRPC inputs': call(`${INFERENCE}ModelInfer`, Buffer.alloc(8 * MIB, Buffer.from([0x2a, 0]))),
  '60 MiB of empty gRPC inputs': call(
    `${INFERENCE}ModelInfer`,
    Buffer.alloc(60 * MIB, Buffer.from([0x2a, 0])),
  ),
  '8 MiB of gRPC map entries': call(`${INFERENCE}ModelInfer`, Buffer.alloc(8 * MIB, Buffer.from([0x22, 0]))),
  '60 MiB to ServerLive': call(`${INFERENCE}ServerLive`, Buffer.alloc(60 * MIB, Buffer.from([0x2a, 0]))),
  'a long model name over gRPC': call(
    `${INFERENCE}ModelConfig`,
    Buffer.concat([Buffer.from([0x0a, 0x80, 0x80, 0x40]), Buffer.alloc(MIB, 'x')]),
  ),
  '500 bodies that stop': slowBodies(500, false),
  '100 bodies that drip': slowBodies(100, true),
  'two million chunks of a byte': ahead(CHUNKED + '1\r\n \r\n'.repeat(2_000_000)),
  '5,000 requests ahead': ahead(SMALL_REQUEST.repeat(5000)),
  '100 streams of 10 MB that do not end': openStreams(100, framed(Buffer.alloc(10 * MIB), false)),
  '40 packed messages of 60 MiB': openStreams(40, framed(GZIP_BOMB, true), { 'grpc-encoding': 'gzip' }),
  '1.5 million numbers in the arguments of a call': called(`[${'0,'.repeat(1_500_000)}0]`),
  '100,000 members in the arguments of a call': called(
    `{${Array.from({ length: 100_000 }, (_, i) => `"k${i}":0`).join()}}`,
  ),
  '1,000 pages that look': viewers(1000),
  'log probabilities of 256 long prompts': complete({
    prompt: Array.from({ length: 256 }, (_, i) => `${'word '.repeat(200)}${i}`),
    echo: true,
    logprobs: 20,
    max_tokens: 1,
  }),
  'a long path': text(`/v2/models/${'a'.repeat(4000)}/generate`, '{}'),
};
