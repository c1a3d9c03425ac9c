/** The flag table of a build as options of a command. */
import { type Command, Option } from 'commander';
import { BUILD_FLAGS, type BuildFlag } from '../../builder/build-flags.js';
import type { GivenFlags } from '../../builder/flag-reader.js';

export function addBuildFlags(command: Command): void {
  for (const flag of BUILD_FLAGS) command.addOption(optionOf(flag));
}

function optionOf(flag: BuildFlag): Option {
  return new Option(`--${flag.name.replaceAll('_', '-')}${argumentOf(flag)}`, describe(flag));
}

function argumentOf({ kind }: BuildFlag): string {
  if (kind.type === 'switch') return '';
  if (kind.type === 'scaling') return ' <type-and-factor...>';
  return kind.type === 'optionalChoice' ? ' [value]' : ' <value>';
}

function describe({ meaning, support, note, fallback }: BuildFlag): string {
  const remark =
    support === 'no' ? ' [not supported]' : support === 'yes' || note === undefined ? '' : ` [${note}]`;
  return `${meaning}${fallback === undefined ? '' : ` (default: ${fallback})`}${remark}`;
}

/** `--model_dir ORG/NAME` names a model on the hub. @param pathOf brings it here and returns its path */
export async function withModelPath(
  given: GivenFlags,
  pathOf: (source: string) => Promise<string>,
): Promise<GivenFlags> {
  const model = given.get('model_dir');
  return typeof model === 'string' ? new Map([...given, ['model_dir', await pathOf(model)]]) : given;
}

/** Only what the user wrote, under the names of the flag table. */
export function givenFlags(command: Command, values: Record<string, unknown>): GivenFlags {
  const given = new Map<string, string | readonly string[] | true>();
  for (const flag of BUILD_FLAGS) {
    const key = new Option(`--${flag.name.replaceAll('_', '-')}`).attributeName();
    const value = values[key];
    if (value === undefined || command.getOptionValueSource(key) !== 'cli') continue;
    given.set(flag.name, value as string | readonly string[] | true);
  }
  return given;
}
