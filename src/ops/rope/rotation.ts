/** Angles of rotary position embedding, Su et al. 2021 (arXiv:2104.09864), with the scalings of Hugging Face transformers. */
import type { Plan, RopeParams } from '../../plan/plan.js';

/**
 * Angle per position of each pair of dimensions, radians: theta^(-2i / d) for pair i of the d dimensions that are rotated,
 * changed by the scaling. Pairs that are not rotated have the angle 0.
 *
 * - linear: divided by the factor (positions are interpolated).
 * - llama3: wavelengths above originalMaxPositions / lowFrequencyFactor are divided by the factor, those below
 *   originalMaxPositions / highFrequencyFactor are kept, those between are blended.
 * - dynamic (NTK): theta grows with the sequence: theta * (factor * n / originalMaxPositions - (factor - 1))^(d / (d - 2))
 *   once n > originalMaxPositions, see {@link rotationLength}.
 * - yarn (Peng et al. 2023, arXiv:2309.00071): pairs that turn often within the original positions are kept, slow ones are
 *   divided by the factor, those between are blended.
 * - longrope (Ding et al. 2024, arXiv:2402.13753): divided by a factor for each pair, of one list up to originalMaxPositions
 *   and of another beyond.
 *
 * @param sequenceTokens n, which only dynamic and longrope look at
 * @returns [headDim / 2] f64
 */
export function inverseFrequencies(rope: RopeParams, headDim: number, sequenceTokens: number): Float64Array {
  const { scaling, rotaryDim = headDim } = rope;
  const theta =
    scaling.type === 'dynamic'
      ? dynamicTheta(rope.theta, scaling, { headDim: rotaryDim, sequenceTokens })
      : rope.theta;
  const frequencies = new Float64Array(headDim / 2);
  for (let pair = 0; pair < rotaryDim / 2; pair++) frequencies[pair] = theta ** ((-2 * pair) / rotaryDim);
  switch (scaling.type) {
    case 'linear':
      return frequencies.map((frequency) => frequency / scaling.factor);
    case 'llama3':
      return frequencies.map((frequency) => frequency && blendedFrequency(frequency, scaling));
    case 'yarn':
      return yarnFrequencies(frequencies, scaling, { theta, rotaryDim });
    case 'longrope': {
      const isLong = sequenceTokens > scaling.originalMaxPositions;
      const factors = isLong ? scaling.longFactors : scaling.shortFactors;
      return frequencies.map((frequency, pair) => frequency / (factors[pair] ?? 1));
    }
    default:
      return frequencies;
  }
}

/** Factor of a pair's cosine and sine. */
export function rotationMagnitude({ scaling, rotaryDim, scoreScale = 1 }: RopeParams, pair: number): number {
  const isRotated = rotaryDim === undefined || pair < rotaryDim / 2;
  const hasFactor = scaling.type === 'yarn' || scaling.type === 'longrope';
  return Math.sqrt(scoreScale) * (hasFactor && isRotated ? scaling.attentionFactor : 1);
}

function dynamicTheta(
  theta: number,
  scaling: Extract<RopeParams['scaling'], { type: 'dynamic' }>,
  { headDim, sequenceTokens }: { readonly headDim: number; readonly sequenceTokens: number },
): number {
  const { factor, originalMaxPositions } = scaling;
  const stretch = Math.max(sequenceTokens, originalMaxPositions) / originalMaxPositions;
  return theta * (factor * stretch - (factor - 1)) ** (headDim / (headDim - 2));
}

function blendedFrequency(
  frequency: number,
  scaling: Extract<RopeParams['scaling'], { type: 'llama3' }>,
): number {
  const { factor, lowFrequencyFactor, highFrequencyFactor, originalMaxPositions } = scaling;
  const wavelength = (2 * Math.PI) / frequency;
  if (wavelength < originalMaxPositions / highFrequencyFactor) return frequency;
  if (wavelength > originalMaxPositions / lowFrequencyFactor) return frequency / factor;
  const smooth =
    (originalMaxPositions / wavelength - lowFrequencyFactor) / (highFrequencyFactor - lowFrequencyFactor);
  return ((1 - smooth) * frequency) / factor + smooth * frequency;
}

function yarnFrequencies(
  frequencies: Float64Array,
  scaling: Extract<RopeParams['scaling'], { type: 'yarn' }>,
  { theta, rotaryDim }: { readonly theta: number; readonly rotaryDim: number },
): Float64Array {
  const { factor, originalMaxPositions, betaFast, betaSlow, isTruncated } = scaling;
  // The pair, not a whole one, that makes so many turns within the original positions.
  const pairTurning = (turns: number): number =>
    (rotaryDim * Math.log(originalMaxPositions / (turns * 2 * Math.PI))) / (2 * Math.log(theta));
  const [first, last] = [pairTurning(betaFast), pairTurning(betaSlow)];
  const low = Math.max(0, isTruncated ? Math.floor(first) : first);
  const high = Math.min(rotaryDim - 1, isTruncated ? Math.ceil(last) : last);
  const width = high === low ? 0.001 : high - low;
  return frequencies.map((frequency, pair) => {
    const divided = Math.min(1, Math.max(0, (pair - low) / width));
    return (frequency / factor) * divided + frequency * (1 - divided);
  });
}

/**
 * The sequence length n that decides a token's rotation under dynamic and longrope scaling, as in transformers: its forward call sees the
 * whole prompt at once and then one token at a time, so n is the prompt's length for tokens of the prompt and the token's own
 * position + 1 for generated ones. It does not depend on how the prompt is chunked here. But tokens of a prompt longer than
 * originalMaxPositions are rotated differently in prompts of different lengths: such blocks must not be shared as prefixes.
 */
export function rotationLength(position: number, promptTokens: number): number {
  return Math.max(position + 1, promptTokens);
}

/** Whether the rotation of a sequence's tokens depends on the length of its prompt. */
export function dependsOnPrompt(rope: RopeParams, promptTokens: number): boolean {
  return promptTokens > (uniformTokens(rope) ?? Infinity);
}

/** Tokens up to which all sequences are rotated alike; undefined when there is no bound. */
function uniformTokens({ scaling }: RopeParams): number | undefined {
  return scaling.type === 'dynamic' || scaling.type === 'longrope' ? scaling.originalMaxPositions : undefined;
}

/** The longest prompt whose rotations do not depend on its length; undefined when none does. */
export function uniformPromptTokens({ ops }: Plan): number | undefined {
  const limits = ops.flatMap((op) => (op.kind === 'ropeAppend' ? (uniformTokens(op.rope) ?? []) : []));
  return limits.length === 0 ? undefined : Math.min(...limits);
}

/** Cosines and sines of every position, times the magnitude of their pair, computed in f64 and rounded once. */
export interface RotationTable {
  /** [positions, headDim / 2] f32 */
  readonly cos: Float32Array;
  /** [positions, headDim / 2] f32 */
  readonly sin: Float32Array;
}

/** @param promptTokens length of the prompt; matters only where {@link dependsOnPrompt} says so */
export function rotationTable(
  rope: RopeParams,
  headDim: number,
  { positionCount, promptTokens = 0 }: { readonly positionCount: number; readonly promptTokens?: number },
): RotationTable {
  const pairCount = headDim / 2;
  const cos = new Float32Array(positionCount * pairCount);
  const sin = new Float32Array(positionCount * pairCount);
  const magnitudes = Float64Array.from({ length: pairCount }, (_, pair) => rotationMagnitude(rope, pair));
  let frequencies = inverseFrequencies(rope, headDim, promptTokens);
  for (let position = 0; position < positionCount; position++) {
    const length = rotationLength(position, promptTokens);
    if (length > promptTokens && dependsOnPrompt(rope, length))
      frequencies = inverseFrequencies(rope, headDim, length);
    for (let pair = 0; pair < pairCount; pair++) {
      const angle = position * frequencies[pair]!;
      cos[position * pairCount + pair] = magnitudes[pair]! * Math.cos(angle);
      sin[position * pairCount + pair] = magnitudes[pair]! * Math.sin(angle);
    }
  }
  return { cos, sin };
}
