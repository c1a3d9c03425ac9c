/** Malformed input for every codec: each is refused with a coded error, and none takes long or crashes. */
import { fromBinary } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { AloftError } from '../core/errors.js';
import { ModelInferRequestSchema } from '../protocol/gen/inference_pb.js';
import { parseConfigText } from '../protocol/grpc/config-text.js';
import { readGrpcRequest, writeGrpcRequest } from '../protocol/grpc/infer-request.js';
import { parseJsonObject } from '../protocol/json.js';
import { readGenerateRequest } from '../protocol/kserve/generate.js';
import { readInferRequest } from '../protocol/kserve/http-request.js';
import type { TensorMetadata } from '../protocol/kserve/infer.js';
import { numberTensor, textTensor } from '../protocol/kserve/tensor.js';
import { readChatRequest } from '../protocol/openai/chat-request.js';
import { readCompletionRequest } from '../protocol/openai/completion-request.js';
import { SseDecoder } from '../protocol/sse.js';
import { mutate, Random } from './testing/mutate.js';

const INPUT_COUNT = 20_000;

const INPUTS: readonly TensorMetadata[] = [
  { name: 'text_input', datatype: 'BYTES', shape: [-1, -1] },
  { name: 'max_tokens', datatype: 'INT32', shape: [-1, 1] },
  { name: 'ids', datatype: 'INT64', shape: [-1, 2, 3] },
  { name: 'flag', datatype: 'BOOL', shape: [-1, 1] },
];
const GENERATE =
  '{"text_input":"a\\u00e9","max_tokens":5,"ids":[1,2,3,4,5,6],"flag":true,"parameters":{"x":12345678901234567890}}';
const INFER = JSON.stringify({
  id: 'x',
  parameters: { binary_data_output: true },
  inputs: [
    { name: 'a', shape: [1, 2], datatype: 'BYTES', data: [['p', 'q']] },
    { name: 'b', shape: [1, 1], datatype: 'INT32', parameters: { binary_data_size: 4 } },
    { name: 'c', shape: [1, 1], datatype: 'BYTES', parameters: { binary_data_size: 5 } },
  ],
  outputs: [{ name: 'o', parameters: { binary_data: true } }],
});
const CHAT =
  '{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"a"}]}],"n":2,"stop":["a"],"seed":1,"logit_bias":{"5":1},"stream":true,"stream_options":{"include_usage":true}}';
const COMPLETION =
  '{"model":"m","prompt":[[1,2],[3]],"max_tokens":4,"echo":true,"logprobs":2,"temperature":0.5}';
const CONFIG =
  'name: "m"\nbackend: \'b\' # x\ninput [ { name: "i" data_type: TYPE_FP32 dims: [ -1, 2 ] } ]\nparameters { key: "k" value { string_value: "v" } }\nversion_policy: { all {} }\n';
const GRPC = writeGrpcRequest({
  modelName: 'm',
  modelVersion: '1',
  id: 'i',
  parameters: { a: 1, b: 'c', d: true, e: 0.5 },
  inputs: [textTensor('t', [1, 2], ['x', 'yy']), numberTensor('n', 'INT64', [1, 2], [1n, 2n])],
  outputs: [{ name: 'o', parameters: {} }],
});

const utf8 = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const INFER_BODY = Buffer.concat([Buffer.from(INFER), Buffer.from([1, 0, 0, 0, 1, 0, 0, 0, 65])]);

test.each<[string, Uint8Array, (bytes: Uint8Array) => unknown]>([
  [
    'generate',
    Buffer.from(GENERATE),
    (bytes) => readGenerateRequest(utf8(bytes), { name: 'm', version: '', inputs: INPUTS }),
  ],
  [
    'infer',
    INFER_BODY,
    (bytes) =>
      readInferRequest({
        body: bytes,
        jsonBytes: INFER.length,
        modelName: 'm',
        modelVersion: '',
        modelInputs: INPUTS,
      }),
  ],
  ['chat', Buffer.from(CHAT), (bytes) => readChatRequest(parseJsonObject(utf8(bytes)))],
  ['completion', Buffer.from(COMPLETION), (bytes) => readCompletionRequest(parseJsonObject(utf8(bytes)))],
  ['grpc', GRPC, (bytes) => readGrpcRequest(decodeOrRefuse(bytes))],
  ['config.pbtxt', Buffer.from(CONFIG), (bytes) => parseConfigText(utf8(bytes))],
  ['events', Buffer.from('data: {"a":1}\n\n: c\r\ndata: b\r\n\r\n'), (bytes) => new SseDecoder().push(bytes)],
])('%s', (_, valid, read) => {
  const random = new Random(12);
  read(valid);
  let refused = 0;
  for (let i = 0; i < INPUT_COUNT; i++) {
    const input = mutate(valid, random);
    try {
      read(input);
    } catch (error) {
      refused++;
      if (error instanceof AloftError && error.code !== 'INTERNAL') continue;
      throw new Error(`input ${i}: ${JSON.stringify(utf8(input))}`, { cause: error });
    }
  }
  expect(refused).toBeLessThan(INPUT_COUNT);
});

/** Answer of the gRPC library to bytes that are no message: the call ends with a status. */
function decodeOrRefuse(bytes: Uint8Array) {
  try {
    return fromBinary(ModelInferRequestSchema, bytes);
  } catch (cause) {
    throw new AloftError('REQUEST_INVALID', 'not a message', { cause });
  }
}

test('deeply nested JSON and text format are refused, not followed', () => {
  const nested = `{"inputs":[{"name":"a","shape":[1],"datatype":"INT32","data":${'['.repeat(50_000)}${']'.repeat(50_000)}}]}`;
  const source = {
    body: Buffer.from(nested),
    jsonBytes: undefined,
    modelName: 'm',
    modelVersion: '',
    modelInputs: INPUTS,
  };
  expect(() => readInferRequest(source)).toThrow(AloftError);
  expect(parseConfigText('model_warmup { inputs { key: "a" value { '.repeat(20_000)).type).toBe('fault');
});
