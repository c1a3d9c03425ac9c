/** The golden suite over real arithmetic: random models on the CPU executor. */
import { createCpuPool } from '../../device/cpu/kernel-library.js';
import type { CpuKvDtype } from '../../ops/cpu/kv-layout.js';
import { CpuExecutor } from '../executor/cpu/cpu-executor.js';
import type { Executor } from '../executor/executor.js';
import { packForCpu } from '../executor/testing/pack-test-model.js';
import { SMALL_SHAPE, type TestModelShape, createTestModel } from '../executor/testing/test-model.js';
import { type GoldenMemory, defineGoldenSuite } from './testing/golden-suite.js';
import { mixedRequests } from './testing/mixed-requests.js';
import { INT8_PER_CHANNEL } from '../../plan/weight-format.js';

const LIMITS = { maxStepTokens: 128, maxRows: 24, maxLogits: 32, blockTokens: 8, maxSequenceTokens: 128 };

function factory(shape: TestModelShape, kvDtype: CpuKvDtype) {
  const model = createTestModel(shape);
  return async (memory: GoldenMemory): Promise<Executor> => {
    const pool = createCpuPool({ threadCount: 1 });
    const packed = packForCpu(model.plan, (name) => model.weights.get(name)!, pool);
    const { weightBytes, tensorAddress } = packed;
    return new CpuExecutor({
      plan: model.plan,
      pool,
      weightBytes,
      tensorAddress,
      limits: { ...LIMITS, ...memory },
      kvDtype,
      onDispose: () => packed.dispose(),
    });
  };
}

const INT8: TestModelShape = {
  ...SMALL_SHAPE,
  format: INT8_PER_CHANNEL,
  dense: 'f16',
  fused: true,
};

for (const [name, shape, kvDtype, ways] of [
  ['f32', SMALL_SHAPE, 'f32', 'all'],
  ['int8 weights, f16 cache', INT8, 'f16', 'essential'],
  ['int8 cache', SMALL_SHAPE, 'i8', 'all'],
  ['int8 weights, fp8 cache', INT8, 'f8e4m3', 'essential'],
] as const) {
  defineGoldenSuite({
    name: `CPU executor, ${name}`,
    openExecutor: factory(shape, kvDtype),
    requests: mixedRequests(200, 11, {
      vocabulary: shape.dims.vocabulary,
      maxPromptTokens: 70,
      maxOutputTokens: 40,
      withBeams: true,
    }),
    ampleBlockCount: 512,
    tightBlockCount: 40,
    smallStepTokens: 24,
    ways,
  });
}
