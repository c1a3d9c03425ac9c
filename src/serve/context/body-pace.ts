/** Pace that a body must keep, whatever brings it: a request over HTTP or a message over gRPC. Pure. */

/** Rate that keeps a long body alive. */
const LEAST_BYTES_PER_MS = 16;
/** Pieces that any body may come in, and bytes that more of them have on average: each costs a turn of the parser. */
const FREE_PIECES = 4096;
const LEAST_PIECE_BYTES = 64;

/** Time that a body has, of which so much has come. @param timeoutMs time that it has in any case */
export function bodyTimeMs(timeoutMs: number, byteCount: number): number {
  return timeoutMs + byteCount / LEAST_BYTES_PER_MS;
}

/** True when bytes come in so many pieces that taking them costs more than what they are for. */
export function isCrumbled(pieceCount: number, byteCount: number): boolean {
  return pieceCount > FREE_PIECES + byteCount / LEAST_PIECE_BYTES;
}
