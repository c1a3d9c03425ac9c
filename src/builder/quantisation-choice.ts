/** Format of a build's weights: from flags to a choice, and from a choice and the checkpoint to what the pass does. Pure. */
import { AloftError } from '../core/errors.js';
import { formatText, QUANTISED_FORMATS, type QuantisedFormat, sameFormat } from '../plan/weight-format.js';
import type { ModelConfig } from './checkpoint/model-config.js';
import type { FlagReader } from './flag-reader.js';
import type { Quantisation, QuantisedPart } from './passes/quantise.js';
import { METHOD_NAMES, type QuantisationMethod } from './quantised/quantisation-config.js';

/**
 * - `none`: dense, whatever the checkpoint holds
 * - `checkpoint`: as the checkpoint holds them
 * - `quantised`, or a method: the same, of a checkpoint that must be quantised, or quantised by that method
 */
type CheckpointChoice = 'none' | 'checkpoint' | 'quantised' | QuantisationMethod;

/** A format of ours, or what is taken of a checkpoint. */
export type QuantisationChoice = Quantisation | CheckpointChoice | RoundedCheckpoint;

/** FP8 weights as a checkpoint holds them, whose inputs may be rounded. */
interface RoundedCheckpoint extends Required<Pick<Quantisation, 'inputBits'>> {
  readonly weights: CheckpointChoice;
}

const METHOD_OF_PRECISION: ReadonlyMap<string, QuantisationMethod> = new Map([
  ['int4_awq', 'awq'],
  ['int4_gptq', 'gptq'],
]);

/** @throws {AloftError} USAGE, UNSUPPORTED */
export function quantisationChoice(flags: FlagReader): QuantisationChoice {
  const name = formatName(flags);
  const isSplit = ['quantize_lm_head', 'quantize_embedding'].some((flag) => flags.given(flag));
  const format = name === undefined ? undefined : QUANTISED_FORMATS.get(name);
  if (isSplit && format === undefined)
    throw new AloftError(
      'USAGE',
      '--quantize_lm_head and --quantize_embedding need --use_weight_only or --quantization with a format. Add it.',
    );
  const inputBits = inputBitsOf(flags, format);
  if (format !== undefined)
    return { format, parts: partsOf(flags), ...(inputBits === undefined ? {} : { inputBits }) };
  const named = name as QuantisationMethod | 'none' | undefined;
  const weights = named ?? (flags.given('quant_ckpt_path') ? 'quantised' : 'checkpoint');
  return inputBits === undefined ? weights : { weights, inputBits };
}

/** @param format undefined where a checkpoint has its own @throws {AloftError} USAGE when weights are of another type */
function inputBitsOf(flags: FlagReader, format: QuantisedFormat | undefined): Quantisation['inputBits'] {
  const [roundsToInt8, roundsToFp8] = [flags.given('int8_activations'), flags.given('fp8_activations')];
  if (roundsToInt8 && format?.element !== 'int8')
    throw new AloftError('USAGE', '--int8_activations needs INT8 weights: add --use_weight_only.');
  if (roundsToFp8 && format !== undefined && format.element !== 'fp8') throw needsFp8(formatText(format));
  return roundsToInt8 || roundsToFp8 ? 8 : undefined;
}

const needsFp8 = (found: string): AloftError =>
  new AloftError(
    'USAGE',
    `--fp8_activations needs FP8 weights, but these are ${found}. Add --quantization fp8, or name an FP8 checkpoint.`,
  );

/** Name of a format or a method, or `none`; undefined where no flag says it. */
function formatName(flags: FlagReader): string | undefined {
  const [isNamed, isWeightOnly] = [flags.given('quantization'), flags.given('use_weight_only')];
  if (isNamed && isWeightOnly)
    throw new AloftError('USAGE', '--quantization and --use_weight_only exclude each other. Drop one.');
  const precision = flags.text('weight_only_precision');
  const weightOnly = METHOD_OF_PRECISION.get(precision) ?? precision;
  const name = isNamed ? flags.text('quantization') : isWeightOnly ? weightOnly : undefined;
  return flags.given('group_size') ? inGroups(name, Number(flags.text('group_size'))) : name;
}

/** The format with another size of groups; that of a quantised checkpoint is its own. */
function inGroups(name: string | undefined, size: number): string | undefined {
  if (name === undefined || METHOD_NAMES.some((method) => method === name)) return name;
  const format = QUANTISED_FORMATS.get(name);
  if (format === undefined || format.group === null)
    throw new AloftError(
      'USAGE',
      `--group_size ${size} needs weights in groups, and ${name} has none. Use --quantization int4.`,
    );
  const [found] = Array.from(QUANTISED_FORMATS).find(([, one]) =>
    sameFormat(one, { ...format, group: size }),
  )!;
  return found;
}

function partsOf(flags: FlagReader): ReadonlySet<QuantisedPart> {
  const parts = new Set<QuantisedPart>(['layers']);
  if (flags.given('quantize_lm_head')) parts.add('lm_head');
  if (flags.given('quantize_embedding')) parts.add('embedding');
  return parts;
}

/** The quantisation of a build; null for none. @throws {AloftError} UNSUPPORTED, USAGE when the checkpoint is not what the choice asks for */
export function chosenQuantisation(choice: QuantisationChoice, config: ModelConfig): Quantisation | null {
  const { path, quantisation } = config;
  if (choice === 'none') return null;
  if (typeof choice !== 'string') {
    if (!('weights' in choice)) return choice;
    const held = chosenQuantisation(choice.weights, config);
    if (held?.format.element !== 'fp8') throw needsFp8(held === null ? 'dense' : formatText(held.format));
    return { ...held, inputBits: choice.inputBits };
  }
  const isWanted = quantisation !== undefined && (choice === 'quantised' || choice === quantisation.method);
  if (choice !== 'checkpoint' && !isWanted) {
    const found =
      quantisation === undefined
        ? 'no quantisation'
        : `${quantisation.method} (${formatText(quantisation.format)})`;
    throw new AloftError(
      'UNSUPPORTED',
      `The flags ask for a checkpoint that is quantised${choice === 'quantised' ? '' : ` by ${choice}`}, but ${path} names ${found}. Name another checkpoint, or quantise a dense one with --quantization int4.`,
    );
  }
  return quantisation ?? null;
}
