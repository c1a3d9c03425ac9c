/** `aloft run`: continues prompts, all of them in flight at once. */
import type { Command } from 'commander';
import { readFileSync } from 'node:fs';
import type { Constraint } from '../../core/constraint.js';
import { AloftError } from '../../core/errors.js';
import type { GenerateRequest, Prompt } from '../../core/generate.js';
import { LOG_LEVELS, type LogLevel } from '../../core/log.js';
import { present } from '../../core/present.js';
import type { SamplingNumbers } from '../../core/sampling-fields.js';
import { LLM } from '../../llm/llm.js';
import { loadedView, memoryTable } from '../memory/memory-view.js';
import { requireWritable, writeResultFile } from '../report/result-file.js';
import { OrderedOutput, TextPieces } from '../run/ordered-output.js';
import { type ConstraintFlags, readConstraintFlags } from '../run/constraint.js';
import { type Answer, collectAnswer, csvRows, plainAnswer, summaryLine } from '../run/output.js';
import { DEFAULT_INPUT_TEXT, readPrompts } from '../run/prompts.js';
import { addEngineFlags, type EngineFlags, loadOptions } from './engine-flags.js';
import { engineDirectoryOf } from './engine-source.js';
import { oneOf, repeated, wholeNumber } from './flags.js';
import { startProgress } from './progress.js';
import { loadShown } from './load-shown.js';
import { addSamplingFlags, samplingFlags } from './sampling-flags.js';
import type { Terminal } from './terminal.js';
import { terminalLog } from './terminal-log.js';

interface RunFlags extends EngineFlags, ConstraintFlags {
  readonly maxOutputLen: number;
  readonly inputText?: string[];
  readonly inputFile?: string;
  readonly inputTokens?: string;
  readonly chat?: true;
  readonly addSpecialTokens: boolean;
  /** Sampling parameters, from flags of their own. */
  readonly sampling: Partial<SamplingNumbers>;
  readonly randomSeed?: string;
  readonly endId?: number;
  readonly ignoreEos?: true;
  readonly stop?: string[];
  readonly numBeams: number;
  readonly streaming?: boolean;
  readonly streamingInterval: number;
  readonly outputCsv?: string;
  readonly json?: true;
  readonly outputNpy?: string;
  readonly logLevel: LogLevel;
}

export function registerRun(command: Command, terminal: Terminal): void {
  command
    .argument(
      '[engine]',
      'an engine; or a checkpoint or ORG/NAME on Hugging Face, built once (instead of --engine-dir)',
    )
    .argument('[text...]', 'prompts (instead of --input-text); - reads one from standard input')
    .optionsGroup('Input:')
    .option('--input-text <text>', `a prompt; may be repeated (default: "${DEFAULT_INPUT_TEXT}")`, repeated)
    .option('--input-file <file>', 'prompts, one a line; a .csv file holds token ids')
    .option('--input-tokens <file.csv>', 'the same as --input_file with a .csv file')
    .option('--chat', 'send each text as a user message through the chat template')
    .option('--no-add-special-tokens', 'no begin token before texts (as TensorRT-LLM 0.5 run.py did)')
    .optionsGroup('Output:')
    .option('--max-output-len <tokens>', 'tokens to generate at most', wholeNumber(1), 128);
  addSamplingFlags(command.optionsGroup('Sampling:'))
    .option('--random-seed <n>', 'makes sampling repeatable (default: random)')
    .option('--num-beams <n>', 'beam search when over 1', wholeNumber(1, 32), 1)
    .optionsGroup('End of the output:')
    .option('--end-id <id>', 'token that ends the output (default: the model says)', wholeNumber(0))
    .option('--ignore-eos', 'generate to the full length')
    .option('--stop <text>', 'text that ends the output; may be repeated', repeated)
    .optionsGroup('Form of the output:')
    .option('--json-schema <file>', 'hold the output to a JSON schema')
    .option('--regex <pattern>', 'hold the output to a regular expression (ECMA-262)')
    .option('--grammar <file>', "hold the output to a grammar, in GBNF or in Lark's notation")
    .optionsGroup('Printing:')
    .option('--streaming', 'print text as it comes (default on a terminal)')
    .option('--no-streaming', 'print the text when it is complete')
    .option('--streaming-interval <n>', 'with --streaming: print every n pieces of text', wholeNumber(1), 1)
    .option('--output-csv <file>', 'write prompt and output ids instead of text')
    .option('--json', 'print a JSON object for each prompt, one a line')
    .option('--output-npy <file>', '[not supported: use --output_csv]')
    .option(
      '--log-level <level>',
      `${LOG_LEVELS.join(', ')}; info shows where the memory goes`,
      oneOf(LOG_LEVELS),
      'error',
    );
  addEngineFlags(command.optionsGroup('Engine and memory:'));
  command.action(async (engine: string | undefined, texts: string[], flags: Omit<RunFlags, 'sampling'>) => {
    const named = { ...flags, ...(await namedInput(command, { engine, texts }, terminal)) };
    await runCommand({ ...named, sampling: samplingFlags(command) }, terminal);
  });
}

/** Flags that stand for arguments without a flag. @throws {AloftError} USAGE when both are given */
async function namedInput(
  command: Command,
  { engine, texts }: { readonly engine: string | undefined; readonly texts: readonly string[] },
  terminal: Terminal,
): Promise<Partial<Pick<RunFlags, 'engineDir' | 'inputText'>>> {
  if (engine === undefined) return {};
  const { inputText, inputFile, inputTokens } = command.opts<RunFlags>();
  if (command.getOptionValueSource('engineDir') === 'cli')
    throw new AloftError('USAGE', `An engine (${engine}) and --engine_dir were both given; use one of them.`);
  if (texts.length > 0 && (inputText ?? inputFile ?? inputTokens) !== undefined)
    throw new AloftError('USAGE', 'Texts and a flag for prompts were both given; use one of them.');
  const engineDir = await engineDirectoryOf(engine, terminal);
  const given = texts.map((text) => (text === '-' ? readFileSync(0, 'utf8').replace(/\r?\n$/, '') : text));
  return { engineDir, ...present({ inputText: given.length > 0 ? given : undefined }) };
}

async function runCommand(flags: RunFlags, terminal: Terminal): Promise<void> {
  checkNumpy(flags);
  const prompts = readPrompts({
    inputText: flags.inputText,
    inputFile: flags.inputFile ?? flags.inputTokens,
    addSpecialTokens: flags.addSpecialTokens,
    chat: flags.chat ?? false,
  });
  requireWritable([flags.outputCsv]);
  const constraint = readConstraintFlags(flags);
  const options = loadOptions(flags);
  await using llm = await loadShown(terminal)((onProgress) =>
    LLM.load(flags.engineDir, { ...options, onProgress }),
  );
  const log = terminalLog(flags.logLevel, terminal);
  log.info(`Memory:\n${memoryTable(loadedView(llm.limits, llm.memory, options.maxKvTokens))}`);
  log.info(`Running the ${llm.model.precision} engine ...`);
  const requests = prompts.map((prompt) => toRequest(prompt, flags, constraint));
  // Beams are only known at the end.
  const isWhole = flags.outputCsv !== undefined || flags.json !== undefined || flags.numBeams > 1;
  const isStreaming = (flags.streaming ?? terminal.isInteractive) && !isWhole;
  const answers = isStreaming
    ? await streamAll(llm, requests, flags, terminal)
    : await answerAll(llm, requests, terminal);
  if (flags.outputCsv !== undefined) {
    writeResultFile(flags.outputCsv, csvRows(answers, flags.endId ?? llm.padId));
    terminal.err(`Wrote ${flags.outputCsv}.\n`);
  } else if (flags.json) {
    for (const answer of answers) terminal.out(`${JSON.stringify(plainAnswer(answer))}\n`);
    return;
  }
  for (const answer of answers) {
    if (flags.outputCsv === undefined && !isStreaming) printAnswer(llm, answer, terminal);
    terminal.err(`${summaryLine(answer)}\n`);
  }
}

/** The original reads and writes .npy files too. @throws {AloftError} USAGE, UNSUPPORTED */
function checkNumpy({ inputFile, inputTokens, outputNpy }: RunFlags): void {
  if (outputNpy !== undefined)
    throw new AloftError('UNSUPPORTED', '--output_npy is not supported: use --output_csv.');
  if (inputTokens === undefined) return;
  if (inputFile !== undefined)
    throw new AloftError('USAGE', '--input_tokens and --input_file were both given; use one of them.');
  if (!inputTokens.endsWith('.csv'))
    throw new AloftError(
      'USAGE',
      `Input file format of --input_tokens ${inputTokens} is not supported; write ids to a .csv file, one prompt a line.`,
    );
}

/** Prints texts while they come, prompt after prompt; all prompts run in flight meanwhile. */
async function streamAll(
  llm: LLM,
  requests: readonly GenerateRequest[],
  flags: RunFlags,
  terminal: Terminal,
): Promise<Answer[]> {
  const ordered = new OrderedOutput(terminal.out);
  return Promise.all(
    requests.map(async (request, index) => {
      const pieces = new TextPieces({
        head: `${promptText(request.prompt)}Output: "`,
        interval: flags.streamingInterval,
        out: (text) => ordered.write(index, text),
      });
      const answer = await collectAnswer(
        llm.generate(request),
        (text) => pieces.add(text),
        (event) => {
          throw new AloftError(event.error.code, promptError(requests, index, event.error.message));
        },
      );
      pieces.flush();
      if (pieces.isEmpty) pieces.write('');
      ordered.write(index, '"\n');
      ordered.end(index);
      return answer;
    }),
  );
}

function promptError(requests: readonly unknown[], index: number, message: string): string {
  return requests.length > 1 ? `Prompt ${index + 1}: ${message}` : message;
}

function promptText(prompt: Prompt): string {
  if (prompt.type === 'text') return `Input: "${prompt.text}"\n`;
  return prompt.type === 'chat'
    ? `Input: "${prompt.messages.map((message) => message.content).join('\n')}"\n`
    : '';
}

/** Submits every prompt at once; the batcher runs them in flight. Answers keep the order of the prompts. */
async function answerAll(
  llm: LLM,
  requests: readonly GenerateRequest[],
  terminal: Terminal,
): Promise<Answer[]> {
  let doneCount = 0;
  const progress = startProgress(terminal, { name: 'run', total: requests.length, unit: 'prompts' });
  const answers = requests.map(async (request, index) => {
    const answer = await collectAnswer(
      llm.generate(request),
      () => {},
      (event) => {
        throw new AloftError(event.error.code, promptError(requests, index, event.error.message));
      },
    );
    progress.update(++doneCount);
    return answer;
  });
  return Promise.all(answers).finally(progress.stop);
}

function printAnswer(llm: LLM, answer: Answer, terminal: Terminal): void {
  terminal.out(`Input: "${llm.tokenizer.decode(answer.promptTokenIds, { skipSpecialTokens: true })}"\n`);
  for (const sequence of answer.sequences) terminal.out(`Output: "${sequence.text}"\n`);
}

function toRequest(prompt: Prompt, flags: RunFlags, constraint: Constraint | undefined): GenerateRequest {
  const isBeam = flags.numBeams > 1;
  return {
    prompt,
    maxOutputTokens: flags.maxOutputLen,
    ...flags.sampling,
    ...present({
      seed: flags.randomSeed === undefined ? undefined : parseSeed(flags.randomSeed),
      endIds: flags.endId === undefined ? undefined : [flags.endId],
      ignoreEos: flags.ignoreEos,
      stop: flags.stop,
      constraint,
      beam: isBeam ? { width: flags.numBeams, lengthPenalty: 1, earlyStopping: false } : undefined,
      sequenceCount: isBeam ? flags.numBeams : undefined,
    }),
  };
}

function parseSeed(text: string): bigint {
  if (/^\d+$/.test(text) && BigInt(text) < 2n ** 64n) return BigInt(text);
  throw new AloftError('USAGE', `--random_seed is '${text}'; give a whole number from 0 to 2^64 - 1.`);
}
