/** Flags of the commands that load an engine, made from the table of engine options. */
import { type Command, Option } from 'commander';
import {
  ENGINE_OPTIONS,
  type EngineOption,
  OPENING_OPTIONS,
  type OptionValues,
  SCHEDULING_OPTIONS,
} from '../../core/engine-option-table.js';
import type { EngineOptionName, EngineOptions } from '../../core/engine-options.js';
import { present } from '../../core/present.js';
import { type LoadOptions, loadOptionsOf } from '../../llm/load-options.js';
import { jobPlace } from './job-place.js';
import { byteCount, onOff, oneOf, realNumber, wholeNumber } from './flags.js';

/** Flags beside the table's: where an engine is and which tokenizer it gets. */
export interface LoadFlags {
  readonly tokenizerDir?: string;
}

export interface EngineFlags extends LoadFlags {
  readonly engineDir: string;
}

const hasFlag = (name: string): boolean => ENGINE_OPTIONS[name as EngineOptionName].flag !== undefined;
const OPENING_NAMES = Object.keys(OPENING_OPTIONS).filter(hasFlag) as EngineOptionName[];
const SCHEDULING_NAMES = Object.keys(SCHEDULING_OPTIONS).filter(hasFlag) as EngineOptionName[];

export function addEngineFlags(command: Command): void {
  command.option('--engine-dir <dir>', 'engine directory, made by aloft build', 'llama_outputs');
  addLoadFlags(command);
}

export function addLoadFlags(command: Command): void {
  command.option('--tokenizer-dir <dir>', 'tokenizer files (default: those kept in the engine)');
  addOptionFlags(command, OPENING_NAMES);
}

export function addSchedulingFlags(command: Command): void {
  addOptionFlags(command, SCHEDULING_NAMES);
}

/** Adds every flag of the table, below a heading of their own. */
export function addOptionGroup(command: Command, heading: string): void {
  addOptionFlags(command, [...OPENING_NAMES, ...SCHEDULING_NAMES], heading);
}

export function addOptionFlags(command: Command, names: readonly EngineOptionName[], heading?: string): void {
  for (const name of names) {
    for (const option of commandOptions(ENGINE_OPTIONS[name]))
      command.addOption(heading === undefined ? option : option.helpGroup(heading));
  }
}

/** Values of the table's flags among those that a command has parsed, under the options' names, and the job of this process. */
export function engineOptions(values: object): EngineOptions {
  const parsed = new Map<string, unknown>(Object.entries(values));
  const given = Object.entries(ENGINE_OPTIONS).map(([name, option]) => {
    const keys = commandOptions(option).map((flag) => flag.attributeName());
    return [name, keys.map((key) => parsed.get(key)).find((value) => value !== undefined)] as const;
  });
  return { ...present(Object.fromEntries(given)), ...present({ place: jobPlace(process.env) }) };
}

/** Options of a load by flags that {@link addLoadFlags} and {@link addSchedulingFlags} added. */
export function loadOptions(flags: LoadFlags): LoadOptions {
  return {
    ...loadOptionsOf(engineOptions(flags)),
    ...present({ tokenizerDirectory: flags.tokenizerDir }),
  };
}

/** The flag of an option, then its other spellings; none for an option without a flag. */
function commandOptions({ flag, aliases = [], meaning, fallback, values }: EngineOption): Option[] {
  if (flag === undefined) return [];
  const parse = parserOf(values);
  const option = (flags: string, description: string): Option => {
    const made = new Option(flags, description);
    return parse === undefined ? made : made.argParser(parse);
  };
  const description = fallback === undefined ? meaning : `${meaning} (default: ${fallback})`;
  return [option(flag, description), ...aliases.map((alias) => option(alias, 'the same').hideHelp())];
}

/** Parser of a flag's text; undefined where the text is the value, or there is none. */
export function parserOf(values: OptionValues): ((text: string) => unknown) | undefined {
  switch (values.type) {
    case 'whole':
      return wholeNumber(values.min, values.max);
    case 'real':
      return realNumber(values.min, values.max ?? Infinity);
    case 'bytes':
      return byteCount;
    case 'onOff':
      return onOff;
    case 'choice': {
      const choose = oneOf(Object.keys(values.choices));
      return (text) => values.choices[choose(text)];
    }
    case 'switch':
    case 'text':
      return undefined;
  }
}
