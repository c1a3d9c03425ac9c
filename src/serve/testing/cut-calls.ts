/** Calls of every protocol that report how their answers end. */
import { Client, credentials, type ServiceError, status } from '@grpc/grpc-js';
import { fromBinary } from '@bufbuild/protobuf';
import { ModelStreamInferResponseSchema } from '../../protocol/gen/inference_pb.js';
import { writeGrpcRequest } from '../../protocol/grpc/infer-request.js';
import { numberTensor, textTensor } from '../../protocol/kserve/tensor.js';

/** End of an answer, as its client sees it. */
export interface Ending {
  readonly protocol: string;
  /** Code of the error that ended it, or the name of a gRPC status; undefined when it ended as an answer. */
  readonly code: string | undefined;
}

export interface CallTarget {
  readonly httpUrl: string;
  readonly grpcAddress: string;
}

const SERVICE = '/inference.GRPCInferenceService';
const bytes = (message: Buffer) => message;

/** A call of each protocol, whole and streamed. Close the client when all calls have ended. */
export function callsOf(target: CallTarget, prompt: string) {
  const client = new Client(target.grpcAddress, credentials.createInsecure());
  const triton = { text_input: prompt, max_tokens: 100 };
  const openAi = { model: 'ensemble', prompt, max_tokens: 100 };
  const messages = [{ role: 'user', content: prompt }];
  const post = (path: string, body: object) => () => endOfPost(target.httpUrl + path, body);
  const calls: readonly (() => Promise<Ending>)[] = [
    post('/v2/models/ensemble/generate', triton),
    post('/v2/models/tensorrt_llm_bls/generate_stream', { ...triton, stream: true }),
    post('/v1/completions', openAi),
    post('/v1/completions', { ...openAi, stream: true }),
    post('/v1/chat/completions', { model: 'ensemble', messages, max_tokens: 100, stream: true }),
    () => endOfUnary(client, requestBytes(prompt)),
    () => endOfStream(client, requestBytes(prompt)),
  ];
  return { calls, close: () => client.close() };
}

function requestBytes(prompt: string): Buffer {
  const inputs = [
    textTensor('text_input', [1, 1], [prompt]),
    numberTensor('max_tokens', 'INT32', [1, 1], [100]),
  ];
  const request = { modelName: 'ensemble', modelVersion: '', id: '', parameters: {}, inputs, outputs: [] };
  return Buffer.from(writeGrpcRequest(request));
}

async function endOfPost(url: string, body: object): Promise<Ending> {
  const protocol = new URL(url).pathname;
  const answer = await fetch(url, { method: 'POST', body: JSON.stringify(body) });
  const text = await answer.text();
  if (answer.status !== 200) return { protocol, code: codeOf(text) ?? String(answer.status) };
  const events = text.split('\n\n').filter((event) => event.includes('"error"'));
  return { protocol, code: events.map(codeOf).find((code) => code !== undefined) };
}

/** Code of an error event, or of OpenAI's error object; Triton's error bodies have their status alone. */
function codeOf(text: string): string | undefined {
  return /"code":"(\w+)"/.exec(text)?.[1]?.toUpperCase();
}

async function endOfUnary(client: Client, message: Buffer): Promise<Ending> {
  return await new Promise((resolve) => {
    client.makeUnaryRequest(`${SERVICE}/ModelInfer`, bytes, bytes, message, (error: ServiceError | null) =>
      resolve({ protocol: 'ModelInfer', code: error === null ? undefined : status[error.code] }),
    );
  });
}

async function endOfStream(client: Client, message: Buffer): Promise<Ending> {
  const protocol = 'ModelStreamInfer';
  return await new Promise((resolve) => {
    const stream = client.makeBidiStreamRequest(`${SERVICE}/ModelStreamInfer`, bytes, bytes);
    let code: string | undefined;
    stream.on('data', (piece: Buffer) => {
      const { errorMessage, inferResponse } = fromBinary(ModelStreamInferResponseSchema, piece);
      const choice = inferResponse?.parameters['error_code']?.parameterChoice.value;
      if (errorMessage !== '') code = String(choice ?? 'UNKNOWN');
    });
    stream.on('error', (error: ServiceError) => resolve({ protocol, code: status[error.code] ?? 'UNKNOWN' }));
    stream.on('end', () => resolve({ protocol, code }));
    stream.end(message);
  });
}
