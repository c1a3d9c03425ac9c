/** Pieces of the cached tokens of a row, which decode attention takes one by one, and the list that tells kernels of them. Pure. */
import { ceilDiv } from '../cuda/launch.js';

/** Cuts a row by its own length alone. */
export interface PieceRule {
  /** Equal pieces of a row; a multiple of them where they would be longer than `maxTokens`. */
  readonly count: number;
  readonly minTokens: number;
  readonly maxTokens: number;
  /** Granule: the tokens of a piece are a multiple of it, as are both bounds. */
  readonly stepTokens: number;
}

/** Pieces of one length, however long the row is. */
export const fixedPieces = (tokens: number): PieceRule => ({
  count: 1,
  minTokens: tokens,
  maxTokens: tokens,
  stepTokens: tokens,
});

/** The most tokens that are whole cache blocks and no more than `tokens`, or a block. */
export const wholeBlocks = (tokens: number, blockTokens: number): number =>
  blockTokens * Math.max(1, Math.floor(tokens / blockTokens));

/** Tokens of pieces, of which rules make whole blocks. */
export interface PieceLengths {
  /** Bounds where the rows of a class leave warps without a piece. */
  readonly least: number;
  readonly most: number;
  /** Bounds where they do not. */
  readonly leastOfMany: number;
  readonly mostOfMany: number;
}

/**
 * Pieces for kernels in which a warp, or a team of them, takes a piece of a row and key head by itself. Where the rows of a class
 * leave teams without one, a row is cut into as many pieces as give each team one piece at most: none takes a second one while
 * others have none. Otherwise warps of teams share rows in one piece, up to a length; without teams a long row has three pieces if
 * that gives each warp two at most, else an even number.
 * @param by `warps` of the device; `teamWarps` that share a piece; `units`, rows of the class times key heads
 */
export function fillingPieces(by: {
  readonly warps: number;
  readonly teamWarps?: number;
  readonly units: number;
  readonly lengths: PieceLengths;
  readonly blockTokens: number;
}): PieceRule {
  const { warps, teamWarps = 1, units, lengths, blockTokens } = by;
  const ruleOf = (count: number, least: number, most: number): PieceRule => ({
    count,
    minTokens: wholeBlocks(least, blockTokens),
    maxTokens: wholeBlocks(most * teamWarps, blockTokens),
    stepTokens: blockTokens,
  });
  const { least, most, leastOfMany, mostOfMany } = lengths;
  const inOneTurn = Math.floor(warps / (units * teamWarps));
  if (inOneTurn >= 2) return ruleOf(inOneTurn, least, most);
  if (teamWarps > 1) return ruleOf(1, leastOfMany, most);
  const inTwoTurns = Math.floor((2 * warps) / units);
  return ruleOf(inTwoTurns >= 3 ? 3 : 2, leastOfMany, mostOfMany);
}

/** Tokens of every piece of a row but the last, which may have fewer. @param rowTokens at least 1 */
export function pieceTokens(
  { count, minTokens, maxTokens, stepTokens }: PieceRule,
  rowTokens: number,
): number {
  const pieces = count * ceilDiv(rowTokens, count * maxTokens);
  return Math.max(minTokens, stepTokens * ceilDiv(rowTokens, pieces * stepTokens));
}

/** Pieces of a row. */
export const pieceCount = (rule: PieceRule, rowTokens: number): number =>
  ceilDiv(rowTokens, pieceTokens(rule, rowTokens));

/** Pieces that no row of up to `rowTokens` tokens exceeds: a longer row may have fewer than a shorter one. */
export const maxPieceCount = ({ count, minTokens, maxTokens }: PieceRule, rowTokens: number): number =>
  Math.min(ceilDiv(rowTokens, minTokens), count * ceilDiv(rowTokens, count * maxTokens));

/** 32-bit words of a piece in the list of a step, which decode-unit.cuh reads. */
export const DECODE_ITEM_WORDS = 4;

/** A row whose pieces are listed. */
export interface CutRow {
  readonly row: number;
  /** Its tokens, with the new one, and the new one's place in the step. */
  readonly contextTokens: number;
  readonly newToken: number;
}

/** Lists the pieces of a row in `words` from `at` on. @returns where the next row's begin */
export function writePieces(
  words: Int32Array,
  at: number,
  { row, contextTokens, newToken }: CutRow,
  rule: PieceRule,
): number {
  const tokens = pieceTokens(rule, contextTokens);
  const count = ceilDiv(contextTokens, tokens);
  for (let piece = 0; piece < count; piece++) {
    words[at++] = (row << 16) | piece;
    words[at++] = (count << 16) | tokens;
    words[at++] = contextTokens;
    words[at++] = newToken;
  }
  return at;
}
