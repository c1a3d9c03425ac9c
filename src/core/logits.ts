/** Logits of several tokens in one array, in order: parts of [tokens, vocabulary] f32, side by side. */
export function joinLogits(parts: readonly Float32Array[]): Float32Array {
  const joined = new Float32Array(parts.reduce((total, part) => total + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    joined.set(part, offset);
    offset += part.length;
  }
  return joined;
}
