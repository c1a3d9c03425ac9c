/** Flags of the sampling parameters, the same for `aloft run` and `aloft client`. */
import type { Command } from 'commander';
import {
  byName,
  type NumberRange,
  SAMPLING_FIELD_NAMES,
  type SamplingFieldName,
  samplingField,
  type SamplingNumbers,
} from '../../core/sampling-fields.js';
import { present } from '../../core/present.js';
import { realNumber, wholeNumber } from './flags.js';

export function addSamplingFlags(command: Command): Command {
  for (const { flag } of SAMPLING_FIELD_NAMES.map(samplingField))
    command.option(flag.spec, flag.help, parserOf(flag.range));
  return command;
}

/** Parameters that the command line gives. @param command one with {@link addSamplingFlags}, after parsing */
export function samplingFlags(command: Command): Partial<SamplingNumbers> {
  const options = command.opts<Record<string, number | undefined>>();
  return present(byName(SAMPLING_FIELD_NAMES, (name) => options[attributeOf(command, name)]));
}

/** The same by the names of the tensors of a model that takes token ids. */
export function samplingTensors(given: Partial<SamplingNumbers>): Record<string, number | undefined> {
  return Object.fromEntries(
    SAMPLING_FIELD_NAMES.map((name) => [samplingField(name).tensor.engine, given[name]]),
  );
}

function attributeOf(command: Command, name: SamplingFieldName): string {
  const { spec } = samplingField(name).flag;
  return command.options.find(({ flags }) => flags === spec)!.attributeName();
}

function parserOf({ isInteger, min = -Infinity, max }: NumberRange): (text: string) => number {
  return isInteger ? wholeNumber(min, max) : realNumber(min, max ?? Infinity);
}
