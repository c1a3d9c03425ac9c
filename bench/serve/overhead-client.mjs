/** A part of overhead.mjs: the server's client, with raw connections that stay open, as cheap as can be. */
import { connect } from 'node:net';
import { runClosedLoop } from './closed-loop.mjs';
import { grpcClient, grpcText } from './overhead-grpc.mjs';

const [api, portText] = process.argv.slice(2);
const port = Number(portText);
const workers = [];
const isGrpc = api.startsWith('grpc');
const request = isGrpc ? grpcClient(port, { keepsStreams: api === 'grpc' }) : httpRequest;

const HTTP_FORMS = {
  sse: {
    path: '/v2/models/ensemble/generate_stream',
    body: (prompt, tokens) => ({ text_input: prompt, max_tokens: tokens, temperature: 0, stream: true }),
    text: (frame) => frame.text_output,
  },
  openai: {
    path: '/v1/completions',
    body: (prompt, tokens) => ({
      model: 'ensemble',
      prompt,
      max_tokens: tokens,
      temperature: 0,
      stream: true,
    }),
    text: (frame) => frame.choices[0]?.text ?? '',
  },
};

process.on('message', (job) => void run(job).then((result) => process.send(result)));
process.once('disconnect', () => process.exit());
process.send('ready');

async function run(job) {
  const { answers, seconds } = await runClosedLoop(job, request);
  // Parsing is not a part of the measurement.
  return { seconds, answers: answers.map(({ ttftMs, parts }) => ({ ttftMs, text: textOf(parts) })) };
}

function textOf(parts) {
  const bytes = Buffer.concat(parts);
  return isGrpc ? grpcText(bytes) : httpText(bytes);
}

function httpRequest(prompt, tokens, worker) {
  const form = HTTP_FORMS[api];
  const body = Buffer.from(JSON.stringify(form.body(prompt, tokens)));
  const head = `POST ${form.path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n`;
  const socket = (workers[worker] ??= connect({ host: '127.0.0.1', port, noDelay: true }));
  return new Promise((resolve, reject) => {
    const parts = [];
    const startMs = performance.now();
    let ttftMs;
    const onData = (chunk) => {
      ttftMs ??= performance.now() - startMs;
      parts.push(chunk);
      if (chunk.toString('latin1', chunk.length - 5) !== '0\r\n\r\n') return;
      socket.off('data', onData).off('close', onClose);
      resolve({ ttftMs, parts });
    };
    const onClose = () => reject(new Error('The server closed the connection.'));
    socket.on('data', onData).on('close', onClose);
    socket.write(Buffer.concat([Buffer.from(head), body]));
  });
}

function httpText(bytes) {
  const [head, ...rest] = bytes.toString('latin1').split('\r\n\r\n');
  if (!head.startsWith('HTTP/1.1 200')) throw new Error(bytes.toString());
  const start = Buffer.byteLength(head, 'latin1') + 4;
  const form = HTTP_FORMS[api];
  return rest.length === 0
    ? ''
    : unchunked(bytes.subarray(start))
        .toString('utf8')
        .split('\n\n')
        .filter((line) => line.startsWith('data: {'))
        .map((line) => form.text(JSON.parse(line.slice('data: '.length))))
        .join('');
}

function unchunked(bytes) {
  const chunks = [];
  for (let at = 0; at < bytes.length;) {
    const lineEnd = bytes.indexOf('\r\n', at);
    const length = Number.parseInt(bytes.toString('latin1', at, lineEnd), 16);
    chunks.push(bytes.subarray(lineEnd + 2, lineEnd + 2 + length));
    at = lineEnd + 2 + length + 2;
  }
  return Buffer.concat(chunks);
}
