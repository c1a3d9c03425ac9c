/** The flags by which `aloft client` works with token ids, and those of upstream's clients that ask for what is not there. */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { TokenCommand } from '../../client/token-command.js';
import { AloftError } from '../../core/errors.js';
import { readingFile } from '../../core/file-fault.js';
import { realNumber } from './flags.js';

export interface TokenFlags {
  readonly tokenizerDir?: string;
  readonly inputTokensCsv?: string;
  readonly outputTokensCsv?: string;
  readonly correctnessThreshold: number;
  readonly requestedOutputs?: readonly string[];
  readonly stopViaRequestCancel?: true;
  readonly returnContextLogits?: true;
  readonly returnGenerationLogits?: true;
  readonly returnPerfMetrics?: true;
}

/** Upstream's default prompt of the client for token ids. */
export const TOKEN_PROMPT = 'Born in north-east France, Soyer trained as a';
export const TOKEN_OUTPUT_LEN = 16;

/** Flags of upstream's clients that nothing here can honour. */
const NOT_SUPPORTED: readonly (readonly [string, string])[] = [
  ['--draft-tokens-csv <file>', 'there is no speculative decoding'],
  ['--lookahead_config <config>', 'there is no speculative decoding'],
  ['--prompt-embedding-table-path <file>', 'there are no prompt embedding tables'],
  ['--prompt-task-id <id>', 'there are no prompt embedding tables'],
  ['--lora-path <file>', 'there are no LoRA adapters'],
  ['--lora-task-id <id>', 'there are no LoRA adapters'],
  ['--embedding-bias-words <word...>', 'a bias takes token ids: use logit_bias of the OpenAI interface'],
  ['--embedding-bias-weights <weight...>', 'a bias takes token ids: use logit_bias of the OpenAI interface'],
  ['--batch-inputs', 'use --concurrency to send the prompt several times'],
];

/** Taken, since what they ask for happens anyway. */
const NEEDLESS = [
  '--tokenizer-type <type>',
  '--overwrite-output-text',
  '--dtype <type>',
  '-C, --grpc-compression-algorithm <name>',
];

export function addTokenFlags(command: Command): Command {
  const refuse = (why: string) => () => {
    throw new InvalidArgumentError(`It is not supported: ${why}.`);
  };
  command
    .option('--tokenizer-dir <dir>', 'send token ids to tensorrt_llm, made by this tokenizer')
    .option('--input-tokens-csv <file>', 'send these token ids to tensorrt_llm')
    .option('--output-tokens-csv <file>', 'token ids that must be generated, for --check-output')
    .option('--correctness-threshold <share>', 'of these that must be right', realNumber(0, 1), 1)
    .option('--requested-outputs <name...>', 'outputs of tensorrt_llm to ask for')
    .option('--stop-via-request-cancel', 'stop by cancelling the call, not by the stop tensor')
    .option('--return-context-logits', 'print the shape of the logits of the prompt')
    .option('--return-generation-logits', 'print the shape of the logits of the answer')
    .addOption(new Option('--return-perf-metrics', 'ask for times').hideHelp());
  for (const flags of NEEDLESS) command.addOption(new Option(flags).hideHelp());
  for (const [flags, why] of NOT_SUPPORTED) {
    const option = new Option(flags).hideHelp();
    command.addOption(flags.includes('<') ? option.argParser(refuse(why)) : option);
  }
  return command;
}

/** @throws {AloftError} USAGE for a flag without a value that asks for what is not there. */
export function refuseUnsupported(command: Command): void {
  for (const [flags, why] of NOT_SUPPORTED) {
    const option = command.options.find((candidate) => candidate.flags === flags);
    if (option !== undefined && command.getOptionValueSource(option.attributeName()) === 'cli')
      throw new AloftError('USAGE', `${option.long} is not supported: ${why}.`);
  }
}

export function wantsTokens(flags: TokenFlags): boolean {
  return flags.tokenizerDir !== undefined || flags.inputTokensCsv !== undefined;
}

export interface TokenWish {
  readonly modelName: string | undefined;
  readonly requestId: string | undefined;
  readonly maxTokens: number;
  readonly isStreaming: boolean;
  readonly stopAfterMs: number | undefined;
  readonly isChecked: boolean;
  readonly inputs: Readonly<Record<string, number | bigint | boolean | undefined>>;
}

/** @throws {AloftError} USAGE */
export function readTokenCommand(
  flags: TokenFlags,
  promptTokenIds: readonly number[],
  wish: TokenWish,
): TokenCommand {
  if (wish.isChecked && flags.outputTokensCsv === undefined)
    throw new AloftError('USAGE', '--check-output of token ids needs --output-tokens-csv.');
  const inputs = {
    ...wish.inputs,
    return_context_logits: flags.returnContextLogits,
    return_generation_logits: flags.returnGenerationLogits,
    return_perf_metrics: flags.returnPerfMetrics,
  };
  const given = Object.entries(inputs).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value] as const],
  );
  const by = flags.stopViaRequestCancel ? 'cancel' : 'tensor';
  return {
    modelName: wish.modelName ?? 'tensorrt_llm',
    id: wish.requestId ?? randomUUID(),
    promptTokenIds,
    maxTokens: wish.maxTokens,
    isStreaming: wish.isStreaming,
    inputs: Object.fromEntries(given),
    requestedOutputs: flags.requestedOutputs ?? [],
    stop: wish.stopAfterMs === undefined ? undefined : { afterMs: wish.stopAfterMs, by },
    expectedTokenIds: wish.isChecked ? readCsv(flags.outputTokensCsv!) : undefined,
    correctnessThreshold: flags.correctnessThreshold,
  };
}

/** Token ids of one line of comma-separated values. @throws {AloftError} USAGE, FILE_UNREADABLE */
export function readCsv(path: string): number[] {
  const text = readingFile(path, () => readFileSync(path, 'utf8'));
  const ids = text
    .trim()
    .split(/[\s,]+/)
    .map(Number);
  if (text.trim() !== '' && ids.every((id) => Number.isInteger(id) && id >= 0)) return ids;
  throw new AloftError('USAGE', `'${path}' must hold token ids separated by commas.`);
}
