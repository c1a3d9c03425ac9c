/**
 * A client-side definition of inference.GRPCInferenceService written from the published field numbers, with a generic
 * low-level encoder. It shares nothing with the server's own definitions, so that a test cannot agree with a mistake.
 */
import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import {
  Client,
  credentials,
  type ChannelCredentials,
  type ClientDuplexStream,
  type Metadata,
  type ServiceError,
} from '@grpc/grpc-js';

type Value = string | number | bigint | boolean | Uint8Array | Message | Value[] | { [key: string]: Value };
export interface Message {
  [field: string]: Value;
}

type Scalar = 'string' | 'bytes' | 'bool' | 'int32' | 'uint32' | 'int64' | 'uint64' | 'float' | 'double';
/** `[n]` repeated, `{}` map from string. */
type Kind = Scalar | { readonly message: string } | { readonly repeated: Kind } | { readonly map: Kind };
type Fields = Readonly<Record<string, readonly [number, Kind]>>;

const of = (message: string): Kind => ({ message });
const many = (kind: Kind): Kind => ({ repeated: kind });
const map = (kind: Kind): Kind => ({ map: kind });
const name: Fields = { name: [1, 'string'], version: [2, 'string'] };
const tensor: Fields = {
  name: [1, 'string'],
  datatype: [2, 'string'],
  shape: [3, many('int64')],
  parameters: [4, map(of('Parameter'))],
  contents: [5, of('Contents')],
};
const settings = (value: string): Fields => ({ settings: [1, map(of(value))], model_name: [2, 'string'] });

const MESSAGES: Readonly<Record<string, Fields>> = {
  Empty: {},
  Live: { live: [1, 'bool'] },
  Ready: { ready: [1, 'bool'] },
  Name: name,
  ServerMetadata: { name: [1, 'string'], version: [2, 'string'], extensions: [3, many('string')] },
  TensorMetadata: { name: [1, 'string'], datatype: [2, 'string'], shape: [3, many('int64')] },
  ModelMetadata: {
    name: [1, 'string'],
    versions: [2, many('string')],
    platform: [3, 'string'],
    inputs: [4, many(of('TensorMetadata'))],
    outputs: [5, many(of('TensorMetadata'))],
  },
  Parameter: {
    bool_param: [1, 'bool'],
    int64_param: [2, 'int64'],
    string_param: [3, 'string'],
    double_param: [4, 'double'],
    uint64_param: [5, 'uint64'],
  },
  Contents: {
    bool_contents: [1, many('bool')],
    int_contents: [2, many('int32')],
    int64_contents: [3, many('int64')],
    uint_contents: [4, many('uint32')],
    uint64_contents: [5, many('uint64')],
    fp32_contents: [6, many('float')],
    fp64_contents: [7, many('double')],
    bytes_contents: [8, many('bytes')],
  },
  Tensor: tensor,
  RequestedOutput: { name: [1, 'string'], parameters: [2, map(of('Parameter'))] },
  InferRequest: {
    model_name: [1, 'string'],
    model_version: [2, 'string'],
    id: [3, 'string'],
    parameters: [4, map(of('Parameter'))],
    inputs: [5, many(of('Tensor'))],
    outputs: [6, many(of('RequestedOutput'))],
    raw_input_contents: [7, many('bytes')],
  },
  InferResponse: {
    model_name: [1, 'string'],
    model_version: [2, 'string'],
    id: [3, 'string'],
    parameters: [4, map(of('Parameter'))],
    outputs: [5, many(of('Tensor'))],
    raw_output_contents: [6, many('bytes')],
  },
  StreamResponse: { error_message: [1, 'string'], infer_response: [2, of('InferResponse')] },
  ModelParameter: { string_value: [1, 'string'] },
  Config: {
    name: [1, 'string'],
    backend: [17, 'string'],
    max_batch_size: [4, 'int32'],
    parameters: [14, map(of('ModelParameter'))],
  },
  ConfigResponse: { config: [1, of('Config')] },
  Duration: { count: [1, 'uint64'], ns: [2, 'uint64'] },
  InferStatistics: {
    success: [1, of('Duration')],
    fail: [2, of('Duration')],
    queue: [3, of('Duration')],
    compute_input: [4, of('Duration')],
    compute_infer: [5, of('Duration')],
    compute_output: [6, of('Duration')],
  },
  ResponseStatistics: {
    compute_infer: [1, of('Duration')],
    compute_output: [2, of('Duration')],
    success: [3, of('Duration')],
    fail: [4, of('Duration')],
    empty_response: [5, of('Duration')],
    cancel: [6, of('Duration')],
  },
  BatchStatistics: {
    batch_size: [1, 'uint64'],
    compute_input: [2, of('Duration')],
    compute_infer: [3, of('Duration')],
    compute_output: [4, of('Duration')],
  },
  MemoryUsage: { type: [1, 'string'], id: [2, 'int64'], byte_size: [3, 'uint64'] },
  ModelStatistics: {
    name: [1, 'string'],
    version: [2, 'string'],
    last_inference: [3, 'uint64'],
    inference_count: [4, 'uint64'],
    execution_count: [5, 'uint64'],
    inference_stats: [6, of('InferStatistics')],
    batch_stats: [7, many(of('BatchStatistics'))],
    memory_usage: [8, many(of('MemoryUsage'))],
    response_stats: [9, map(of('ResponseStatistics'))],
  },
  StatisticsResponse: { model_stats: [1, many(of('ModelStatistics'))] },
  IndexRequest: { repository_name: [1, 'string'], ready: [2, 'bool'] },
  ModelIndex: { name: [1, 'string'], version: [2, 'string'], state: [3, 'string'], reason: [4, 'string'] },
  IndexResponse: { models: [1, many(of('ModelIndex'))] },
  RepositoryParameter: {
    bool_param: [1, 'bool'],
    int64_param: [2, 'int64'],
    string_param: [3, 'string'],
    bytes_param: [4, 'bytes'],
  },
  LoadRequest: {
    repository_name: [1, 'string'],
    model_name: [2, 'string'],
    parameters: [3, map(of('RepositoryParameter'))],
  },
  TraceValue: { value: [1, many('string')] },
  TraceSettings: settings('TraceValue'),
  LogValue: { bool_param: [1, 'bool'], uint32_param: [2, 'uint32'], string_param: [3, 'string'] },
  LogSettings: settings('LogValue'),
  SharedMemory: { name: [1, 'string'], key: [2, 'string'], offset: [3, 'uint64'], byte_size: [4, 'uint64'] },
  HealthRequest: { service: [1, 'string'] },
  HealthResponse: { status: [1, 'int32'] },
};

/** RPC -> request and response message. */
const METHODS: Readonly<Record<string, readonly [string, string]>> = {
  ServerLive: ['Empty', 'Live'],
  ServerReady: ['Empty', 'Ready'],
  ModelReady: ['Name', 'Ready'],
  ServerMetadata: ['Empty', 'ServerMetadata'],
  ModelMetadata: ['Name', 'ModelMetadata'],
  ModelConfig: ['Name', 'ConfigResponse'],
  ModelStatistics: ['Name', 'StatisticsResponse'],
  ModelInfer: ['InferRequest', 'InferResponse'],
  RepositoryIndex: ['IndexRequest', 'IndexResponse'],
  RepositoryModelLoad: ['LoadRequest', 'Empty'],
  RepositoryModelUnload: ['LoadRequest', 'Empty'],
  SystemSharedMemoryStatus: ['Name', 'Empty'],
  SystemSharedMemoryRegister: ['SharedMemory', 'Empty'],
  SystemSharedMemoryUnregister: ['Name', 'Empty'],
  CudaSharedMemoryStatus: ['Name', 'Empty'],
  CudaSharedMemoryRegister: ['SharedMemory', 'Empty'],
  CudaSharedMemoryUnregister: ['Name', 'Empty'],
  TraceSetting: ['TraceSettings', 'TraceSettings'],
  LogSettings: ['LogSettings', 'LogSettings'],
};

export function encode(type: string, message: Message): Uint8Array {
  const writer = new BinaryWriter();
  for (const [field, value] of Object.entries(message)) {
    const [number, kind] = MESSAGES[type]![field] ?? [0, 'string'];
    writeField(writer, number, kind, value);
  }
  return writer.finish();
}

export function decode(type: string, bytes: Uint8Array): Message {
  const fields = MESSAGES[type]!;
  const reader = new BinaryReader(bytes);
  const message: Message = {};
  while (reader.pos < reader.len) {
    const [number, wireType] = reader.tag();
    const entry = Object.entries(fields).find(([, [fieldNumber]]) => fieldNumber === number);
    if (entry === undefined) reader.skip(wireType);
    else readField(reader, wireType, message, entry[0], entry[1][1]);
  }
  return message;
}

function writeField(writer: BinaryWriter, number: number, kind: Kind, value: Value): void {
  if (typeof kind === 'string') {
    writer.tag(number, wireTypeOf(kind));
    writeScalar(writer, kind, value);
  } else if ('message' in kind) {
    writer.tag(number, WireType.LengthDelimited).bytes(encode(kind.message, value as Message));
  } else if ('repeated' in kind) {
    for (const item of value as Value[]) writeField(writer, number, kind.repeated, item);
  } else {
    for (const [key, item] of Object.entries(value as Message)) {
      const entry = new BinaryWriter().tag(1, WireType.LengthDelimited).string(key);
      writeField(entry, 2, kind.map, item);
      writer.tag(number, WireType.LengthDelimited).bytes(entry.finish());
    }
  }
}

function readField(
  reader: BinaryReader,
  wireType: WireType,
  message: Message,
  field: string,
  kind: Kind,
): void {
  if (typeof kind === 'object' && 'repeated' in kind) {
    const list = (message[field] ??= []) as Value[];
    const packed =
      wireType === WireType.LengthDelimited &&
      typeof kind.repeated === 'string' &&
      !['string', 'bytes'].includes(kind.repeated);
    if (!packed) {
      list.push(readValue(reader, kind.repeated));
      return;
    }
    const elements = new BinaryReader(reader.bytes());
    while (elements.pos < elements.len) list.push(readValue(elements, kind.repeated));
  } else if (typeof kind === 'object' && 'map' in kind) {
    const entry = new BinaryReader(reader.bytes());
    let key = '';
    while (entry.pos < entry.len) {
      const [number] = entry.tag();
      if (number === 1) key = entry.string();
      else ((message[field] ??= {}) as Message)[key] = readValue(entry, kind.map);
    }
  } else {
    message[field] = readValue(reader, kind);
  }
}

function readValue(reader: BinaryReader, kind: Kind): Value {
  if (typeof kind === 'object') return 'message' in kind ? decode(kind.message, reader.bytes()) : '';
  const value = reader[kind]();
  return typeof value === 'string' && kind !== 'string' ? BigInt(value) : value;
}

function writeScalar(writer: BinaryWriter, kind: Scalar, value: Value): void {
  (writer[kind] as (value: Value) => unknown).call(writer, value);
}

function wireTypeOf(kind: Scalar): WireType {
  if (kind === 'string' || kind === 'bytes') return WireType.LengthDelimited;
  if (kind === 'float') return WireType.Bit32;
  return kind === 'double' ? WireType.Bit64 : WireType.Varint;
}

export type MessageStream = ClientDuplexStream<Message, Message>;

/** Calls by RPC name. */
export class IndependentClient {
  readonly client: Client;

  constructor(address: string, channel: ChannelCredentials = credentials.createInsecure()) {
    this.client = new Client(address, channel, { 'grpc.max_receive_message_length': -1 });
  }

  async call(
    method: string,
    request: Message = {},
    options: { deadlineMs?: number; metadata?: Metadata } = {},
  ): Promise<Message> {
    return await this.start(method, request, options).response;
  }

  start(method: string, request: Message, options: { deadlineMs?: number; metadata?: Metadata } = {}) {
    const [input, output] = METHODS[method] ?? ['HealthRequest', 'HealthResponse'];
    const path =
      METHODS[method] === undefined
        ? `/grpc.health.v1.Health/${method}`
        : `/inference.GRPCInferenceService/${method}`;
    let cancel = () => {};
    const response = new Promise<Message>((resolve, reject) => {
      const done = (error: ServiceError | null, message?: Message) =>
        error === null ? resolve(message ?? {}) : reject(error);
      const serialize = (message: Message) => Buffer.from(encode(input, message));
      const deserialize = (bytes: Buffer) => decode(output, bytes);
      const deadline = options.deadlineMs === undefined ? {} : { deadline: Date.now() + options.deadlineMs };
      const call =
        options.metadata === undefined
          ? this.client.makeUnaryRequest(path, serialize, deserialize, request, deadline, done)
          : this.client.makeUnaryRequest(
              path,
              serialize,
              deserialize,
              request,
              options.metadata,
              deadline,
              done,
            );
      cancel = () => call.cancel();
    });
    return { response, cancel: () => cancel() };
  }

  stream(metadata?: Metadata): MessageStream {
    const path = '/inference.GRPCInferenceService/ModelStreamInfer';
    const serialize = (message: Message) => Buffer.from(encode('InferRequest', message));
    const deserialize = (bytes: Buffer) => decode('StreamResponse', bytes);
    if (metadata === undefined) return this.client.makeBidiStreamRequest(path, serialize, deserialize);
    return this.client.makeBidiStreamRequest(path, serialize, deserialize, metadata);
  }

  close(): void {
    this.client.close();
  }
}

/** Raw form of one BYTES element. */
export function rawText(text: string): Uint8Array {
  const bytes = Buffer.from(text);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(bytes.length);
  return Buffer.concat([length, bytes]);
}

export function rawInt32(...values: number[]): Uint8Array {
  return new Uint8Array(Int32Array.from(values).buffer);
}

/** The request of the streaming client of tensorrtllm_backend v0.5.0. */
export function ensembleRequest(prompt: string, maxTokens: number, stream: boolean, id = ''): Message {
  const input = (tensorName: string, datatype: string): Message => ({
    name: tensorName,
    datatype,
    shape: [1n, 1n],
  });
  return {
    model_name: 'ensemble',
    id,
    inputs: [
      input('text_input', 'BYTES'),
      input('max_tokens', 'UINT32'),
      input('bad_words', 'BYTES'),
      input('stop_words', 'BYTES'),
      input('stream', 'BOOL'),
    ],
    raw_input_contents: [
      rawText(prompt),
      rawInt32(maxTokens),
      rawText(''),
      rawText(''),
      Uint8Array.of(stream ? 1 : 0),
    ],
  };
}

/** A streaming request of token ids. */
export function engineRequest(promptTokenIds: readonly number[], maxTokens: number): Message {
  return {
    model_name: 'tensorrt_llm',
    inputs: [
      { name: 'input_ids', datatype: 'INT32', shape: [1n, BigInt(promptTokenIds.length)] },
      { name: 'input_lengths', datatype: 'INT32', shape: [1n, 1n] },
      { name: 'request_output_len', datatype: 'INT32', shape: [1n, 1n] },
      { name: 'streaming', datatype: 'BOOL', shape: [1n, 1n] },
    ],
    raw_input_contents: [
      rawInt32(...promptTokenIds),
      rawInt32(promptTokenIds.length),
      rawInt32(maxTokens),
      Uint8Array.of(1),
    ],
  };
}

/** All messages of a stream until it ends. @throws the stream's error */
export async function collect(stream: MessageStream): Promise<Message[]> {
  const messages: Message[] = [];
  await new Promise<void>((resolve, reject) => {
    stream.on('data', (message: Message) => messages.push(message));
    stream.on('end', resolve);
    stream.on('error', reject);
  });
  return messages;
}

/** Texts of the first BYTES output of a response. */
export function textsOf(response: Message): string[] {
  const [raw] = (response['raw_output_contents'] ?? []) as Uint8Array[];
  const texts: string[] = [];
  const buffer = Buffer.from(raw ?? []);
  for (let offset = 0; offset < buffer.length;) {
    const length = buffer.readUInt32LE(offset);
    texts.push(buffer.toString('utf8', offset + 4, offset + 4 + length));
    offset += 4 + length;
  }
  return texts;
}
