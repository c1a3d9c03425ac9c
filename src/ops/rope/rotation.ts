/** Angles of rotary position embedding, Su et al. 2021 (arXiv:2104.09864), with the scalings of Hugging Face transformers. */
import type { Plan, RopeParams } from '../../plan/plan.js';

/**
 * Angle per position of each pair of dimensions, radians: theta^(-2i / headDim) for pair i, changed by the scaling.
 *
 * - linear: divided by the factor (positions are interpolated).
 * - llama3: wavelengths above originalMaxPositions / lowFrequencyFactor are divided by the factor, those below
 *   originalMaxPositions / highFrequencyFactor are kept, those between are blended.
 * - dynamic (NTK): theta grows with the sequence: theta * (factor * n / originalMaxPositions - (factor - 1))^(d / (d - 2))
 *   once n > originalMaxPositions, see {@link rotationLength}.
 *
 * @param sequenceTokens n, which only dynamic scaling looks at
 * @returns [headDim / 2] f64
 */
export function inverseFrequencies(rope: RopeParams, headDim: number, sequenceTokens: number): Float64Array {
  const { scaling } = rope;
  const theta =
    scaling.type === 'dynamic' ? dynamicTheta(rope.theta, scaling, { headDim, sequenceTokens }) : rope.theta;
  const frequencies = Float64Array.from(
    { length: headDim / 2 },
    (_, pair) => theta ** ((-2 * pair) / headDim),
  );
  if (scaling.type === 'linear') return frequencies.map((frequency) => frequency / scaling.factor);
  if (scaling.type === 'llama3') return frequencies.map((frequency) => blendedFrequency(frequency, scaling));
  return frequencies;
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

/**
 * The sequence length n that decides a token's rotation under dynamic scaling, as in transformers: its forward call sees the
 * whole prompt at once and then one token at a time, so n is the prompt's length for tokens of the prompt and the token's own
 * position + 1 for generated ones. It does not depend on how the prompt is chunked here. But tokens of a prompt longer than
 * originalMaxPositions are rotated differently in prompts of different lengths: such blocks must not be shared as prefixes.
 */
export function rotationLength(position: number, promptTokens: number): number {
  return Math.max(position + 1, promptTokens);
}

/** Whether the rotation of a sequence's tokens depends on the length of its prompt. */
export function dependsOnPrompt({ scaling }: RopeParams, promptTokens: number): boolean {
  return scaling.type === 'dynamic' && promptTokens > scaling.originalMaxPositions;
}

/** The longest prompt whose rotations do not depend on its length; undefined when none does. */
export function uniformPromptTokens({ ops }: Plan): number | undefined {
  const limits = ops.flatMap((op) =>
    op.kind === 'ropeAppend' && op.rope.scaling.type === 'dynamic'
      ? [op.rope.scaling.originalMaxPositions]
      : [],
  );
  return limits.length === 0 ? undefined : Math.min(...limits);
}

/** Cosines and sines of every position, computed in f64 and rounded once. */
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
  let frequencies = inverseFrequencies(rope, headDim, promptTokens);
  for (let position = 0; position < positionCount; position++) {
    const length = rotationLength(position, promptTokens);
    if (length > promptTokens && dependsOnPrompt(rope, length))
      frequencies = inverseFrequencies(rope, headDim, length);
    for (let pair = 0; pair < pairCount; pair++) {
      const angle = position * frequencies[pair]!;
      cos[position * pairCount + pair] = Math.cos(angle);
      sin[position * pairCount + pair] = Math.sin(angle);
    }
  }
  return { cos, sin };
}
