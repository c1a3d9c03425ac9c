/** Commands as completion knows them: names, flags and kinds of values. */
import type { Command, Option } from 'commander';

export interface CompletedCommand {
  /** Words after `aloft`: `[]` is the program itself. */
  readonly path: readonly string[];
  readonly description: string;
  /** Names of the commands below it. */
  readonly children: readonly { readonly name: string; readonly description: string }[];
  readonly flags: readonly CompletedFlag[];
  /** Values of its first argument; undefined where it takes paths or text. */
  readonly choices: readonly string[] | undefined;
}

export interface CompletedFlag {
  /** `--engine-dir`. */
  readonly long: string;
  /** `-m`. */
  readonly short: string | undefined;
  readonly description: string;
  readonly value: FlagValue;
}

/** Value of a flag: none, one of several words, a directory, a file, or any text. */
export type FlagValue =
  | { readonly type: 'none' | 'directory' | 'file' | 'text' }
  | { readonly type: 'choice'; readonly choices: readonly string[] };

/** All commands of a program whose flags are there, itself first. */
export function completedCommands(program: Command): CompletedCommand[] {
  return below(program, []);
}

function below(command: Command, path: readonly string[]): CompletedCommand[] {
  const children = command.commands.map((child) => ({
    name: child.name(),
    description: child.description(),
  }));
  const help: CompletedFlag = {
    long: '--help',
    short: '-h',
    description: 'display help for command',
    value: { type: 'none' },
  };
  const own: CompletedCommand = {
    path,
    description: command.description(),
    children,
    flags: [...command.options.filter(({ hidden }) => !hidden).map(flagOf), help],
    choices: command.registeredArguments[0]?.argChoices,
  };
  return [own, ...command.commands.flatMap((child) => below(child, [...path, child.name()]))];
}

function flagOf(option: Option): CompletedFlag {
  return {
    long: option.long ?? option.flags,
    short: option.short,
    description: option.description,
    value: valueOf(option),
  };
}

function valueOf({ required, optional, flags, parseArg }: Option): FlagValue {
  if (!required && !optional) return { type: 'none' };
  const choices: unknown = parseArg === undefined ? undefined : Reflect.get(parseArg, 'choices');
  if (Array.isArray(choices)) return { type: 'choice', choices: choices as readonly string[] };
  if (/<dir>/.test(flags)) return { type: 'directory' };
  return { type: /<file/.test(flags) ? 'file' : 'text' };
}
