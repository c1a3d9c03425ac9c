/** Arguments of `LLM.load` as programs write them. JavaScript checks no types, so this does. */
import { OPENING_OPTIONS, type OptionValues, SCHEDULING_OPTIONS } from '../core/engine-option-table.js';
import { AloftError, suggestion } from '../core/errors.js';
import { isWithin, rangeText } from '../core/number-range.js';
import type { BatcherOptions } from '../run/batcher/batcher-options.js';
import { camelCase, isPlainObject, isSignal, shown } from './input.js';
import type { LoadOptions } from './load-options.js';

/** Members besides those of the table of engine options. The compiler asks for new ones. */
const MEMBERS: Readonly<Record<Exclude<keyof LoadOptions, keyof typeof OPENING_OPTIONS>, true>> = {
  place: true,
  isa: true,
  useGraphs: true,
  profile: true,
  verification: true,
  layerCount: true,
  tokenizerDirectory: true,
  modelName: true,
  scheduler: true,
  signal: true,
  onProgress: true,
  executorUrl: true,
};

const SCHEDULER_MEMBERS: Readonly<
  Record<Exclude<keyof BatcherOptions, keyof typeof SCHEDULING_OPTIONS>, true>
> = {
  maxSequenceCount: true,
  maxStepTokens: true,
  maxInputTokens: true,
  maxOutputTokens: true,
  maxTopLogprobs: true,
  swap: true,
  priorityHeadStartMs: true,
  stepTimeoutMs: true,
};

type Table = Readonly<Record<string, { readonly values: OptionValues }>>;

/** @throws {AloftError} USAGE naming the argument, what it must be, and the name that was probably meant */
export function checkLoadArguments(engineDirectory: unknown, options: unknown): void {
  if (typeof engineDirectory !== 'string')
    throw usage(
      `The engine to load must be the path of its directory, such as './engine', but is ${shown(engineDirectory)}.`,
    );
  const { scheduler = {}, signal } = checkMembers(options, 'options', OPENING_OPTIONS, MEMBERS);
  checkMembers(scheduler, 'scheduler', SCHEDULING_OPTIONS, SCHEDULER_MEMBERS);
  if (signal !== undefined && !isSignal(signal))
    throw usage(
      `signal must be an AbortSignal, such as AbortSignal.timeout(60_000), but is ${shown(signal)}.`,
    );
}

/** An executor that the program brings itself may have options that are not known here. */
function checkMembers(
  value: unknown,
  where: string,
  table: Table,
  others: Readonly<Record<string, true>>,
): Readonly<Record<string, unknown>> {
  if (!isPlainObject(value))
    throw usage(`${where} must be an object such as { maxKvTokens: 4096 }, but is ${shown(value)}.`);
  const names = [...Object.keys(table), ...Object.keys(others)];
  for (const [name, member] of Object.entries(value)) {
    if (!names.includes(name) && !('executorUrl' in value)) throw unknownMember(name, where, names);
    const option = table[name];
    if (option !== undefined && member !== undefined) checkValue(name, member, option.values);
  }
  return value;
}

function unknownMember(name: string, where: string, names: readonly string[]): AloftError {
  const camel = camelCase(name);
  if (where === 'options' && Object.hasOwn(SCHEDULING_OPTIONS, camel))
    return usage(`options has no member '${name}'; did you mean scheduler: { ${camel}: ... }?`);
  const meant = suggestion(camel, names);
  const hint = meant === undefined ? `its members are ${names.join(', ')}.` : `did you mean ${meant}?`;
  return usage(`${where} has no member '${name}'; ${hint}`);
}

function checkValue(name: string, value: unknown, values: OptionValues): void {
  const wanted = mismatch(value, values);
  if (wanted !== undefined) throw usage(`${name} must be ${wanted}, but is ${shown(value)}.`);
}

/** @returns words for the values that an option has, where the value is none of them */
function mismatch(value: unknown, values: OptionValues): string | undefined {
  switch (values.type) {
    case 'whole':
    case 'real':
    case 'bytes': {
      const { min, max } = values.type === 'bytes' ? { min: 0, max: undefined } : values;
      const range = { isInteger: values.type !== 'real', min, ...(max === undefined ? {} : { max }) };
      return isWithin(value, range) ? undefined : rangeText(range);
    }
    case 'switch':
    case 'onOff':
      return typeof value === 'boolean' ? undefined : 'true or false';
    case 'choice': {
      const choices = [...new Set(Object.values(values.choices))];
      return choices.includes(value)
        ? undefined
        : choices.map((choice) => `'${String(choice)}'`).join(' or ');
    }
    case 'text':
      return typeof value === 'string' ? undefined : 'a text';
  }
}

function usage(message: string): AloftError {
  return new AloftError('USAGE', message);
}
