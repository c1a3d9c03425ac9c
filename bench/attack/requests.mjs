/** Valid requests with a few bytes changed, over every protocol. */
import { Client, credentials, status } from '@grpc/grpc-js';
import { writeGrpcRequest } from '../../dist/protocol/grpc/infer-request.js';
import { numberTensor, textTensor } from '../../dist/protocol/kserve/tensor.js';
import { mutate, Random } from '../../dist/serve/testing/mutate.js';

const GENERATE = '{"text_input":"a\\u00e9","max_tokens":3,"id":"i","temperature":0.5,"parameters":{"x":1}}';
const BODIES = [
  ['/v2/models/ensemble/generate', GENERATE],
  ['/v2/models/tensorrt_llm_bls/generate_stream', GENERATE.replace('"id"', '"stream":true,"id"')],
  [
    '/v2/models/tensorrt_llm/infer',
    '{"inputs":[{"name":"input_ids","shape":[1,2],"datatype":"INT32","data":[[5,6]]},{"name":"input_lengths","shape":[1,1],"datatype":"INT32","data":[2]},{"name":"request_output_len","shape":[1,1],"datatype":"INT32","data":[3]}]}',
  ],
  [
    '/v1/completions',
    '{"model":"ensemble","prompt":[[1,2],[3]],"max_tokens":3,"echo":true,"temperature":0.5}',
  ],
  [
    '/v1/chat/completions',
    '{"model":"ensemble","messages":[{"role":"user","content":[{"type":"text","text":"a"}]}],"max_tokens":3,"n":2,"stop":["a"],"stream":true}',
  ],
  ['/v2/trace/setting', '{"trace_level":["TIMESTAMPS"],"trace_rate":"1000"}'],
  ['/v2/logging', '{"log_verbose_level":0}'],
  ['/v2/repository/index', '{"ready":true}'],
];
const SERVICE = '/inference.GRPCInferenceService/';
const MESSAGE = writeGrpcRequest({
  modelName: 'ensemble',
  modelVersion: '1',
  id: 'i',
  parameters: { a: 1, b: 'c', d: true },
  inputs: [textTensor('text_input', [1, 1], ['x']), numberTensor('max_tokens', 'INT32', [1, 1], [3])],
  outputs: [{ name: 'text_output', parameters: {} }],
});

async function repeat(count, one) {
  let next = 0;
  const work = async () => {
    while (next < count) await one(next++);
  };
  await Promise.all(Array.from({ length: 32 }, work));
}

/** @returns counts of answers by kind, and the inputs that were answered with a fault of the server */
export async function attackWithRequests(target, counts) {
  const answers = {};
  const faults = [];
  const note = (kind) => (answers[kind] = (answers[kind] ?? 0) + 1);
  const random = new Random(6);
  await repeat(counts.http, async (index) => {
    const [path, valid] = BODIES[index % BODIES.length];
    const body = mutate(Buffer.from(valid), random);
    try {
      const answer = await fetch(target.http + path, { method: 'POST', body });
      const text = await answer.text();
      note(`HTTP ${answer.status}`);
      if (answer.status >= 500 || /Internal error/.test(text))
        faults.push(`${path} ${answer.status} ${text.slice(0, 200)} ${Buffer.from(body).toString('hex')}`);
    } catch (error) {
      faults.push(`${path} ${error.cause?.code ?? error.message} ${Buffer.from(body).toString('hex')}`);
    }
  });
  const client = new Client(target.grpc, credentials.createInsecure());
  const same = (message) => message;
  await repeat(counts.grpc, async (index) => {
    const message = Buffer.from(mutate(MESSAGE, random));
    const code = await new Promise((resolve) => {
      const end = (error) => resolve(error?.code ?? status.OK);
      if (index % 2 === 0) return client.makeUnaryRequest(`${SERVICE}ModelInfer`, same, same, message, end);
      const stream = client.makeBidiStreamRequest(`${SERVICE}ModelStreamInfer`, same, same);
      stream.on('data', () => undefined);
      stream.on('error', end);
      stream.on('end', () => end());
      stream.end(message);
    });
    note(`gRPC ${status[code]}`);
    if ([status.UNKNOWN, status.INTERNAL, status.UNAVAILABLE].includes(code))
      faults.push(`gRPC ${status[code]} ${message.toString('hex')}`);
  });
  client.close();
  return { requestCount: counts.http + counts.grpc, answers, faults };
}
