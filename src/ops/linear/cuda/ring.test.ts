import { describe, expect, it } from 'vitest';
import { chooseLinear, kernelCandidates } from './choose.js';
import type { Mapped } from '../../cuda/mapped.js';
import { ring, type RingConfig, ringStages } from './ring.js';
import { B200, DENSE, H200, INT8, kernelLaunchOf, OPERANDS, problemsOf } from './testing/problems.js';

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
      expect(kernelLaunchOf(config, problem).args.at(-2)!.value).toBeGreaterThanOrEqual(2);
    }
    for (const format of [INT8, DENSE])
      for (const m of [8, 16, 32, 64])
        for (const config of kernelCandidates({ ...shape, m, format }, B200))
          expect(ringStages(config as RingConfig, { m, format })).toBeGreaterThanOrEqual(2);
  });

  it('give a stage the rows of x that there are, and the ring more stages', () => {
    for (const format of [INT8, DENSE]) {
      const config = chooseLinear({ ...shape, format, m: 8 }, H200) as RingConfig;
      const boxes = ring.maps(config, { ...shape, format, m: 8 }, OPERANDS);
      const launchOf = (m: number) => {
        const { args, sharedBytes } = kernelLaunchOf(config, { ...shape, format, m });
        const [stages, xRows] = args.slice(-2).map(({ value }) => value as number) as [number, number];
        expect(sharedBytes).toBeLessThanOrEqual(config.sharedBytes);
        const xMap = boxes[(args[1]!.value as Uint8Array)[0]!] as Mapped & { boxRows: number };
        return { stages, xRows, boxRows: xMap.boxRows };
      };
      expect([1, 2, 4, 5, 8].map((m) => launchOf(m).xRows)).toEqual([1, 4, 4, 8, 8]);
      expect([1, 2, 4, 5, 8].map((m) => launchOf(m).boxRows)).toEqual([8, 4, 4, 8, 8]);
      expect(launchOf(1).stages).toBeGreaterThan(launchOf(8).stages);
    }
  });

  it('read dense weights through a map of their own, and int8 tiles as they lie', () => {
    const argument = (format: typeof INT8, m: number) => {
      const problem = { ...shape, format, m };
      return kernelLaunchOf(chooseLinear(problem, H200), problem).args[2];
    };
    expect(argument(INT8, 8)).toEqual({ type: 'pointer', value: OPERANDS.weight });
    // Behind the two boxes of x that few rows have, and behind the one of more rows.
    expect(argument(DENSE, 8)).toEqual({ type: 'tensorMap', value: Uint8Array.of(2) });
    expect(argument(DENSE, 16)).toEqual({ type: 'tensorMap', value: Uint8Array.of(1) });
  });

  it('fuse gate-up and SwiGLU only where both start on tiles', () => {
    const config = chooseLinear({ m: 1, n: 22016, k: 4096, format: DENSE, epilogue: 'swiglu' }, H200);
    expect(ring.fusesSwiglu(config as RingConfig, 11008)).toBe(true);
    expect(ring.fusesSwiglu(config as RingConfig, 11000)).toBe(false);
    expect(ring.fusesSwiglu({ ...(config as RingConfig), tilesPerWarp: 1, rowWarps: 1 }, 11008)).toBe(false);
  });
});
