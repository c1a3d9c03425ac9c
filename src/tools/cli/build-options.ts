/** The flag table of a build as options of a command. */
import { type Command, Option } from 'commander';
import { BUILD_FLAGS, type BuildFlag, KV_CACHE_FLAGS, SHAPE_FLAGS } from '../../builder/build-flags.js';
import type { GivenFlags } from '../../builder/flag-reader.js';

/** Headings of the help in their order, each with its flags. */
export const BUILD_GROUPS: Readonly<Record<string, readonly string[]>> = {
  'Model and engine:': ['model_dir', 'output_dir', 'force', 'dtype', 'task', 'pooling', 'timing_cache'],
  'Quantised weights:': [
    'quantization',
    'quantize_lm_head',
    'quantize_embedding',
    'use_weight_only',
    'weight_only_precision',
    'group_size',
    'quant_ckpt_path',
    'int8_activations',
    'fp8_activations',
  ],
  'KV cache:': [...KV_CACHE_FLAGS, 'tokens_per_block'],
  'Limits:': ['max_batch_size', 'max_input_len', 'max_output_len', 'max_beam_width', 'max_num_tokens'],
  'Ranks:': ['tp_size', 'world_size', 'pp_size'],
  'Rotary positions:': ['rotary_base', 'rotary_scaling'],
  'Random weights:': ['random_weights', 'random_seed', ...SHAPE_FLAGS],
};

/** Adds the flags that do something, by groups. */
export function addBuildFlags(command: Command): void {
  const flags = new Map(BUILD_FLAGS.map((flag) => [flag.name, flag]));
  for (const [heading, names] of Object.entries(BUILD_GROUPS)) {
    command.optionsGroup(heading);
    for (const name of names) command.addOption(optionOf(flags.get(name)!));
  }
}

/** Adds the flags of build.py that are accepted without effect, or refused with what to do instead. */
export function addOriginalFlags(command: Command): void {
  command.optionsGroup('Flags of the original:');
  for (const flag of BUILD_FLAGS) if (flag.support !== 'yes') command.addOption(optionOf(flag));
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
