/** Reads the prompts of `aloft run`: texts, a file of texts (one a line), or a .csv file of token ids (one prompt a line). */
import { readFileSync } from 'node:fs';
import { AloftError } from '../../core/errors.js';
import type { Prompt } from '../../core/generate.js';

/** TensorRT-LLM's run.py default. */
export const DEFAULT_INPUT_TEXT = 'Born in north-east France, Soyer trained as a';

export interface PromptFlags {
  readonly inputText: readonly string[] | undefined;
  readonly inputFile: string | undefined;
  /** Put the tokenizer's begin token before texts. */
  readonly addSpecialTokens: boolean;
  /** Treat each text as one user message of a chat. */
  readonly chat: boolean;
}

/** @throws {AloftError} USAGE, naming the file and line at fault */
export function readPrompts(flags: PromptFlags): Prompt[] {
  if (flags.inputFile !== undefined && flags.inputText !== undefined) {
    throw new AloftError('USAGE', '--input_text and --input_file were both given; use one of them.');
  }
  if (flags.inputFile === undefined) {
    return (flags.inputText ?? [DEFAULT_INPUT_TEXT]).map((text) => textPrompt(text, flags));
  }
  const lines = readLines(flags.inputFile);
  if (lines.length === 0)
    throw new AloftError('USAGE', `--input_file ${flags.inputFile} is empty; put one prompt on each line.`);
  if (!flags.inputFile.endsWith('.csv')) return lines.map(({ text }) => textPrompt(text, flags));
  return lines.map(({ text, number }) => ({
    type: 'tokens',
    tokenIds: parseIds(text, `${flags.inputFile}:${number}`),
  }));
}

function textPrompt(text: string, flags: PromptFlags): Prompt {
  if (flags.chat) return { type: 'chat', messages: [{ role: 'user', content: text }], templateArguments: {} };
  return { type: 'text', text, addSpecialTokens: flags.addSpecialTokens };
}

function readLines(path: string): { text: string; number: number }[] {
  let content: string;
  try {
    content = readFileSync(path, 'utf8');
  } catch (cause) {
    const reason =
      (cause as NodeJS.ErrnoException).code === 'ENOENT' ? 'does not exist' : (cause as Error).message;
    throw new AloftError('USAGE', `--input_file ${path} cannot be read: ${reason}.`, { cause });
  }
  return content
    .split(/\r?\n/)
    .map((text, index) => ({ text, number: index + 1 }))
    .filter(({ text }) => text.trim() !== '');
}

function parseIds(line: string, where: string): number[] {
  return line.split(',').map((cell) => {
    const id = Number(cell);
    if (cell.trim() !== '' && Number.isSafeInteger(id) && id >= 0) return id;
    throw new AloftError(
      'USAGE',
      `${where} has '${cell.trim()}' where a token id is wanted; write ids separated by commas.`,
    );
  });
}
