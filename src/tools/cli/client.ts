/** `aloft client`: the clients of tensorrtllm_backend in one, with their flags. */
import { readFileSync } from 'node:fs';
import { type Command, Option } from 'commander';
import {
  runClientCommand,
  type ClientCommand,
  type TextClient,
  type ClientTerminal,
} from '../../client/command.js';
import { GrpcClient, type TlsOptions } from '../../client/grpc-client.js';
import { HttpClient } from '../../client/http-client.js';
import type { TextRequest } from '../../client/text-request.js';
import { runTokenCommand } from '../../client/token-command.js';
import { AloftError } from '../../core/errors.js';
import { present } from '../../core/present.js';
import type { SamplingNumbers } from '../../core/sampling-fields.js';
import { llmEngineLoader } from '../../serve/engine/llm-engine-loader.js';
import {
  addTokenFlags,
  readCsv,
  readTokenCommand,
  refuseUnsupported,
  TOKEN_OUTPUT_LEN,
  TOKEN_PROMPT,
  wantsTokens,
  type TokenFlags,
} from './client-token-flags.js';
import { Reported } from './interrupt.js';
import { oneOf, realNumber, wholeNumber } from './flags.js';
import { addSamplingFlags, samplingFlags, samplingTensors } from './sampling-flags.js';
import type { Terminal } from './terminal.js';

interface ClientFlags extends TokenFlags {
  readonly url?: string;
  readonly protocol: 'grpc' | 'http';
  readonly prompt?: string;
  readonly text?: string;
  readonly streaming?: true;
  readonly outputLen?: number;
  readonly requestOutputLen?: number;
  readonly modelName?: string;
  readonly requestId?: string;
  readonly beamWidth?: number;
  readonly numReturnSequences?: number;
  /** Sampling parameters, from flags of their own. */
  readonly sampling: Partial<SamplingNumbers>;
  readonly lengthPenalty?: number;
  readonly randomSeed?: bigint;
  readonly stopWords?: readonly string[];
  readonly badWords?: readonly string[];
  readonly endId?: number;
  readonly padId?: number;
  readonly excludeInputInOutput?: true;
  readonly returnLogProbs?: true;
  readonly guidedDecodingGuideType?: string;
  readonly guidedDecodingGuide?: string;
  readonly stopAfterMs?: number;
  readonly streamTimeout?: number;
  readonly concurrency: number;
  readonly checkOutput?: true;
  readonly checkOutputs?: true;
  readonly expectedOutput?: string;
  readonly expectedOutputs?: readonly string[];
  readonly apiKey?: string;
  readonly ssl?: true;
  readonly rootCertificates?: string;
  readonly privateKey?: string;
  readonly certificateChain?: string;
  readonly verbose?: true;
  readonly json?: true;
}

const TEXT_OUTPUT_LEN = 100;

export function registerClient(command: Command, terminal: Terminal): void {
  addRequestFlags(command);
  addAnswerFlags(command);
  addCheckFlags(command);
  addConnectionFlags(command);
  addTokenFlags(command.optionsGroup('Token ids:'));
  command.action(async (options: Omit<ClientFlags, 'sampling'>) => {
    refuseUnsupported(command);
    const flags = { ...options, sampling: samplingFlags(command) };
    const client = openClient(flags);
    const streams = { out: terminal.out, error: terminal.err };
    try {
      const status = wantsTokens(flags)
        ? await sendTokens(flags, client, streams)
        : await runClientCommand(readCommand(flags), client, streams);
      if (status !== 0) throw new Reported();
    } finally {
      if (client instanceof GrpcClient) client.close();
    }
  });
}

function addRequestFlags(command: Command): void {
  command
    .optionsGroup('Server:')
    .option('-u, --url <host:port>', 'server (default: localhost:8001, http: localhost:8000)')
    .option('-i, --protocol <protocol>', 'grpc or http', oneOf(['grpc', 'http']), 'grpc')
    .optionsGroup('Request:')
    .option('-p, --prompt <text>', 'the prompt')
    .addOption(new Option('--text <text>', 'the prompt, as inflight_batcher_llm_client has it').hideHelp())
    .option('-S, --streaming', 'print the answer as it comes')
    .option('-o, --output-len <n>', 'most tokens to generate (default: 100; token ids: 16)', wholeNumber(1))
    .addOption(new Option('--request-output-len <n>', 'the same').argParser(wholeNumber(1)).hideHelp())
    .option('--model-name <name>', 'default: ensemble; for token ids tensorrt_llm')
    .option('--request-id <id>', 'name of the request')
    .option('-b, --beam-width <n>', 'beams', wholeNumber(1))
    .option('-n, --num-return-sequences <n>', 'independent answers', wholeNumber(1));
}

function addAnswerFlags(command: Command): void {
  addSamplingFlags(command.optionsGroup('Sampling:'))
    .option('--length-penalty <x>', 'for beams', realNumber(-100, 100))
    .option('--random-seed <n>', 'makes sampling repeatable', readSeed)
    .optionsGroup('End and form of the answer:')
    .option('--stop-words <word...>', 'texts that end the answer')
    .option('--bad-words <word...>', 'texts that must not appear')
    .option('--end-id <id>', 'token that ends the answer; -1 none', wholeNumber(-1))
    .option('--pad-id <id>', 'token that fills rows', wholeNumber(0))
    .option('--exclude-input-in-output', 'print the answer without the prompt')
    .option('--return-log-probs', 'ask for log probabilities')
    .option(
      '--guided-decoding-guide-type <type>',
      'hold the text to a form: json, json_schema, regex, ebnf_grammar, structural_tag',
    )
    .option('--guided-decoding-guide <guide>', 'the schema, pattern or grammar itself');
}

function addCheckFlags(command: Command): void {
  command
    .optionsGroup('Checks and timing:')
    .option('--stop-after-ms <ms>', 'cancel after this time', wholeNumber(0))
    .option('-t, --stream-timeout <seconds>', 'give up after this time', realNumber(0, 1e6))
    .option('--concurrency <n>', 'send the prompt so many times at once', wholeNumber(1), 1)
    .option('-c, --check-output', 'compare the answer with --expected-output')
    .option('--expected-output <text>', 'what the answer must be')
    .addOption(new Option('--check-outputs', 'as end_to_end_grpc_client has it').hideHelp())
    .addOption(new Option('--expected-outputs <text...>', 'as end_to_end_grpc_client has it').hideHelp())
    .option('-v, --verbose', 'print times')
    .option('--json', 'print each answer as one line of JSON (not with token ids)');
}

function addConnectionFlags(command: Command): void {
  command
    .optionsGroup('Keys and TLS:')
    .option('--api-key <key>', 'key of the server')
    .option('-s, --ssl', 'use TLS')
    .option('-r, --root-certificates <file>', 'PEM of the authority')
    .option('--private-key <file>', "PEM of the client's key")
    .option('-x, --certificate-chain <file>', "PEM of the client's certificate");
}

function openClient(flags: ClientFlags): TextClient & (GrpcClient | HttpClient) {
  const key = present({ apiKey: flags.apiKey });
  if (flags.protocol === 'http') {
    const url = flags.url ?? 'localhost:8000';
    return new HttpClient({ url: flags.ssl && !url.includes('://') ? `https://${url}` : url, ...key });
  }
  const address = flags.url ?? 'localhost:8001';
  return new GrpcClient({ address, ...key, ...(flags.ssl ? { tls: readTls(flags) } : {}) });
}

function readTls(flags: ClientFlags): TlsOptions {
  const file = (path: string | undefined) => (path === undefined ? undefined : readFileSync(path));
  const tls = {
    rootCertificates: file(flags.rootCertificates),
    privateKey: file(flags.privateKey),
    certificateChain: file(flags.certificateChain),
  };
  return Object.fromEntries(Object.entries(tls).filter(([, value]) => value !== undefined));
}

function readCommand(flags: ClientFlags): ClientCommand {
  const expectedOutput = flags.expectedOutput ?? flags.expectedOutputs?.join(' ');
  if (isChecked(flags) && expectedOutput === undefined) {
    throw new AloftError('USAGE', '--check-output needs --expected-output.');
  }
  return {
    request: readRequest(flags),
    concurrency: flags.concurrency,
    stopAfterMs: flags.stopAfterMs || undefined,
    timeoutMs: flags.streamTimeout === undefined ? undefined : flags.streamTimeout * 1000,
    expectedOutput,
    verbose: flags.verbose ?? false,
    isJson: flags.json ?? false,
  };
}

function readRequest(flags: ClientFlags): TextRequest {
  const prompt = flags.prompt ?? flags.text;
  if (prompt === undefined)
    throw new AloftError('USAGE', `A prompt is missing: use -p "What is deep learning ?".`);
  const { minTokens: minLength, ...sampling } = flags.sampling;
  const members = {
    ...sampling,
    minLength,
    model: flags.modelName ?? 'ensemble',
    id: flags.requestId,
    stream: flags.streaming ?? false,
    beamWidth: flags.beamWidth,
    sequenceCount: flags.numReturnSequences,
    lengthPenalty: flags.lengthPenalty,
    seed: flags.randomSeed,
    stopWords: flags.stopWords,
    badWords: flags.badWords,
    endId: flags.endId,
    padId: flags.padId,
    excludeInput: flags.excludeInputInOutput,
    returnLogProbs: flags.returnLogProbs,
    guideType: flags.guidedDecodingGuideType,
    guide: flags.guidedDecodingGuide,
  };
  const given = Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));
  return { ...given, prompt, maxTokens: flags.requestOutputLen ?? flags.outputLen ?? TEXT_OUTPUT_LEN };
}

/** The prompt as ids, from a file or the tokenizer; text is printed where there is a tokenizer. */
async function sendTokens(
  flags: ClientFlags,
  client: GrpcClient | HttpClient,
  terminal: ClientTerminal,
): Promise<0 | 1> {
  if (flags.json)
    throw new AloftError('USAGE', '--json is for text; answers of token ids are JSON lists already.');
  if (!(client instanceof GrpcClient))
    throw new AloftError('USAGE', 'Token ids are sent over gRPC; leave out --protocol http.');
  const prompt = flags.prompt ?? flags.text ?? TOKEN_PROMPT;
  const codec =
    flags.tokenizerDir === undefined
      ? undefined
      : await llmEngineLoader({}).loadTokenizer(flags.tokenizerDir);
  const given = flags.inputTokensCsv === undefined ? undefined : readCsv(flags.inputTokensCsv);
  const promptTokenIds = given ?? (await codec?.encode(prompt, true)) ?? [];
  const command = readTokenCommand(flags, promptTokenIds, {
    modelName: flags.modelName,
    requestId: flags.requestId,
    maxTokens: flags.requestOutputLen ?? flags.outputLen ?? TOKEN_OUTPUT_LEN,
    isStreaming: flags.streaming ?? false,
    stopAfterMs: flags.stopAfterMs || undefined,
    isChecked: isChecked(flags),
    inputs: {
      beam_width: flags.beamWidth,
      num_return_sequences: flags.numReturnSequences,
      ...samplingTensors(flags.sampling),
      len_penalty: flags.lengthPenalty,
      random_seed: flags.randomSeed,
      end_id: flags.endId,
      pad_id: flags.padId,
      // The ids are cut off the answer again, so the server must not leave them out.
      exclude_input_in_output: false,
      return_log_probs: flags.returnLogProbs,
    },
  });
  const decode = codec && ((ids: readonly number[]) => codec.decode(ids, true));
  const shownPrompt = given === undefined || decode === undefined ? prompt : decode(given);
  const text = decode && { prompt: shownPrompt, decode };
  return await runTokenCommand(command, client, { terminal, text });
}

function isChecked({ checkOutput, checkOutputs }: ClientFlags): boolean {
  return checkOutput ?? checkOutputs ?? false;
}

function readSeed(text: string): bigint {
  if (/^\d{1,20}$/.test(text)) return BigInt.asUintN(64, BigInt(text));
  throw new AloftError('USAGE', `--random-seed is '${text}', but must be a whole number.`);
}
