/** Every kernel of every specialisation compiles, with NVRTC or nvcc; skipped with a reason where neither is installed. */
import { expect, test } from 'vitest';
import { namedShape } from '../random-weights/shapes.js';
import { asInGemma, asMixture, benchmarkPlan, withScores } from '../testing/benchmark-plans.js';
import { parseArchitecture } from '../../device/cuda/architecture.js';
import type { CompiledUnit, CompileRequest } from '../../device/cuda/nvrtc.js';
import { prefillKernelFor } from '../../ops/paged-attention/cuda.js';
import { decodeKernelsFor } from '../../ops/paged-attention/cuda-decode.js';
import { chooseLinear, kernelCandidates } from '../../ops/linear/cuda/choose.js';
import { linearUnit } from '../../ops/linear/cuda/generated-kernel.js';
import { methodOf } from '../../ops/linear/cuda/methods.js';
import type { CudaLinearProblem } from '../../ops/linear/cuda/problem.js';
import { storedWeights } from '../../ops/linear/cuda/stored-weights.js';
import { NAMED_FORMATS } from '../../plan/weight-format.js';
import { kernelUnits, trialUnit } from './kernel-sources.js';
import { parseResourceReport } from '../../device/cuda/resource-report.js';
import { findCompiler } from '../../device/cuda/testing/compiler.js';
import { linearProblems } from './tune.js';

const compiler = findCompiler();
const compilerOrNeed = compiler?.name ?? 'needs NVRTC or nvcc: install the CUDA toolkit 13.0';
const compiled = new Map<string, CompiledUnit>();
/** Compiles a unit once: cases have units in common, and compiling takes seconds. */
function compile(unit: CompileRequest): CompiledUnit {
  const key = JSON.stringify({ ...unit, headers: [...unit.headers] });
  const known = compiled.get(key) ?? compiler!.compile(unit);
  compiled.set(key, known);
  return known;
}
const LLAMA2 = namedShape('llama2_7b');
const GROUPED = { ...namedShape('tinyllama_1b'), num_hidden_layers: 1 };
/**
 * Each operator and every way of specialising it: INT8, int4 and dense, both types, grouped queries, head sizes, architectures; and the
 * most bytes that a kernel may spill: a few registers stored once outside of loops cost nothing.
 */
const CASES = [
  ['sm_90a', 'f16', 'int8', LLAMA2, 64],
  ['sm_90a', 'f16', 'dense', LLAMA2, 64],
  ['sm_90a', 'bf16', 'int8', namedShape('llama3_8b'), 128], // four queries a key head of 128
  ['sm_90a', 'f16', 'int4', LLAMA2, 64],
  ['sm_90a', 'bf16', 'int4', namedShape('llama3_8b'), 128],
  ['sm_80', 'bf16', 'int4', LLAMA2, 64],
  ['sm_90a', 'bf16', 'dense', GROUPED, 64], // eight queries a key head of 64
  ['sm_80', 'f16', 'dense', LLAMA2, 64],
  ['sm_80', 'bf16', 'int8', namedShape('llama3_8b'), 64],
  ['sm_86', 'f16', 'dense', GROUPED, 64],
  ['sm_86', 'bf16', 'int8', LLAMA2, 64],
  ['sm_89', 'f16', 'int8', LLAMA2, 64],
  ['sm_89', 'bf16', 'dense', GROUPED, 64],
  ['sm_120', 'f16', 'int8', LLAMA2, 64],
] as const;

test.skipIf(compiler === undefined).each(CASES)(
  `kernels for %s in %s with %s weights compile and keep their registers [${compilerOrNeed}]`,
  (arch, dtype, weights, shape, maxSpillBytes) => {
    const plan = benchmarkPlan({ shape, dtype, weights });
    for (const unit of kernelUnits(plan, parseArchitecture(arch), 16)) {
      const { cubin, log } = compile(unit);
      expect(Buffer.from(cubin.subarray(1, 4)).toString('latin1')).toBe('ELF');
      // ptxas gives up the overlap of products with a remark (C7510 to C7520), not with an error.
      expect(log, unit.name).not.toMatch(/wgmma.mma_async instructions are serialized/);
      const resources = Object.entries(parseResourceReport(log));
      expect(resources.length, unit.name).toBeGreaterThan(0);
      for (const [kernel, { spillBytes, registerCount }] of resources) {
        expect(spillBytes, `${unit.name}/${kernel}`).toBeLessThanOrEqual(maxSpillBytes);
        expect(registerCount).toBeGreaterThan(0);
      }
    }
  },
  300_000,
);

/** Heads of 256 as in Gemma 2 9B, and of 128 as in Mistral 7B. */
const GEMMA = { ...LLAMA2, num_hidden_layers: 1, num_attention_heads: 16, num_key_value_heads: 8 };
const MISTRAL = { ...namedShape('llama3_8b'), num_hidden_layers: 1 };

test.skipIf(compiler === undefined).each([
  ['sm_90a', 'bf16', 'int4', GEMMA, { window: 4096, softCap: 50 }],
  ['sm_80', 'bf16', 'int4_g32_zeros', GEMMA, { window: 4096, softCap: 50 }],
  ['sm_90a', 'f16', 'int4_g32_zeros', MISTRAL, { window: 4096 }],
  ['sm_89', 'f16', 'dense', MISTRAL, { window: 4096 }],
] as const)(
  `kernels for %s in %s with experts in %s, windows, soft caps and norms of heads compile [${compilerOrNeed}]`,
  (arch, dtype, weights, shape, scores) => {
    const gemma = asInGemma(benchmarkPlan({ shape, dtype, weights: 'dense' }));
    const plan = withScores(asMixture(gemma, weights), scores);
    const units = kernelUnits(plan, parseArchitecture(arch), 16);
    const kernels = units
      .filter(({ name }) => name === 'attention' || name === 'common')
      .flatMap((unit) => Object.entries(parseResourceReport(compile(unit).log)));
    const found = kernels.map(([kernel]) => kernel);
    const { key } = storedWeights(NAMED_FORMATS[weights === 'dense' ? dtype : weights]);
    const experts = ['expert_gate_up', 'expert_down'].map((name) =>
      key === 'dense' ? name : `${name}_${key}`,
    );
    const always = ['head_norm', 'soft_cap', 'route_experts', 'expert_down_int8', 'attention_prefill'];
    for (const kernel of [...always, ...experts]) expect(found).toContain(kernel);
    for (const [kernel, { spillBytes }] of kernels) expect(spillBytes, kernel).toBeLessThanOrEqual(128);
  },
  300_000,
);

const RANKS = [
  ['sm_90a', 'f16', 2],
  ['sm_90a', 'bf16', 8],
  ['sm_80', 'f16', 4],
  ['sm_89', 'bf16', 3],
  ['sm_120', 'f16', 2],
] as const;
const EXCHANGES = [
  ...['all_reduce_one_shot', 'all_reduce_two_shot', 'reduce_add_rms_norm', 'all_gather', 'place_gathered'],
  ...['share_tokens', 'take_tokens', 'place_tokens', 'store_marks', 'read_marks'],
];

test.skipIf(compiler === undefined).each(RANKS)(
  `exchanges for %s in %s between %i ranks compile and keep their registers [${compilerOrNeed}]`,
  (arch, dtype, worldSize) => {
    // 48 heads divide by each of these numbers of ranks.
    const shape = {
      ...GROUPED,
      num_attention_heads: 48,
      num_key_value_heads: 48,
      hidden_size: 48 * 64,
      intermediate_size: 4800,
    };
    const plan = benchmarkPlan({ shape, dtype, weights: 'dense', ranks: { rank: 0, worldSize } });
    const common = kernelUnits(plan, parseArchitecture(arch), 16).find(({ name }) => name === 'common')!;
    const resources = parseResourceReport(compile(common).log);
    for (const kernel of EXCHANGES) expect(resources[kernel]?.spillBytes, kernel).toBeLessThanOrEqual(64);
  },
  300_000,
);

const CACHES = [
  ['sm_80', 'f16', 'i8', LLAMA2],
  ['sm_80', 'bf16', 'f8e4m3', namedShape('llama3_8b')],
  ['sm_89', 'f16', 'f8e4m3', LLAMA2],
  ['sm_89', 'bf16', 'i8', namedShape('llama3_8b')],
  ['sm_120', 'f16', 'i8', LLAMA2],
  ['sm_90a', 'f16', 'i8', LLAMA2],
  ['sm_90a', 'f16', 'f8e4m3', LLAMA2],
  ['sm_90a', 'bf16', 'i8', namedShape('llama3_8b')],
  ['sm_90a', 'bf16', 'f8e4m3', namedShape('llama3_8b')],
] as const;
const MAX_CACHE_SPILL_BYTES = 160;

test.skipIf(compiler === undefined).each(CACHES)(
  `append and attention for %s in %s with a cache of %s compile [${compilerOrNeed}]`,
  (arch, dtype, kvDtype, shape) => {
    const plan = { ...benchmarkPlan({ shape, dtype, weights: 'dense' }), kvDtype };
    const { computeCapability } = parseArchitecture(arch);
    const units = kernelUnits(plan, parseArchitecture(arch), 16);
    for (const [name, kernel] of [
      ['common', 'rope_append'],
      ['attention', prefillKernelFor(plan, computeCapability, 16).name],
      ['attention', decodeKernelsFor(plan, computeCapability, 16).many.name],
    ] as const) {
      const { log } = compile(units.find((unit) => unit.name === name)!);
      const { spillBytes, registerCount } = parseResourceReport(log)[kernel]!;
      expect(spillBytes, kernel).toBeLessThanOrEqual(MAX_CACHE_SPILL_BYTES);
      expect(registerCount, kernel).toBeGreaterThan(0);
    }
  },
  300_000,
);

const TRIALS = [
  { arch: 'sm_90a', dtype: 'bf16', weights: 'int4' },
  { arch: 'sm_80', dtype: 'f16', weights: 'int4' },
  { arch: 'sm_90a', dtype: 'f16', weights: 'int8' },
  { arch: 'sm_90a', dtype: 'f16', weights: 'fp8' },
  { arch: 'sm_90a', dtype: 'f16', weights: 'fp8', inputBits: 8 },
  { arch: 'sm_90a', dtype: 'bf16', weights: 'int8', inputBits: 8 },
  { arch: 'sm_90a', dtype: 'bf16', weights: 'fp8' },
  { arch: 'sm_80', dtype: 'bf16', weights: 'fp8' },
  { arch: 'sm_90a', dtype: 'bf16', weights: 'dense' },
  { arch: 'sm_80', dtype: 'f16', weights: 'int8' },
  { arch: 'sm_80', dtype: 'bf16', weights: 'dense' },
] as const;

test.skipIf(compiler === undefined).each(TRIALS)(
  `what the tuner tries for %o compiles [${compilerOrNeed}]`,
  ({ arch, ...choice }) => {
    const { dtype, weights } = choice;
    const target = parseArchitecture(arch);
    const problems = linearProblems(benchmarkPlan({ shape: LLAMA2, ...choice }), target, 2048);
    const { computeCapability } = target;
    const candidates = (problem: CudaLinearProblem) => [
      chooseLinear(problem, target),
      ...kernelCandidates(problem, target),
    ];
    const unit = linearUnit(NAMED_FORMATS[weights === 'dense' ? dtype : weights]);
    const same = problems.filter(({ format }) => linearUnit(format) === unit);
    const unitOfTrials = trialUnit(same, candidates, { computeCapability, dtype })!;
    const { cubin, log } = compile({ ...unitOfTrials, isHasty: true });
    expect(Buffer.from(cubin.subarray(1, 4)).toString('latin1')).toBe('ELF');
    const names = new Set(
      same.flatMap((problem) =>
        candidates(problem).flatMap((config) => methodOf(config).kernel(config, problem)?.name ?? []),
      ),
    );
    const found = Object.keys(parseResourceReport(log)).filter((name) => !name.startsWith('round_input'));
    expect(new Set(found)).toEqual(names);
  },
  300_000,
);

test.skipIf(compiler === undefined)(
  `what does not compile is reported with its file and line [${compiler?.name ?? 'needs NVRTC or nvcc, and neither is installed'}]`,
  () => {
    const plan = benchmarkPlan({ shape: LLAMA2, dtype: 'f16', weights: 'dense' });
    const unit = kernelUnits(plan, parseArchitecture('sm_80'), 16).find(({ name }) => name === 'attention')!;
    const path = 'paged-attention/kv-cache.cuh';
    const lines = unit.headers.get(path)!.split('\n');
    const broken = ['mistake();', ...lines].join('\n');
    expect(() => compiler!.compile({ ...unit, headers: new Map([...unit.headers, [path, broken]]) })).toThrow(
      `${path}(1): error`,
    );
  },
);
