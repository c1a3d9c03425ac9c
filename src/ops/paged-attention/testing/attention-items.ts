/** Pieces of attention of a step, as the executor lists them. */
import type { StepInput } from '../../../core/step.js';
import { ceilDiv } from '../../cuda/launch.js';
import { WGMMA_TILE } from '../cuda.js';
import { DECODE_ITEM_WORDS, maxPieceCount, type PieceRule, writePieces } from '../cuda-pieces.js';

export interface AttentionItems {
  readonly decodeItems: Int32Array;
  /** Row * 65536 + index of the tile. */
  readonly prefillTiles: readonly number[];
  readonly keyTiles: readonly number[];
  readonly firstKeyTiles: readonly number[];
}

export function attentionItems(step: StepInput, rule: PieceRule, queryTile: number): AttentionItems {
  const { rowOffsets, contextLengths, rowCount } = step;
  const mostPieces = maxPieceCount(rule, Math.max(...contextLengths));
  const words = new Int32Array(DECODE_ITEM_WORDS * rowCount * mostPieces);
  let end = 0;
  const [prefillTiles, keyTiles, firstKeyTiles]: [number[], number[], number[]] = [[], [], []];
  for (let row = 0; row < rowCount; row++) {
    const newToken = rowOffsets[row]!;
    const fresh = rowOffsets[row + 1]! - newToken;
    const contextTokens = contextLengths[row]!;
    if (fresh === 1) {
      end = writePieces(words, end, { row, contextTokens, newToken }, rule);
      continue;
    }
    for (let i = 0; i < ceilDiv(fresh, queryTile); i++) {
      prefillTiles.push((row << 16) | i);
      firstKeyTiles.push(keyTiles.length);
    }
    for (let i = 0; i < ceilDiv(contextTokens, WGMMA_TILE); i++) keyTiles.push((row << 16) | i);
  }
  return { decodeItems: words.subarray(0, end), prefillTiles, keyTiles, firstKeyTiles };
}
