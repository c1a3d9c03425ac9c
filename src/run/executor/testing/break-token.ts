/** Makes the embedding of a token no number, in a table of any floats: a number of ones only is none in f32, f16 and bf16. */
export function breakToken(table: Uint8Array, vocabulary: number, tokenId: number): void {
  const rowBytes = table.length / vocabulary;
  table.fill(0xff, tokenId * rowBytes, (tokenId + 1) * rowBytes);
}
