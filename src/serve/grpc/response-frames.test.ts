/** Encoded responses of streams, read by a decoder that shares nothing with the encoder. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { GrpcResponseEncoder, type StreamedResponse } from '../../protocol/grpc/infer-response.js';
import type { InferResponse } from '../../protocol/kserve/infer.js';
import { numberTensor, textTensor, type Tensor } from '../../protocol/kserve/tensor.js';
import {
  collect,
  decode,
  engineRequest,
  IndependentClient,
  rawInt32,
  rawText,
  type Message,
} from '../testing/independent-grpc.js';
import { startTestServer, type TestServer } from '../testing/test-server.js';

const NO_PARAMETERS = {};
const response = (...outputs: Tensor[]): InferResponse => ({
  modelName: 'm',
  modelVersion: '1',
  id: 'r',
  parameters: NO_PARAMETERS,
  outputs,
});

/** The messages of a piece as a client of gRPC cuts it: a flag, four bytes of length, the message. */
function messagesOf(frames: Uint8Array): Message[] {
  const bytes = Buffer.from(frames);
  const messages: Message[] = [];
  for (let at = 0; at < bytes.length;) {
    expect(bytes[at]).toBe(0);
    const end = at + 5 + bytes.readUInt32BE(at + 1);
    messages.push(decode('StreamResponse', bytes.subarray(at + 5, end))['infer_response'] as Message);
    at = end;
  }
  return messages;
}

const contentsOf = (message: Message) =>
  (message['raw_output_contents'] as Uint8Array[]).map((raw) => [...raw]);
const flagOf = (message: Message) =>
  ((message['parameters'] as Message)['last'] as Message)['bool_param'] === true;

describe('responses that are written as one piece', () => {
  const LAST = { last: true };
  const NOT_LAST = { last: false };

  test('are each what they were, whatever their lengths', () => {
    // Lengths of one, two and three bytes, of contents and of whole messages.
    const texts = ['', 'a', 'ü😀', 'x'.repeat(127), 'y'.repeat(128), 'é'.repeat(9000)];
    const list: StreamedResponse[] = texts.map((text, i) => ({
      response: response(textTensor('text', [1], [text]), numberTensor('ids', 'INT32', [1, 1], [-i])),
      more: i === texts.length - 1 ? LAST : NOT_LAST,
    }));
    const messages = messagesOf(new GrpcResponseEncoder().frames(list));
    expect(messages.map(contentsOf)).toEqual(texts.map((text, i) => [[...rawText(text)], [...rawInt32(-i)]]));
    expect(messages.map(flagOf)).toEqual(texts.map((_, i) => i === texts.length - 1));
  });

  test('have their own shapes and outputs, though the one before had others', () => {
    const shapes = [[1], [3], [1], [2], [100]].map(([length]) =>
      response(
        numberTensor(
          'ids',
          'INT32',
          [1, length!],
          Array.from({ length: length! }, () => length!),
        ),
      ),
    );
    const others = [
      response(numberTensor('scores', 'FP32', [2], [0.5, -2])),
      response(numberTensor('ids', 'FP32', [1, 1], [1])),
      response(),
      { ...response(), id: 'other' },
    ];
    const list = [...shapes, ...others].map((item) => ({ response: item }));
    const encoder = new GrpcResponseEncoder();
    const joined = messagesOf(encoder.frames(list));
    const alone = list.flatMap((item) => messagesOf(new GrpcResponseEncoder().frames([item])));
    expect(joined).toEqual(alone);
    expect(joined.slice(0, 5).map((message) => (message['outputs'] as Message[])[0]!['shape'])).toEqual(
      shapes.map(({ outputs }) => outputs[0]!.shape.map(BigInt)),
    );
    expect(joined.at(-1)!['id']).toBe('other');
  });
});

describe('a stream of token ids', () => {
  let server: TestServer;
  let client: IndependentClient;
  beforeAll(async () => {
    server = await startTestServer({ script: { answer: () => 'abcdefgh'.repeat(500) } });
    client = new IndependentClient(server.grpcAddress);
  });
  afterAll(async () => {
    client.close();
    await server.close();
  });

  test('has one token in each response, however many are there at once', async () => {
    const stream = client.stream();
    stream.write(engineRequest([97], 2000));
    stream.end();
    const responses = (await collect(stream)).map((message) => message['infer_response'] as Message);
    const names = (responses[0]!['outputs'] as Message[]).map(({ name }) => name);
    const ids = responses.map(
      (message) => (message['raw_output_contents'] as Uint8Array[])[names.indexOf('output_ids')]!,
    );
    expect(ids.every((raw) => raw.length === 4)).toBe(true);
    const tokens = ids.map((raw) => Buffer.from(raw).readInt32LE(0));
    const [first] = tokens;
    expect(tokens).toEqual(Array.from({ length: 2000 }, (_, i) => first! + (i % 8)));
  });
});
