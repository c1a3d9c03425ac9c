import { describe, expect, it } from 'vitest';
import { chooseLinear, kernelCandidates } from './choose.js';
import type { Mapped } from '../../cuda/mapped.js';
import type { ValuesOf } from '../../struct.js';
import type { RING_ARGS } from './args.js';
import { ring, type RingConfig, ringStages } from './ring.js';
import { storedWeights } from './stored-weights.js';
import {
  B200,
  DENSE,
  FP8,
  H200,
  INT4,
  INT8,
  kernelLaunchOf,
  OPERANDS,
  problemsOf,
} from './testing/problems.js';

const rings = (rows: readonly number[]) =>
  problemsOf(rows).flatMap((problem) => {
    const config = chooseLinear(problem, H200);
    return config.method === 'ring' ? [{ problem, config }] : [];
  });

const shape = { n: 12288, k: 4096, epilogue: 'store' } as const;

describe('configurations of ring.cu', () => {
  it('hold all tokens and keep at least two stages in flight', () => {
    const chosen = rings([1, 16, 32, 64]);
    expect(chosen.length).toBeGreaterThan(50);
    for (const { problem, config } of chosen) {
      expect(config.tokenGroups * 8).toBeGreaterThanOrEqual(problem.m);
      expect(kernelLaunchOf(config, problem).args.values['stageCount']).toBeGreaterThanOrEqual(2);
    }
    for (const format of [INT8, FP8, INT4, DENSE])
      for (const m of [8, 16, 32, 64])
        for (const config of kernelCandidates({ ...shape, m, format }, B200))
          expect(ringStages(config as RingConfig, { m, format })).toBeGreaterThanOrEqual(2);
  });

  it('give a stage the rows of x that there are, and the ring more stages', () => {
    for (const format of [INT8, FP8, INT4, DENSE]) {
      const config = chooseLinear({ ...shape, format, m: 8 }, H200) as RingConfig;
      const boxes = ring.maps(config, { ...shape, format, m: 8 }, OPERANDS);
      const launchOf = (m: number) => {
        const { args, sharedBytes } = kernelLaunchOf(config, { ...shape, format, m });
        const { stageCount, xRows, xMap } = args.values as ValuesOf<typeof RING_ARGS>;
        expect(sharedBytes).toBeLessThanOrEqual(config.sharedBytes);
        const { boxRows } = boxes[xMap![0]!] as Mapped & { boxRows: number };
        return { stages: stageCount, xRows, boxRows };
      };
      expect([1, 2, 4, 5, 8].map((m) => launchOf(m).xRows)).toEqual([1, 4, 4, 8, 8]);
      expect([1, 2, 4, 5, 8].map((m) => launchOf(m).boxRows)).toEqual([8, 4, 4, 8, 8]);
      expect(launchOf(1).stages).toBeGreaterThan(launchOf(8).stages);
    }
  });

  it('copy the boxes of x of a stage at once, where rows of x are whole boxes', () => {
    const copied = (k: number) => {
      const problem = { ...shape, k, format: INT8, m: 16 };
      const config = chooseLinear(problem, H200) as RingConfig;
      const [map] = ring.maps(config, problem, OPERANDS) as (Mapped & { boxCount?: number })[];
      return [config.boxes, kernelLaunchOf(config, problem).args.values['xBoxCount'], map!.boxCount];
    };
    const [boxes, ...counts] = copied(4096);
    expect(counts).toEqual([boxes, boxes]);
    expect(copied(4096 + 8).slice(1)).toEqual([1, undefined]);
  });

  it('read dense weights through a map of their own, and tiles as they lie', () => {
    const valuesOf = (format: typeof INT8, m: number) => {
      const problem = { ...shape, format, m };
      return kernelLaunchOf(chooseLinear(problem, H200), problem).args.values;
    };
    for (const format of [INT8, FP8, INT4])
      expect(valuesOf(format, 8)).toMatchObject({ weight: OPERANDS.weight, weightMap: undefined });
    // Behind the two boxes of x that few rows have, and behind the one of more rows.
    expect(valuesOf(DENSE, 8)['weightMap']).toEqual(Uint8Array.of(2));
    expect(valuesOf(DENSE, 16)['weightMap']).toEqual(Uint8Array.of(1));
  });

  it('have whole tiles in a stage, and a tile for each warp that divides k', () => {
    for (const m of [8, 16, 32, 64])
      for (const format of [INT8, FP8, INT4])
        for (const config of kernelCandidates({ ...shape, m, format }, B200) as RingConfig[]) {
          const tiles = (config.boxes * 64) / storedWeights(format).tile.columns;
          expect([Number.isInteger(tiles), tiles % config.kWarps]).toEqual([true, 0]);
        }
  });

  it('have large blocks only where these keep the multiprocessors as busy as small ones', () => {
    // Rows of weights that the multiprocessor with the most has, with blocks of so many.
    const longest = (n: number, rows: number): number =>
      Math.ceil(Math.ceil(n / rows) / H200.multiprocessorCount) * rows;
    const [layers, gated] = [
      [1024, 2048, 3584, 4096, 4608, 5120, 6144, 8192],
      [9728, 11008, 13824, 14400, 17920, 18944, 22016, 27648, 37888],
    ];
    for (const format of [INT8, FP8, INT4, DENSE])
      for (const m of [1, 16]) {
        const rowsOf = (n: number, epilogue: 'store' | 'swiglu'): number => {
          const config = chooseLinear({ m, n, k: 4096, format, epilogue }, H200) as RingConfig;
          return config.tilesPerWarp * config.rowWarps * 16;
        };
        for (const n of layers) expect(longest(n, rowsOf(n, 'store'))).toBeLessThan(1.15 * longest(n, 16));
        for (const n of gated) expect(longest(n, rowsOf(n, 'swiglu'))).toBeLessThan(1.15 * longest(n, 32));
      }
    const chosen = (n: number, k: number, m: number, format: typeof INT8) =>
      chooseLinear({ m, n, k, format, epilogue: 'store' }, H200);
    for (const k of [4096, 11008]) {
      expect(chosen(4096, k, 16, INT8)).toMatchObject({ tilesPerWarp: 1, rowWarps: 2, kWarps: 8 });
      expect(chosen(4096, k, 1, DENSE)).toMatchObject({ tilesPerWarp: 2, rowWarps: 1, kWarps: 8 });
    }
  });

  it('fuse gate-up and SwiGLU only where both start on tiles', () => {
    const config = chooseLinear({ m: 1, n: 22016, k: 4096, format: DENSE, epilogue: 'swiglu' }, H200);
    expect(ring.fusesSwiglu(config as RingConfig, 11008)).toBe(true);
    expect(ring.fusesSwiglu(config as RingConfig, 11000)).toBe(false);
    expect(ring.fusesSwiglu({ ...(config as RingConfig), tilesPerWarp: 1, rowWarps: 1 }, 11008)).toBe(false);
  });
});
