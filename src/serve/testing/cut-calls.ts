/** Calls of every protocol that report how their answers end, and their text. */
import { Client, credentials, type ServiceError, status } from '@grpc/grpc-js';
import { fromBinary } from '@bufbuild/protobuf';
import {
  type ModelInferResponse,
  ModelInferResponseSchema,
  ModelStreamInferResponseSchema,
} from '../../protocol/gen/inference_pb.js';
import { writeGrpcRequest } from '../../protocol/grpc/infer-request.js';
import { numberTensor, textTensor } from '../../protocol/kserve/tensor.js';

/** End of an answer, as its client sees it. */
export interface Ending {
  readonly protocol: string;
  /** Code of the error that ended it, or the name of a gRPC status; undefined when it ended as an answer. */
  readonly code: string | undefined;
  /** Generated text, as far as it came. */
  readonly text: string;
}

export interface CallTarget {
  readonly httpUrl: string;
  readonly grpcAddress: string;
}

const SERVICE = '/inference.GRPCInferenceService';
const bytes = (message: Buffer) => message;

/** A call of each protocol, whole and streamed, for the most likely text. Close the client when all calls have ended. */
export function callsOf(target: CallTarget, prompt: string, maxTokens = 100) {
  const client = new Client(target.grpcAddress, credentials.createInsecure());
  const triton = { text_input: prompt, max_tokens: maxTokens, temperature: 0 };
  const common = { model: 'ensemble', max_tokens: maxTokens, temperature: 0 };
  const openAi = { ...common, prompt };
  const messages = [{ role: 'user', content: prompt }];
  const post = (path: string, body: object) => () => endOfPost(target.httpUrl + path, body);
  const calls: readonly (() => Promise<Ending>)[] = [
    post('/v2/models/ensemble/generate', triton),
    post('/v2/models/tensorrt_llm_bls/generate_stream', { ...triton, stream: true }),
    post('/v1/completions', openAi),
    post('/v1/completions', { ...openAi, stream: true }),
    post('/v1/chat/completions', { ...common, messages, stream: true }),
    () => endOfUnary(client, requestBytes(prompt, maxTokens)),
    () => endOfStream(client, requestBytes(prompt, maxTokens)),
  ];
  return { calls, close: () => client.close() };
}

function requestBytes(prompt: string, maxTokens: number): Buffer {
  const inputs = [
    textTensor('text_input', [1, 1], [prompt]),
    numberTensor('max_tokens', 'INT32', [1, 1], [maxTokens]),
    numberTensor('temperature', 'FP32', [1, 1], [0]),
  ];
  const request = { modelName: 'ensemble', modelVersion: '', id: '', parameters: {}, inputs, outputs: [] };
  return Buffer.from(writeGrpcRequest(request));
}

async function endOfPost(url: string, body: object): Promise<Ending> {
  const protocol = new URL(url).pathname;
  const answer = await fetch(url, { method: 'POST', body: JSON.stringify(body) });
  const content = await answer.text();
  const text = generatedText(content);
  if (answer.status !== 200) return { protocol, code: codeOf(content) ?? String(answer.status), text };
  const events = content.split('\n\n').filter((event) => event.includes('"error"'));
  return { protocol, code: events.map(codeOf).find((code) => code !== undefined), text };
}

/** Code of an error event, or of OpenAI's error object; Triton's error bodies have their status alone. */
function codeOf(text: string): string | undefined {
  return /"code":"(\w+)"/.exec(text)?.[1]?.toUpperCase();
}

/** Text of a body or of all events of a stream. */
function generatedText(content: string): string {
  const pieces = content.matchAll(/"(?:text_output|text|content)":("(?:[^"\\]|\\.)*")/g);
  return Array.from(pieces, ([, quoted]) => String(JSON.parse(quoted!))).join('');
}

/** Text of the output `text_output`, whose one element has its length before it. */
function outputText({ outputs, rawOutputContents }: ModelInferResponse): string {
  const raw = rawOutputContents[outputs.findIndex(({ name }) => name === 'text_output')];
  return raw === undefined ? '' : Buffer.from(raw.subarray(4)).toString('utf8');
}

async function endOfUnary(client: Client, message: Buffer): Promise<Ending> {
  const protocol = 'ModelInfer';
  return await new Promise((resolve) => {
    const end = (error: ServiceError | null, answer?: Buffer) => {
      if (error !== null) resolve({ protocol, code: status[error.code], text: '' });
      else
        resolve({
          protocol,
          code: undefined,
          text: outputText(fromBinary(ModelInferResponseSchema, answer!)),
        });
    };
    client.makeUnaryRequest(`${SERVICE}/ModelInfer`, bytes, bytes, message, end);
  });
}

async function endOfStream(client: Client, message: Buffer): Promise<Ending> {
  const protocol = 'ModelStreamInfer';
  return await new Promise((resolve) => {
    const stream = client.makeBidiStreamRequest(`${SERVICE}/ModelStreamInfer`, bytes, bytes);
    let code: string | undefined;
    let text = '';
    stream.on('data', (piece: Buffer) => {
      const { errorMessage, inferResponse } = fromBinary(ModelStreamInferResponseSchema, piece);
      const choice = inferResponse?.parameters['error_code']?.parameterChoice.value;
      if (errorMessage !== '') code = String(choice ?? 'UNKNOWN');
      else if (inferResponse !== undefined) text += outputText(inferResponse);
    });
    stream.on('error', (error: ServiceError) =>
      resolve({ protocol, code: status[error.code] ?? 'UNKNOWN', text }),
    );
    stream.on('end', () => resolve({ protocol, code, text }));
    stream.end(message);
  });
}
