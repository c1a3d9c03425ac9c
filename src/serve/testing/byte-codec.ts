/** A tokenizer of one token per UTF-8 byte, so that most characters outside ASCII take several tokens. */
import type { TokenCodec } from '../engine/engine-loader.js';

const BEGIN_ID = 1;
const END_ID = 2;
const FIRST_BYTE_ID = 3;

export const BYTE_CODEC: TokenCodec = {
  encode: async (text, addSpecialTokens) => [...(addSpecialTokens ? [BEGIN_ID] : []), ...byteIds(text)],
  decode: (tokenIds, skipSpecialTokens) => {
    const special = skipSpecialTokens ? '' : tokenIds.includes(BEGIN_ID) ? '<s>' : '';
    return (
      special + new TextDecoder().decode(Uint8Array.from(tokenIds.filter(isByte), (id) => id - FIRST_BYTE_ID))
    );
  },
  endId: END_ID,
  padId: undefined,
};

export function byteIds(text: string): number[] {
  return Array.from(new TextEncoder().encode(text), (byte) => byte + FIRST_BYTE_ID);
}

export function bytesOfToken(id: number): Uint8Array {
  return isByte(id) ? Uint8Array.of(id - FIRST_BYTE_ID) : new Uint8Array();
}

function isByte(id: number): boolean {
  return id >= FIRST_BYTE_ID;
}
