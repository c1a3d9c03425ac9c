import { describe, expect, it } from 'vitest';
import { WIDE, wide } from './wide.js';
import { WIDE8, wide8, WIDEF8, widef8 } from './wide8.js';
import { wideConfigs, type WideKind, wideStages } from './wide-method.js';
import { A100, FP8, H200, INT4, INT8, launchesOf, OPERANDS, problemsOf, SHAPES } from './testing/problems.js';

describe('configurations of wide.cu', () => {
  it('are the fastest on an H200, or within 1%', () => {
    const best = (m: number, n: number, k: number) => {
      const [config] = wideConfigs(WIDE, { m, n, k, format: INT8, epilogue: 'store' }, 132);
      const { tokenGroups, tilesPerWarp, warpgroups, clusterBlocks } = config!;
      return `${tilesPerWarp * warpgroups * 64}x${tokenGroups * 8}/${clusterBlocks}`;
    };
    const bestOf = (m: number) => SHAPES.slice(0, 4).map(([n, k]) => best(m, n, k));
    // 17.4 us for 12288 x 4096, where 128x64/1 takes 17.2; the others were the fastest of all.
    expect(bestOf(64)).toEqual(['192x64/2', '64x64/2', '192x64/1', '64x64/2']);
    expect(bestOf(256)).toEqual(['192x128/1', '128x128/2', '192x128/1', '128x128/2']);
    expect(bestOf(4096)).toEqual(['256x128/1', '256x128/1', '256x128/1', '256x128/1']);
  });

  it.each<[string, WideKind<'wide' | 'wide8' | 'widef8'>]>([
    ['wide', WIDE],
    ['wide8', WIDE8],
    ['widef8', WIDEF8],
  ])(
    'of %s launch whole clusters, no more than there are tiles for, with equal slices of tokens',
    (_, kind) => {
      for (const posed of problemsOf(
        [17, 33, 65, 129, 300, 1000, 2048],
        ['int8', 'fp8', 'int4', 'int4_g32_zeros'],
      ))
        for (const multiprocessorCount of [132, 113, 78]) {
          const problem = { ...posed, inputBits: 8 } as const;
          for (const config of wideConfigs(kind, problem, multiprocessorCount)) {
            const { grid } = launchesOf(config, problem, { ...OPERANDS, multiprocessorCount }).at(-1)!;
            const tiles =
              Math.ceil(problem.n / (config.tilesPerWarp * config.warpgroups * 64)) *
              Math.ceil(problem.m / (config.tokenGroups * 8));
            expect(grid[0] % config.clusterBlocks).toBe(0);
            expect(grid[0]).toBeLessThanOrEqual(Math.min(multiprocessorCount, tiles * config.clusterBlocks));
            expect(config.tokenGroups % config.clusterBlocks).toBe(0);
            expect((config.boxes * config.tilesPerWarp) % 2).toBe(0);
            expect(wideStages(kind, config, problem.format)).toBeGreaterThanOrEqual(2);
          }
        }
    },
  );

  it('copy the tokens of a tile at once, and its weights in one box, or in one of gate and one of up', () => {
    const problem = { m: 300, n: 22016, k: 4096, format: INT8, epilogue: 'store' } as const;
    const [config] = wide.candidates(problem, H200);
    const { tokenGroups, tilesPerWarp, warpgroups, boxes } = config!;
    const [x, tiles] = wide.maps(config!, problem, OPERANDS);
    const { dtype } = OPERANDS;
    const inputs = { address: OPERANDS.x, rows: OPERANDS.xRows, columns: 4096, dtype };
    expect(x).toEqual({ ...inputs, boxRows: tokenGroups * 8 });
    const stored = { address: OPERANDS.weight, down: 1376, across: 64, tileBytes: 1024 };
    const rows = tilesPerWarp * warpgroups;
    expect(tiles).toEqual({ ...stored, box: { across: boxes, down: 4 * rows } });
    const gated = wide.maps(config!, { ...problem, epilogue: 'swiglu' }, OPERANDS);
    expect(gated[1]).toEqual({ ...stored, box: { across: boxes, down: 2 * rows } });
  });

  it('round inputs to 8 bits where a layer allows it, from 65 rows on, and read them in boxes of 128 bytes', () => {
    const problem = {
      m: 300,
      n: 22016,
      k: 11008 + 8,
      format: INT8,
      epilogue: 'store',
      inputBits: 8,
    } as const;
    const [config] = wide8.candidates(problem, H200);
    const [rounding, product] = launchesOf(config!, problem);
    expect(rounding).toMatchObject({ unit: 'linear-int8', kernel: 'round_input', grid: [300, 1, 1] });
    expect(product!.kernel).toMatch(/^wide8_/);
    expect(wide8.maps(config!, problem, OPERANDS)[0]).toEqual({
      address: OPERANDS.inputCodes,
      rows: OPERANDS.xRows,
      columns: 11136,
      dtype: 'i8',
      boxRows: config!.tokenGroups * 8,
    });
    const { inputBits, ...exact } = problem;
    expect(inputBits).toBe(8);
    expect(wide8.candidates(exact, H200)).toEqual([]);
    expect(wide8.candidates({ ...problem, m: 64 }, H200)).toEqual([]);
    const fp8 = { ...problem, format: FP8 };
    expect(wide8.candidates(fp8, H200)).toEqual([]);
    const [e4m3] = widef8.candidates(fp8, H200);
    expect(launchesOf(e4m3!, fp8).map(({ unit, kernel }) => [unit, kernel.split('_')[0]])).toEqual([
      ['linear-fp8', 'round'],
      ['linear-fp8', 'widef8'],
    ]);
    expect(wide8.candidates(problem, A100)).toEqual([]);
  });

  it('copy int4 tiles, which are two boxes wide', () => {
    const problem = { m: 8192, n: 22016, k: 4096, format: INT4, epilogue: 'store' } as const;
    for (const config of wideConfigs(WIDE, problem, 132)) {
      const [, tiles] = wide.maps(config, problem, OPERANDS);
      expect(config.boxes % 2).toBe(0);
      const down = config.tilesPerWarp * config.warpgroups * 4;
      const box = { across: config.boxes / 2, down };
      expect(tiles).toEqual({ address: OPERANDS.weight, down: 1376, across: 32, tileBytes: 1056, box });
    }
  });
});
