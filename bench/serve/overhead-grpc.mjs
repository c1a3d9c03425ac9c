/** A part of overhead.mjs: a gRPC client on one raw HTTP/2 connection. */
import { connect } from 'node:http2';
import { ensembleRequest, encode, decode, textsOf } from '../../dist/serve/testing/independent-grpc.js';

/** End of a request's last answer: `triton_final_response` in its parameters, true. */
const FINAL = Buffer.from('triton_final_response\x12\x02\x08\x01', 'latin1');

/** @param keepsStreams each worker has one stream for all its requests, as Triton's `start_stream` gives it; else each request is a call */
export function grpcClient(port, { keepsStreams }) {
  const session = connect(`http://127.0.0.1:${port}`);
  const streams = [];
  return (prompt, tokens, worker) => {
    const frame = grpcFrame(prompt, tokens);
    const startMs = performance.now();
    if (!keepsStreams) return wholeCall(openStream(session), frame, startMs);
    return oneOfMany((streams[worker] ??= openStream(session)), frame, startMs);
  };
}

function openStream(session) {
  return session.request({
    ':method': 'POST',
    ':path': '/inference.GRPCInferenceService/ModelStreamInfer',
    'content-type': 'application/grpc',
    te: 'trailers',
  });
}

function wholeCall(stream, frame, startMs) {
  return new Promise((resolve, reject) => {
    const parts = [];
    let ttftMs;
    stream.on('data', (chunk) => {
      ttftMs ??= performance.now() - startMs;
      parts.push(chunk);
    });
    stream.on('close', () => resolve({ ttftMs, parts }));
    stream.on('error', reject);
    stream.end(frame);
  });
}

function oneOfMany(stream, frame, startMs) {
  return new Promise((resolve, reject) => {
    const parts = [];
    let ttftMs;
    const onData = (chunk) => {
      ttftMs ??= performance.now() - startMs;
      // The mark may lie across two chunks.
      const tail = parts.at(-1)?.subarray(-FINAL.length) ?? Buffer.alloc(0);
      parts.push(chunk);
      if (!chunk.includes(FINAL) && !Buffer.concat([tail, chunk.subarray(0, FINAL.length)]).includes(FINAL))
        return;
      stream.off('data', onData).off('close', onClose);
      resolve({ ttftMs, parts });
    };
    const onClose = () => reject(new Error('The server ended the stream.'));
    stream.on('data', onData).on('close', onClose);
    stream.write(frame);
  });
}

function grpcFrame(prompt, tokens) {
  const message = encode('InferRequest', withTemperature(ensembleRequest(prompt, tokens, true)));
  const frame = Buffer.alloc(5 + message.length);
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, 5);
  return frame;
}

function withTemperature(request) {
  return {
    ...request,
    inputs: [...request.inputs, { name: 'temperature', datatype: 'FP32', shape: [1n, 1n] }],
    raw_input_contents: [...request.raw_input_contents, new Uint8Array(4)],
  };
}

export function grpcText(bytes) {
  let text = '';
  for (let at = 0; at < bytes.length;) {
    const length = bytes.readUInt32BE(at + 1);
    const message = decode('StreamResponse', bytes.subarray(at + 5, at + 5 + length));
    if (message.error_message) throw new Error(message.error_message);
    text += textsOf(message.infer_response).join('');
    at += 5 + length;
  }
  return text;
}
