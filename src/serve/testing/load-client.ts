/**
 * Entry of a process that opens many streams and counts what comes: raw sockets and raw HTTP/2, no parsing, because it
 * shares the machine with the server that it measures.
 */
import { constants, connect as connectHttp2, type ClientHttp2Session } from 'node:http2';
import { connect } from 'node:net';
import { encode, engineRequest, ensembleRequest, type Message } from './independent-grpc.js';

/** Text over three protocols, and token ids over the two that carry them. */
export type LoadApi = 'sse' | 'openai' | 'grpc' | 'sse-ids' | 'grpc-ids';

export interface LoadJob {
  readonly api: LoadApi;
  readonly streamCount: number;
  /** Tokens of each stream. */
  readonly tokenCount: number;
  /** Latin-1 text of the bytes that stand for a token, which nothing else in an answer contains. */
  readonly mark: string;
  readonly port: number;
}

export interface LoadResult {
  readonly tokenCount: number;
  /** From the first connection to the end of the last stream. */
  readonly seconds: number;
  /** Between the moment when every stream had its first token and the moment when the first of them had all. */
  readonly steadyTokensPerSecond: number;
  readonly messageCount: number;
  /** Time of the first token of each stream, from the start of the client. */
  readonly firstTokenMs: readonly number[];
  readonly cpuMicroseconds: number;
}

process.once('message', (job: LoadJob) => {
  run(job).then(
    (result) => process.send?.(result),
    (error: unknown) => {
      process.stderr.write(`${String(error)}\n`);
      process.exit(1);
    },
  );
});

async function run(job: LoadJob): Promise<LoadResult> {
  const startCpu = process.cpuUsage();
  const count = new Count(job);
  if (job.api === 'grpc' || job.api === 'grpc-ids') await grpcStreams(job, count);
  else await Promise.all(Array.from({ length: job.streamCount }, () => sseStream(job, count)));
  const cpu = process.cpuUsage(startCpu);
  return { ...count.result(), cpuMicroseconds: cpu.user + cpu.system };
}

class Count {
  readonly #job: LoadJob;
  readonly #startMs = performance.now();
  readonly #firstTokenMs: number[] = [];
  #tokenCount = 0;
  #messageCount = 0;
  #steadyStart: readonly [ms: number, tokens: number] | undefined;
  #steadyEnd: readonly [ms: number, tokens: number] | undefined;

  constructor(job: LoadJob) {
    this.#job = job;
  }

  /** @returns what takes the bytes of one stream. @param start what every message begins with */
  stream(start: string): (chunk: Buffer) => void {
    const { tokenCount, streamCount } = this.#job;
    const mark = Buffer.from(this.#job.mark, 'latin1');
    let own = 0;
    /** The beginning of a mark that a read has cut. */
    let cut: Uint8Array = Buffer.alloc(0);
    return (chunk) => {
      this.#messageCount += occurrences(chunk, Buffer.from(start));
      const found = occurrences(cut.length === 0 ? chunk : Buffer.concat([cut, chunk]), mark);
      cut = chunk.subarray(chunk.length - beginningLength(chunk, mark));
      this.#tokenCount += found;
      if (own === 0 && found > 0) {
        this.#firstTokenMs.push(performance.now() - this.#startMs);
        if (this.#firstTokenMs.length === streamCount)
          this.#steadyStart = [performance.now(), this.#tokenCount];
      }
      own += found;
      if (own === tokenCount) this.#steadyEnd ??= [performance.now(), this.#tokenCount];
    };
  }

  /** @throws when a token is missing */
  result(): Omit<LoadResult, 'cpuMicroseconds'> {
    const tokenCount = this.#tokenCount;
    const job = this.#job;
    const wanted = job.streamCount * job.tokenCount;
    if (tokenCount !== wanted) throw new Error(`${tokenCount} tokens came instead of ${wanted}.`);
    const [startMs, startTokens] = this.#steadyStart ?? [NaN, NaN];
    const [endMs, endTokens] = this.#steadyEnd ?? [NaN, NaN];
    return {
      tokenCount,
      messageCount: this.#messageCount,
      firstTokenMs: this.#firstTokenMs,
      seconds: (performance.now() - this.#startMs) / 1000,
      steadyTokensPerSecond: ((endTokens - startTokens) / (endMs - startMs)) * 1000,
    };
  }
}

function occurrences(chunk: Buffer, mark: Buffer): number {
  let count = 0;
  for (let at = chunk.indexOf(mark); at >= 0; at = chunk.indexOf(mark, at + mark.length)) count++;
  return count;
}

/** Length of the longest proper prefix of `mark` that ends `chunk`. */
function beginningLength(chunk: Buffer, mark: Buffer): number {
  let length = Math.min(mark.length - 1, chunk.length);
  while (length > 0 && mark.compare(chunk, chunk.length - length, chunk.length, 0, length) !== 0) length--;
  return length;
}

const BODIES = {
  sse: (maxTokens: number) => ({ text_input: 'a', max_tokens: maxTokens, stream: true }),
  'sse-ids': (maxTokens: number) => ({
    input_ids: [1],
    input_lengths: 1,
    request_output_len: maxTokens,
    streaming: true,
  }),
  openai: (maxTokens: number) => ({ model: 'ensemble', prompt: 'a', max_tokens: maxTokens, stream: true }),
};
const PATHS = {
  sse: '/v2/models/ensemble/generate_stream',
  'sse-ids': '/v2/models/tensorrt_llm/generate_stream',
  openai: '/v1/completions',
};

async function sseStream(job: LoadJob, count: Count): Promise<void> {
  const { api, tokenCount, port } = job;
  if (api === 'grpc' || api === 'grpc-ids') return;
  const body = JSON.stringify(BODIES[api](tokenCount));
  const socket = connect({ host: '127.0.0.1', port });
  socket.write(
    `POST ${PATHS[api]} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
  socket.on('data', count.stream('data: {'));
  await new Promise<void>((resolve, reject) => {
    socket.on('close', () => resolve());
    socket.on('error', reject);
  });
}

const METHOD = '/inference.GRPCInferenceService/ModelStreamInfer';
const WINDOW_BYTES = 2 ** 24;

async function grpcStreams(job: LoadJob, count: Count): Promise<void> {
  const session = connectHttp2(`http://127.0.0.1:${job.port}`, {
    settings: { initialWindowSize: WINDOW_BYTES },
  });
  await new Promise((resolve, reject) => session.once('connect', resolve).once('error', reject));
  session.setLocalWindowSize(WINDOW_BYTES);
  await Promise.all(Array.from({ length: job.streamCount }, () => grpcStream(session, job, count)));
  session.close();
}

async function grpcStream(session: ClientHttp2Session, job: LoadJob, count: Count): Promise<void> {
  const { HTTP2_HEADER_METHOD, HTTP2_HEADER_PATH, HTTP2_HEADER_CONTENT_TYPE, HTTP2_HEADER_TE } = constants;
  const stream = session.request({
    [HTTP2_HEADER_METHOD]: 'POST',
    [HTTP2_HEADER_PATH]: METHOD,
    [HTTP2_HEADER_CONTENT_TYPE]: 'application/grpc',
    [HTTP2_HEADER_TE]: 'trailers',
  });
  const message = encode('InferRequest', grpcRequest(job));
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  stream.end(Buffer.concat([prefix, message]));
  stream.on('data', count.stream('triton_final_response'));
  await new Promise<void>((resolve, reject) => {
    stream.on('close', () => resolve());
    stream.on('error', reject);
  });
}

function grpcRequest({ api, tokenCount }: LoadJob): Message {
  return api === 'grpc' ? ensembleRequest('a', tokenCount, true) : engineRequest([1], tokenCount);
}
