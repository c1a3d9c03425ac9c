/** `aloft verify`: an engine against its checkpoint. */
import { readFileSync } from 'node:fs';
import { SingleBar } from 'cli-progress';
import type { Command } from 'commander';
import { openCheckpoint } from '../../builder/checkpoint/open.js';
import { AloftError } from '../../core/errors.js';
import { readingFile } from '../../core/file-fault.js';
import { readManifest } from '../../engine/manifest.js';
import { loadTokenizer } from '../../text/tokenizer/load.js';
import { PROBE_TEXT } from './probe-text.js';
import { type Difference, type EngineComparison, verify } from '../../verify/verify.js';
import { addLoadFlags, type LoadFlags, loadOptions } from './engine-flags.js';
import { wholeNumber } from './flags.js';
import { interruptible } from './interrupt.js';
import { localModel } from './pull.js';
import { formatTable, jsonText, type Terminal } from './terminal.js';

interface VerifyFlags extends LoadFlags {
  readonly textFile?: string;
  readonly maxTokens: number;
  readonly json?: true;
}

export function registerVerify(command: Command, terminal: Terminal): void {
  command
    .argument('<engine>', 'the engine')
    .argument('<checkpoint>', 'the checkpoint or GGUF file that it was built from, or ORG/NAME on the hub')
    .option('--text-file <file>', 'text to run (default: a text about lighthouses)')
    .option('--max-tokens <n>', 'tokens of the text; time grows with them', wholeNumber(2), 64)
    .option('--json', 'print the result as JSON')
    .addHelpText(
      'after',
      '\nThe checkpoint is computed in f32 by plain loops: a few seconds for each\nbillion of weights times tokens. Exit status 1 when a layer differs by more\nthan the number formats of the engine explain.',
    );
  addLoadFlags(command);
  command.action((engine: string, checkpoint: string, flags: VerifyFlags) =>
    verifyCommand(engine, checkpoint, flags, terminal),
  );
}

async function verifyCommand(
  engineDirectory: string,
  source: string,
  flags: VerifyFlags,
  terminal: Terminal,
): Promise<void> {
  const {
    tokenizerDirectory = engineDirectory,
    modelName: _,
    scheduler: __,
    ...options
  } = loadOptions(flags);
  const tokenIds = await tokensOf(engineDirectory, tokenizerDirectory, flags);
  const checkpoint = openCheckpoint(await localModel(source, terminal));
  try {
    const result = await interruptible((signal) => {
      const onProgress = progress(terminal);
      return verify({
        options: { ...options, engineDirectory },
        checkpoint,
        tokenIds,
        onProgress(doneCount, totalCount) {
          onProgress(doneCount, totalCount);
          signal.throwIfAborted();
        },
      });
    });
    terminal.out(flags.json ? jsonText(result) : verificationText(result));
    requireWithin(result);
  } finally {
    checkpoint.tensors.dispose();
  }
}

/** @throws {AloftError} FILE_UNREADABLE, TOKENIZER_*, USAGE */
async function tokensOf(
  engineDirectory: string,
  tokenizerDirectory: string,
  { textFile, maxTokens }: VerifyFlags,
): Promise<number[]> {
  const text =
    textFile === undefined ? PROBE_TEXT : readingFile(textFile, () => readFileSync(textFile, 'utf8'));
  const { max_input_len: longest } = readManifest(engineDirectory).builder_config;
  const tokenizer = await loadTokenizer(tokenizerDirectory);
  const ids = await tokenizer.encode(text, { addSpecialTokens: true });
  if (ids.length >= 2) return ids.slice(0, Math.min(maxTokens, longest));
  throw new AloftError('USAGE', `${textFile} has less than two tokens; name a file with more text.`);
}

function progress(terminal: Terminal): (doneCount: number, totalCount: number) => void {
  if (!terminal.isInteractive) return () => {};
  const bar = new SingleBar({
    format: 'comparing |{bar}| {value}/{total}',
    hideCursor: true,
    clearOnComplete: true,
    stopOnComplete: true,
  });
  return (doneCount, totalCount) => (doneCount === 0 ? bar.start(totalCount, 0) : bar.update(doneCount + 1));
}

function verificationText(result: EngineComparison): string {
  const { layers, logits, tokenCount, text } = result;
  const rows = layers.map((layer, index) => [`layer ${index}`, ...cells(layer)]);
  const table = formatTable([
    ['after', 'difference', 'allowed', ''],
    ...rows,
    ['all tokens', ...cells(logits)],
  ]);
  if (text === null) return `${table}\n`;
  const { engine, checkpoint } = text.perplexity;
  return `${table}
Same most likely token at ${text.sameTopCount} of ${tokenCount} tokens.
Perplexity of the text: ${engine.toFixed(4)}, of the checkpoint ${checkpoint.toFixed(4)}.
`;
}

function cells({ difference, tolerance, isWithin }: Difference): string[] {
  const shown = difference === null ? 'not finite' : `${(difference * 100).toPrecision(2)}%`;
  return [shown, `${(tolerance * 100).toPrecision(2)}%`, isWithin ? '' : 'beyond'];
}

/** @throws {AloftError} CHECK_FAILED */
function requireWithin({ engine, checkpoint, layers, logits, firstWrongLayer }: EngineComparison): void {
  if (firstWrongLayer === null && logits.isWithin) return;
  const layer = firstWrongLayer ?? layers.length - 1;
  const others =
    layer === 0 ? ', the embedding, the final norm or the head, which each row has gone through' : '';
  throw new AloftError(
    'CHECK_FAILED',
    `${engine} differs from ${checkpoint} by more than its number formats explain, first in layer ${layer}${others}; build it again from this checkpoint, and report it if it differs still.`,
  );
}
