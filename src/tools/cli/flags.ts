/** Reads the flags of Aloft's commands: both spellings, checked values, and suggestions for typing mistakes. */
import { type Command, InvalidArgumentError } from 'commander';
import { AloftError } from '../../core/errors.js';

/** `--use_weight_only=x` -> `--use-weight-only=x`: TensorRT-LLM spells flags with underscores, Unix with dashes; both work. */
export function normaliseFlags(argv: readonly string[]): string[] {
  const end = argv.indexOf('--');
  return argv.map((word, index) => {
    if (!word.startsWith('--') || (end >= 0 && index >= end)) return word;
    const [name, ...value] = word.split('=');
    return [name!.replaceAll('_', '-'), ...value].join('=');
  });
}

/** A commander value parser for whole numbers from `min` to `max`. */
export function wholeNumber(min: number, max: number = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== '' && Number.isSafeInteger(value) && value >= min && value <= max) return value;
    const range = max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`;
    throw new InvalidArgumentError(`It must be a whole number ${range}.`);
  };
}

/** A commander value parser for numbers from `min` to `max`. */
export function realNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== '' && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`It must be a number from ${min} to ${max}.`);
  };
}

/** `true`, `on` or `1` against `false`, `off` or `0`. */
export function onOff(text: string): boolean {
  if (/^(true|on|1)$/i.test(text)) return true;
  if (/^(false|off|0)$/i.test(text)) return false;
  throw new InvalidArgumentError(`It must be true or false.`);
}

/** Collects a flag that may be repeated. */
export function repeated(text: string, previous: readonly string[] | undefined): string[] {
  return [...(previous ?? []), text];
}

/** `fp16` style alternatives of one flag. The parser has them as a property, for shells that complete. */
export function oneOf<T extends string>(
  choices: readonly T[],
): ((text: string) => T) & { readonly choices: readonly T[] } {
  const parse = (text: string): T => {
    const choice = choices.find((candidate) => candidate === text);
    if (choice !== undefined) return choice;
    throw new InvalidArgumentError(`Allowed: ${choices.join(', ')}.`);
  };
  return Object.assign(parse, { choices });
}

/** Turns commander's report of wrong usage into one sentence and one coded error. */
export function usageError(command: Command, message: string): AloftError {
  const sentence = message
    .replace(/^error: /, '')
    .replace(/\n/g, ' ')
    .trim();
  return new AloftError(
    'USAGE',
    `${sentence}${/[.?)]$/.test(sentence) ? '' : '.'} See '${commandPath(command)} --help'.`,
  );
}

function commandPath(command: Command): string {
  return command.parent === null ? command.name() : `${commandPath(command.parent)} ${command.name()}`;
}

const BYTE_UNITS = new Map([
  ['', 1],
  ['B', 1],
  ['KIB', 2 ** 10],
  ['MIB', 2 ** 20],
  ['GIB', 2 ** 30],
  ['KB', 1e3],
  ['MB', 1e6],
  ['GB', 1e9],
]);

/** A commander value parser for sizes: `24GiB`, `1.5 GB`, `4096`. */
export function byteCount(text: string): number {
  const [, number, unit] = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text.trim()) ?? [];
  const factor = BYTE_UNITS.get((unit ?? '?').toUpperCase());
  if (number !== undefined && factor !== undefined) return Math.floor(Number(number) * factor);
  throw new InvalidArgumentError('It must be a number of bytes, such as 24GiB.');
}
