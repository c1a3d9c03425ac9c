/** The rotary settings of config.json, but for the kinds of scaling. */
import { AloftError } from '../../core/errors.js';
import type { RopeParams } from '../../plan/plan.js';
import type { JsonFile } from './json-file.js';
import { scalingOf } from './rope-scaling.js';

/**
 * The rotary settings, wherever they were published: `rope_theta` and `rope_scaling` side by side, or both in `rope_parameters`
 * since transformers 5, or a mixture of these. As there, `rope_scaling` goes before `rope_parameters`, and a base in either
 * before the one beside them.
 * @param given.section settings of some of the layers, instead of those of the file
 * @param given.partialRotaryFactor share of a head that is rotated where the file says nothing; absent: whole heads are
 * @throws {AloftError} CHECKPOINT_CONFIG, UNSUPPORTED
 */
export function ropeOf(
  file: JsonFile,
  headDim: number,
  given: { readonly section?: JsonFile; readonly partialRotaryFactor?: number },
): RopeParams {
  const section = given.section ?? nonEmpty(file.section('rope_scaling')) ?? file.section('rope_parameters');
  const theta = section?.has('rope_theta')
    ? section.positive('rope_theta')
    : file.positive('rope_theta', 10000);
  const rotaryDim = Math.trunc(headDim * rotatedShare(file, section, given.partialRotaryFactor));
  return {
    theta,
    scaling: section === undefined ? { type: 'none' } : scalingOf(file, section, rotaryDim),
    ...(rotaryDim === headDim ? {} : { rotaryDim }),
  };
}

const nonEmpty = (section: JsonFile | undefined): JsonFile | undefined =>
  section === undefined || Object.keys(section.fields).length === 0 ? undefined : section;

/** Share of a head that is rotated: of the section, of the file, or as the architecture has it. */
function rotatedShare(file: JsonFile, section: JsonFile | undefined, usual: number | undefined): number {
  const name = 'partial_rotary_factor';
  const share = (section?.has(name) ? section : file).positive(name, usual ?? 1);
  if (usual !== undefined || share === 1) return share;
  throw new AloftError(
    'UNSUPPORTED',
    `${file.path}: '${name}' is ${share}, but models of this architecture rotate whole heads.`,
  );
}
