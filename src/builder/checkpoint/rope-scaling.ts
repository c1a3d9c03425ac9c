/** `rope_scaling` of config.json, as transformers reads it. */
import { AloftError } from '../../core/errors.js';
import type { RopeScaling } from '../../plan/plan.js';
import type { JsonFile } from './json-file.js';

/**
 * @param section `rope_scaling`, or what has its fields in transformers 5
 * @param rotaryDim dimensions of a head that are rotated
 * @throws {AloftError} CHECKPOINT_CONFIG, UNSUPPORTED
 */
export function scalingOf(file: JsonFile, section: JsonFile, rotaryDim: number): RopeScaling {
  const type = section.text('rope_type', section.text('type', 'default'));
  switch (type) {
    case 'default':
      return { type: 'none' };
    case 'linear':
      return { type, factor: section.positive('factor') };
    case 'dynamic':
      return {
        type,
        factor: section.positive('factor'),
        originalMaxPositions: originalPositions(file, section),
      };
    case 'llama3':
      return {
        type,
        factor: section.positive('factor'),
        lowFrequencyFactor: section.positive('low_freq_factor'),
        highFrequencyFactor: section.positive('high_freq_factor'),
        originalMaxPositions: trainedPositions(file, section),
      };
    case 'yarn':
      return yarnOf(file, section);
    case 'longrope':
    case 'su':
      return longropeOf(file, section, rotaryDim);
    default:
      throw new AloftError(
        'UNSUPPORTED',
        `${file.path}: 'rope_scaling' has the type '${type}'; supported are default, linear, dynamic, llama3, yarn and longrope.`,
      );
  }
}

const POSITIONS = 'original_max_position_embeddings';

/** Positions that the model was first trained for: of the scaling, or beside it. */
function trainedPositions(file: JsonFile, section: JsonFile, fallback?: number): number {
  return (section.has(POSITIONS) ? section : file).count(POSITIONS, fallback);
}

/** The same; all positions that the model has where it says nothing of them. */
function originalPositions(file: JsonFile, section: JsonFile): number {
  return trainedPositions(file, section, file.count('max_position_embeddings', 2048));
}

function yarnOf(file: JsonFile, section: JsonFile): RopeScaling {
  const factor = section.positive('factor');
  return {
    type: 'yarn',
    factor,
    originalMaxPositions: originalPositions(file, section),
    betaFast: section.positive('beta_fast', 32),
    betaSlow: section.positive('beta_slow', 1),
    isTruncated: section.flag('truncate', true),
    attentionFactor: section.optionalNumber('attention_factor') ?? yarnAttentionFactor(section, factor),
  };
}

/** 0.1 ln(factor) + 1, or the quotient of two such numbers with weights of their own. */
function yarnAttentionFactor(section: JsonFile, factor: number): number {
  const magnitude = (weight: number): number => (factor <= 1 ? 1 : 0.1 * weight * Math.log(factor) + 1);
  const [weight, allDims] = [section.optionalNumber('mscale'), section.optionalNumber('mscale_all_dim')];
  return weight && allDims ? magnitude(weight) / magnitude(allDims) : magnitude(1);
}

function longropeOf(file: JsonFile, section: JsonFile, rotaryDim: number): RopeScaling {
  const originalMaxPositions = originalPositions(file, section);
  const stretch = file.count('max_position_embeddings') / originalMaxPositions;
  const derived = stretch <= 1 ? 1 : Math.sqrt(1 + Math.log(stretch) / Math.log(originalMaxPositions));
  return {
    type: 'longrope',
    shortFactors: pairFactors(section, 'short_factor', rotaryDim / 2),
    longFactors: pairFactors(section, 'long_factor', rotaryDim / 2),
    originalMaxPositions,
    attentionFactor: section.optionalNumber('attention_factor') ?? derived,
  };
}

function pairFactors(section: JsonFile, name: string, count: number): readonly number[] {
  const factors: unknown = section.fields[name];
  const isFactor = (value: unknown) => typeof value === 'number' && value > 0;
  if (Array.isArray(factors) && factors.length === count && factors.every(isFactor))
    return factors as number[];
  return section.fail(name, `a list of ${count} numbers above 0, one for each pair of rotated dimensions`);
}
