/**
 * The part of a checkpoint's config.json that says how its weights are quantised: AWQ (written by AutoAWQ) and GPTQ (written by
 * AutoGPTQ, GPTQModel and optimum); FP8 is in fp8-config.ts. Fields are facts of the formats, which vLLM and transformers read
 * alike.
 */
import { AloftError } from '../../core/errors.js';
import { int4Format, INT4_GROUPS, type Int4Group } from '../../plan/weight-format.js';
import type { JsonFile } from '../checkpoint/json-file.js';
import type { Quantisation, QuantisedPart } from '../passes/quantise.js';
import { FP8_METHODS, fp8Quantisation, type Fp8Quantisation } from './fp8-config.js';
import { moduleNames } from './module-names.js';

export const METHOD_NAMES = ['awq', 'gptq'] as const;
export type QuantisationMethod = (typeof METHOD_NAMES)[number];

/** Weights that a checkpoint holds quantised, and how its tensors are to be read. */
export type CheckpointQuantisation = GroupedQuantisation | Fp8Quantisation;

/** INT4 weights in groups. */
export interface GroupedQuantisation extends Quantisation {
  readonly method: QuantisationMethod;
  /** Inputs that share a scale in the checkpoint, a multiple of the format's; null: whole rows. */
  readonly storedGroup: number | null;
  /** Added to the zeros as they are stored: 1 in GPTQ's first format. */
  readonly zeroOffset: 0 | 1;
}

const REMEDY =
  'Use one of AWQ or GPTQ with 4 bits, of FP8 with a scale for each tensor or channel and none for inputs, or the float16 or bfloat16 checkpoint.';

/** @throws {AloftError} UNSUPPORTED, CHECKPOINT_CONFIG */
export function quantisationOf(file: JsonFile): CheckpointQuantisation | undefined {
  // compressed-tensors had a name of its own for the section.
  const section = file.section('quantization_config') ?? file.section('compression_config');
  if (section === undefined) return undefined;
  const refuse = (what: string): never => {
    throw new AloftError(
      'UNSUPPORTED',
      `${file.path}: 'quantization_config' names ${what}, which is not supported. ${REMEDY}`,
    );
  };
  const name = section.text('quant_method', 'a method that it does not name');
  const fp8 = FP8_METHODS.find((one) => one === name);
  if (fp8 !== undefined) return fp8Quantisation(fp8, section, refuse);
  const method = METHOD_NAMES.find((one) => one === name) ?? refuse(`weights quantised by ${name}`);
  const bits = section.count(section.has('w_bit') ? 'w_bit' : 'bits');
  if (bits !== 4) refuse(`weights of ${bits} bits`);
  return method === 'awq' ? awq(section, refuse) : gptq(section, refuse);
}

type Refuse = (what: string) => never;

function awq(section: JsonFile, refuse: Refuse): GroupedQuantisation {
  const version = section.text('version', 'gemm').toLowerCase();
  if (version !== 'gemm') refuse(`AWQ's arrangement '${version}'`);
  return {
    method: 'awq',
    ...grouping(section, section.has('q_group_size') ? 'q_group_size' : 'group_size', true, refuse),
    parts: new Set(['layers']),
    zeroOffset: 0,
    except: moduleNames(section, 'modules_to_not_convert'),
  };
}

function gptq(section: JsonFile, refuse: Refuse): GroupedQuantisation {
  const format = section.text('checkpoint_format', 'gptq');
  if (format !== 'gptq' && format !== 'gptq_v2') refuse(`GPTQ's arrangement '${format}'`);
  if (Object.keys(section.section('dynamic')?.fields ?? {}).length > 0)
    refuse("modules that are quantised in different ways ('dynamic')");
  const parts = new Set<QuantisedPart>(section.flag('lm_head', false) ? ['layers', 'lm_head'] : ['layers']);
  const only = moduleNames(section, 'modules_in_block_to_quantize');
  return {
    method: 'gptq',
    ...inActOrder(section, grouping(section, 'group_size', !section.flag('sym', true), refuse)),
    parts,
    zeroOffset: format === 'gptq' ? 1 : 0,
    ...(only.length > 0 && { only }),
  };
}

type Grouping = Pick<GroupedQuantisation, 'format' | 'storedGroup'>;

/** Groups of a multiple of ours are taken apart into ours, which have the same scales. */
function grouping(section: JsonFile, field: string, hasZeros: boolean, refuse: Refuse): Grouping {
  const size = section.optionalNumber(field) ?? 128;
  const storedGroup = size === -1 ? null : size;
  const [largest] = INT4_GROUPS;
  const isMultiple = storedGroup === null || (storedGroup > 0 && storedGroup % largest === 0);
  const group = isMultiple ? largest : INT4_GROUPS.find((one) => one === storedGroup);
  if (group === undefined)
    return refuse(
      `groups of ${size} inputs (they can be ${INT4_GROUPS.join(', ')}, multiples of ${largest}, or -1)`,
    );
  return { format: int4Format(group satisfies Int4Group, hasZeros), storedGroup };
}

/** With `desc_act` inputs are grouped in the order in which they were quantised. */
function inActOrder(section: JsonFile, grouped: Grouping): Grouping {
  const { format, storedGroup } = grouped;
  if (!section.flag('desc_act', false) || storedGroup === null) return grouped;
  return { format: { ...format, hasOrder: true }, storedGroup };
}
