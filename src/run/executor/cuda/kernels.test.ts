import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { kernelUnits } from '../../../device/cuda/kernel-sources.js';
import { compilerOptions } from '../../../device/cuda/nvrtc.js';
import { createTestPlan, SMALL_SHAPE, type TestModelShape } from '../test-model.js';

const NVCC = ['/usr/local/cuda/bin/nvcc', '/usr/local/cuda-13.0/bin/nvcc'].find(existsSync);
const folder = mkdtempSync(join(tmpdir(), 'aloft-kernels-'));
afterAll(() => rmSync(folder, { recursive: true }));

const SHAPES: Readonly<Record<string, TestModelShape>> = {
  'f16 and int8': {
    ...{ ...SMALL_SHAPE, format: { type: 'int8', granularity: 'channel' }, dense: 'f16' },
    dims: { ...SMALL_SHAPE.dims, headDim: 32 },
  },
  'bf16, grouped queries': {
    ...{ ...SMALL_SHAPE, format: { type: 'dense', dtype: 'bf16' }, dense: 'bf16' },
    dims: { ...SMALL_SHAPE.dims, headDim: 128 },
  },
};

describe('kernels', () => {
  const cases = Object.keys(SHAPES).flatMap((name) =>
    [80, 90].map((capability) => [name, capability] as const),
  );
  it.skipIf(NVCC === undefined).each(cases)(
    'compile for %s on compute capability %i (skipped without nvcc)',
    (name, computeCapability) => {
      const plan = createTestPlan(SHAPES[name]!);
      for (const unit of kernelUnits(plan, { computeCapability, multiprocessorCount: 108 }, 16)) {
        const file = join(folder, `${unit.name}.cu`);
        writeFileSync(file, unit.source);
        const defines = compilerOptions(unit).filter((option) => option.startsWith('-D'));
        const code = `arch=${unit.arch.replace('sm', 'compute')},code=${unit.arch}`;
        const flags = ['-cubin', '-std=c++17', '-use_fast_math', `-gencode=${code}`, ...defines];
        const result = spawnSync(NVCC!, [...flags, '-o', `${file}bin`, file], { encoding: 'utf8' });
        expect(result.status, `${unit.name}: ${result.stderr}`).toBe(0);
      }
    },
    180_000,
  );
});
