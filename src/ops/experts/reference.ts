import { linearReference } from '../linear/reference.js';
import { rowOf, zeroMatrix, type Matrix } from '../matrix.js';
import { swigluReference } from '../swiglu/reference.js';

/** @param logits [tokens, experts] @returns [tokens, 2 * expertsPerToken]: numbers of experts, then shares */
export function routeReference(
  logits: Matrix,
  { expertsPerToken, isNormalised }: { readonly expertsPerToken: number; readonly isNormalised: boolean },
): Matrix {
  const out = zeroMatrix(logits.rowCount, 2 * expertsPerToken);
  for (let token = 0; token < logits.rowCount; token++) {
    const row = rowOf(logits, token);
    const largest = row.reduce((a, b) => Math.max(a, b));
    const weights = Array.from(row, (logit) => Math.exp(logit - largest));
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    const order = weights.map((weight, expert) => ({ expert, share: weight / total }));
    const chosen = order
      .toSorted((a, b) => b.share - a.share || a.expert - b.expert)
      .slice(0, expertsPerToken);
    const kept = isNormalised ? chosen.reduce((sum, { share }) => sum + share, 0) : 1;
    for (const [i, { expert, share }] of chosen.toSorted((a, b) => a.expert - b.expert).entries()) {
      rowOf(out, token)[i] = expert;
      rowOf(out, token)[expertsPerToken + i] = share / kept;
    }
  }
  return out;
}

/** @param weight [experts * 2 * inter, hidden] @returns [tokens, expertsPerToken * inter] */
export function expertGateUpReference(
  x: Matrix,
  routes: Matrix,
  weight: Matrix,
  expertCount: number,
): Matrix {
  const perToken = routes.columnCount / 2;
  const inter = weight.rowCount / expertCount / 2;
  const out = zeroMatrix(x.rowCount, perToken * inter);
  for (let token = 0; token < x.rowCount; token++) {
    for (let slot = 0; slot < perToken; slot++) {
      const ofExpert = expertRows(weight, rowOf(routes, token)[slot]!, expertCount);
      const gated = swigluReference(linearReference(single(rowOf(x, token)), ofExpert, undefined));
      rowOf(out, token).set(gated.data, slot * inter);
    }
  }
  return out;
}

/** @param weight [experts * hidden, inter] @returns [tokens, hidden] */
export function expertDownReference(
  gated: Matrix,
  routes: Matrix,
  weight: Matrix,
  expertCount: number,
): Matrix {
  const perToken = routes.columnCount / 2;
  const inter = weight.columnCount;
  const out = zeroMatrix(gated.rowCount, weight.rowCount / expertCount);
  for (let token = 0; token < gated.rowCount; token++) {
    for (let slot = 0; slot < perToken; slot++) {
      const ofExpert = expertRows(weight, rowOf(routes, token)[slot]!, expertCount);
      const part = rowOf(gated, token).subarray(slot * inter, (slot + 1) * inter);
      const share = rowOf(routes, token)[perToken + slot]!;
      const result = linearReference(single(part), ofExpert, undefined).data;
      result.forEach((value, i) => (rowOf(out, token)[i]! += share * value));
    }
  }
  return out;
}

const single = (data: Float32Array): Matrix => ({ rowCount: 1, columnCount: data.length, data });

function expertRows({ rowCount, columnCount, data }: Matrix, expert: number, expertCount: number): Matrix {
  const rows = rowCount / expertCount;
  const start = expert * rows * columnCount;
  return { rowCount: rows, columnCount, data: data.subarray(start, start + rows * columnCount) };
}
