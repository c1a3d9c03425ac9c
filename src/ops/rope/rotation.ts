/** Angles of rotary position embedding, Su et al. 2021 (arXiv:2104.09864), with the scalings of Hugging Face transformers. */
import type { RopeParams } from '../../plan/plan.js';

/**
 * Angle per position of each pair of dimensions, radians: theta^(-2i / headDim) for pair i, changed by the scaling.
 *
 * - linear: divided by the factor (positions are interpolated).
 * - llama3: wavelengths above originalMaxPositions / lowFrequencyFactor are divided by the factor, those below
 *   originalMaxPositions / highFrequencyFactor are kept, those between are blended.
 * - dynamic (NTK): theta grows with the sequence: theta * (factor * n / originalMaxPositions - (factor - 1))^(d / (d - 2))
 *   for a sequence of n > originalMaxPositions tokens. transformers takes n from the forward call, so that a key's rotation
 *   depends on how the prompt was cut into calls. Here n is the token's own position + 1, which is what transformers computes
 *   for every generated token (and for prompts within originalMaxPositions), and which no chunking changes. Only a prompt
 *   that is itself longer than originalMaxPositions is rotated otherwise than by one transformers call.
 *
 * @returns [headDim / 2] f64
 */
export function inverseFrequencies(rope: RopeParams, headDim: number, position: number): Float64Array {
  const { scaling } = rope;
  const theta =
    scaling.type === 'dynamic' ? dynamicTheta(rope.theta, scaling, { headDim, position }) : rope.theta;
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
  { headDim, position }: { readonly headDim: number; readonly position: number },
): number {
  const { factor, originalMaxPositions } = scaling;
  const stretch = Math.max(position + 1, originalMaxPositions) / originalMaxPositions;
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

/** Cosines and sines of every position, computed in f64 and rounded once. */
export interface RotationTable {
  /** [positions, headDim / 2] f32 */
  readonly cos: Float32Array;
  /** [positions, headDim / 2] f32 */
  readonly sin: Float32Array;
}

export function rotationTable(rope: RopeParams, headDim: number, positionCount: number): RotationTable {
  const pairCount = headDim / 2;
  const cos = new Float32Array(positionCount * pairCount);
  const sin = new Float32Array(positionCount * pairCount);
  let frequencies = inverseFrequencies(rope, headDim, 0);
  for (let position = 0; position < positionCount; position++) {
    if (rope.scaling.type === 'dynamic' && position >= rope.scaling.originalMaxPositions)
      frequencies = inverseFrequencies(rope, headDim, position);
    for (let pair = 0; pair < pairCount; pair++) {
      const angle = position * frequencies[pair]!;
      cos[position * pairCount + pair] = Math.cos(angle);
      sin[position * pairCount + pair] = Math.sin(angle);
    }
  }
  return { cos, sin };
}
