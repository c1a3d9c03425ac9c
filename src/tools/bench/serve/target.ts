/** Servers under load: the three interfaces as streams of token counts. Nothing here is special to our own server. */
import { GrpcClient } from '../../../client/grpc-client.js';
import { HttpClient } from '../../../client/http-client.js';
import { AloftError } from '../../../core/errors.js';
import { present } from '../../../core/present.js';
import type { Tensor } from '../../../protocol/kserve/tensor.js';
import { numberTensor, textTensor } from '../../../protocol/kserve/tensor.js';
import type { WorkItem } from '../workload.js';

export const APIS = ['grpc', 'generate', 'openai'] as const;
export type Api = (typeof APIS)[number];

export interface BenchTarget {
  /** Yields the number of tokens in each piece as it arrives. @throws {AloftError} */
  send(item: WorkItem, signal: AbortSignal): AsyncIterable<number>;
  close(): void;
}

export interface BenchTargetOptions {
  readonly api: Api;
  readonly url: string;
  /** Undefined: tensorrt_llm for token ids and ensemble for text; for OpenAI the first model. */
  readonly model: string | undefined;
  readonly apiKey: string | undefined;
}

export async function openTarget(options: BenchTargetOptions): Promise<BenchTarget> {
  const key = present({ apiKey: options.apiKey });
  if (options.api === 'grpc')
    return grpcTarget(new GrpcClient({ address: options.url, ...key }), options.model);
  const client = new HttpClient({ url: options.url, ...key });
  if (options.api === 'generate') return generateTarget(client, options.model);
  return openAiTarget(client, options.model ?? (await firstModel(client)));
}

function defaultModel(item: WorkItem): string {
  return typeof item.prompt === 'string' ? 'ensemble' : 'tensorrt_llm';
}

function grpcTarget(client: GrpcClient, model: string | undefined): BenchTarget {
  return {
    async *send(item, signal) {
      const modelName = model ?? defaultModel(item);
      const request = {
        modelName,
        modelVersion: '',
        id: '',
        parameters: {},
        inputs: grpcInputs(item),
        outputs: [],
      };
      let seenCount = 0;
      for await (const { outputs } of client.inferStream(request, { signal })) {
        if (outputs.length === 0) continue;
        const ids = outputs.find((output) => output.name === 'output_ids');
        const count = ids === undefined ? 1 : (ids.shape.at(-1) ?? 0);
        seenCount += count;
        yield count;
      }
      yield* missingTokens(item, seenCount);
    },
    close: () => client.close(),
  };
}

/**
 * Tokens that came in one event of text with others. Requests have no end id, so a stream that ends without an error has
 * brought all tokens that were asked for.
 */
function* missingTokens({ outputTokens }: WorkItem, seenCount: number): Generator<number> {
  if (seenCount < outputTokens) yield outputTokens - seenCount;
}

function grpcInputs({ prompt, outputTokens }: WorkItem): Tensor[] {
  const one = (name: string, datatype: 'INT32' | 'BOOL', value: number) =>
    numberTensor(name, datatype, [1, 1], [value]);
  if (typeof prompt === 'string') {
    return [
      textTensor('text_input', [1, 1], [prompt]),
      one('max_tokens', 'INT32', outputTokens),
      textTensor('bad_words', [1, 1], ['']),
      textTensor('stop_words', [1, 1], ['']),
      one('end_id', 'INT32', -1),
      one('stream', 'BOOL', 1),
    ];
  }
  return [
    numberTensor('input_ids', 'INT32', [1, prompt.length], prompt),
    one('input_lengths', 'INT32', prompt.length),
    one('request_output_len', 'INT32', outputTokens),
    one('end_id', 'INT32', -1),
    one('streaming', 'BOOL', 1),
  ];
}

function generateTarget(client: HttpClient, model: string | undefined): BenchTarget {
  return {
    async *send(item, signal) {
      const { prompt, outputTokens } = item;
      const body =
        typeof prompt === 'string'
          ? {
              text_input: prompt,
              max_tokens: outputTokens,
              bad_words: '',
              stop_words: '',
              end_id: -1,
              stream: true,
            }
          : {
              input_ids: prompt,
              input_lengths: prompt.length,
              request_output_len: outputTokens,
              end_id: -1,
              streaming: true,
            };
      let seenCount = 0;
      for await (const event of client.stream(
        `/v2/models/${model ?? defaultModel(item)}/generate_stream`,
        body,
        { signal },
      )) {
        if (event['error'] !== undefined)
          throw new AloftError('REQUEST_INVALID', JSON.stringify(event['error']));
        const ids = event['output_ids'];
        const count = Array.isArray(ids) ? ids.length : 1;
        seenCount += count;
        yield count;
      }
      yield* missingTokens(item, seenCount);
    },
    close() {},
  };
}

function openAiTarget(client: HttpClient, model: string): BenchTarget {
  return {
    async *send({ prompt, outputTokens }, signal) {
      const sampling = { temperature: 0, ignore_eos: true };
      const streaming = { stream: true, stream_options: { include_usage: true } };
      const body = { model, prompt, max_tokens: outputTokens, ...sampling, ...streaming };
      let seenCount = 0;
      for await (const event of client.stream('/v1/completions', body, { signal })) {
        if (event['error'] !== undefined)
          throw new AloftError('REQUEST_INVALID', JSON.stringify(event['error']));
        const [choice] = Array.isArray(event['choices']) ? event['choices'] : [];
        const text: unknown =
          typeof choice === 'object' && choice !== null ? Reflect.get(choice, 'text') : undefined;
        if (typeof text === 'string' && text !== '') {
          seenCount++;
          yield 1;
        }
        // A chunk may hold several tokens; the usage at the end has the true count.
        const { usage } = event;
        const total: unknown =
          typeof usage === 'object' && usage !== null ? Reflect.get(usage, 'completion_tokens') : undefined;
        if (typeof total === 'number' && total > seenCount) yield total - seenCount;
      }
    },
    close() {},
  };
}

async function firstModel(client: HttpClient): Promise<string> {
  const { data } = await client.get('/v1/models');
  const [first] = Array.isArray(data) ? data : [];
  const id: unknown = typeof first === 'object' && first !== null ? Reflect.get(first, 'id') : undefined;
  if (typeof id === 'string') return id;
  throw new AloftError('MODEL_NOT_FOUND', 'The server lists no model; name one with --model.');
}
