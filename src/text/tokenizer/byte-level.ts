/**
 * The alphabet of byte-level BPE vocabularies (GPT-2, LLaMA-3, Qwen): every byte is written as one printable character,
 * so that a vocabulary can be kept as text. Printable Latin-1 bytes stand for themselves; the other 68 bytes take the
 * code points from 256 on, in byte order.
 */

const isPrintable = (byte: number): boolean =>
  (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || (byte >= 0xae && byte <= 0xff);

/** The character of each byte, indexed by the byte. */
export function byteLevelAlphabet(): readonly string[] {
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => String.fromCodePoint(isPrintable(byte) ? byte : next++));
}

/** Turns vocabulary entries back into bytes. An entry with a character outside the alphabet is taken as plain text. */
export function byteLevelDecoder(): (token: string) => Uint8Array {
  const byteOf = new Map(byteLevelAlphabet().map((character, byte) => [character, byte]));
  const encoder = new TextEncoder();
  return (token) => {
    const bytes = new Uint8Array(token.length);
    for (let i = 0; i < token.length; i++) {
      const byte = byteOf.get(token[i]!);
      if (byte === undefined) return encoder.encode(token);
      bytes[i] = byte;
    }
    return bytes;
  };
}
