/**
 * Compiles every CUDA unit of three models for two architectures and prints a hash of each unit's machine code, to show that a
 * change of structure changes no kernel:
 *   node scripts/unit-hashes.mjs --out before.json
 *   node scripts/unit-hashes.mjs --compare before.json    (prints differences only; exits with 1 if there are any)
 * Takes some minutes on two cores. Needs `npm run build` first, and NVRTC or nvcc; no GPU. Hashes of two compilers differ.
 */
import { fork } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { kernelUnits, trialUnit } from '../dist/builder/cuda/kernel-sources.js';
import { linearProblems } from '../dist/builder/cuda/tune.js';
import { namedShape } from '../dist/builder/random-weights/shapes.js';
import { benchmarkPlan } from '../dist/builder/testing/benchmark-plans.js';
import { parseArchitecture } from '../dist/device/cuda/architecture.js';
import { findCompiler } from '../dist/device/cuda/testing/compiler.js';
import { kernelSource } from '../dist/ops/cuda/kernel-files.js';
import { kernelCandidates } from '../dist/ops/linear/cuda/choose.js';
import { kernelHashes, sha256 } from './cubin-hashes.mjs';

const PROCESSES = 2;
const ARCHITECTURES = ['sm_90a', 'sm_80'];
const BLOCK_TOKENS = 16;
const MAX_STEP_TOKENS = 2048;

/** Grouped heads of 48 values, a vocabulary that is odd, and gate rows that end inside a tile of 16. */
const TINY = {
  ...namedShape('tinyllama_1b'),
  hidden_size: 240,
  intermediate_size: 328,
  num_attention_heads: 5,
  num_key_value_heads: 1,
  vocab_size: 1001,
};
const MODELS = { llama2_7b: namedShape('llama2_7b'), tinyllama_1b: namedShape('tinyllama_1b'), tiny: TINY };
/** Model, type of activations, weights, type of the KV cache (null: as activations). */
const VARIANTS = [
  ['llama2_7b', 'f16', 'dense', null],
  ['llama2_7b', 'bf16', 'int8', 'i8'],
  ['llama2_7b', 'f16', 'int8', 'f8e4m3'],
  ['tinyllama_1b', 'bf16', 'dense', null],
  ['tinyllama_1b', 'f16', 'int8', 'i8'],
  ['tinyllama_1b', 'bf16', 'int8', 'f8e4m3'],
  ['tinyllama_1b', 'f16', 'fp8', null],
  ['tiny', 'f16', 'int8', null],
  ['tiny', 'bf16', 'dense', 'i8'],
];

/** Everything to compile: the product's own units of each variant, what its tuner tries, and the kernels that draw weights. */
function* requests() {
  for (const arch of ARCHITECTURES) {
    const target = parseArchitecture(arch);
    const { computeCapability } = target;
    for (const [model, dtype, weights, kvDtype] of VARIANTS) {
      const plan = benchmarkPlan({ shape: MODELS[model], dtype, weights });
      const units = kernelUnits({ ...plan, kvDtype: kvDtype ?? plan.kvDtype }, target, BLOCK_TOKENS);
      const problems = linearProblems(plan, target, MAX_STEP_TOKENS);
      const candidates = (problem) => kernelCandidates(problem, target);
      for (const unit of [...units, trialUnit(problems, candidates, { computeCapability, dtype })])
        yield { key: `${model} ${arch} ${dtype}/${weights}/${kvDtype ?? 'auto'} ${unit.name}`, unit };
    }
    for (const [dtype, defines] of Object.entries({ f16: {}, bf16: { ACT_BF16: 1 } })) {
      const source = kernelSource(['cuda/random.cu']);
      yield {
        key: `any ${arch} ${dtype} random`,
        unit: { name: 'random', ...source, arch, defines, isFastMath: true },
      };
    }
  }
}

/** Compiles each PROCESSES-th unit from `first` on and sends its hashes to the parent. */
function compileShare(first) {
  const { compile } = findCompiler();
  for (const [index, { key, unit }] of [...requests()].entries())
    if (index % PROCESSES === first) process.send({ key, kernels: kernelHashes(compile(unit).cubin) });
  process.disconnect();
}

/** @returns hash and the kernels' hashes by unit */
async function hashUnits() {
  const found = new Map();
  const share = (first) =>
    new Promise((resolve, reject) => {
      const child = fork(fileURLToPath(import.meta.url), ['--share', `${first}`]);
      child.on('message', ({ key, kernels }) =>
        found.set(key, { hash: sha256(Object.entries(kernels).flat()), kernels }),
      );
      child.on('exit', (code) => (code === 0 ? resolve() : reject(new Error('A unit does not compile.'))));
    });
  await Promise.all(Array.from({ length: PROCESSES }, (_, first) => share(first)));
  return Object.fromEntries([...requests()].map(({ key }) => [key, found.get(key)]));
}

/** One line for each unit, and each kernel in it, that is on one side only or has another hash. */
function* differences(before, after) {
  for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
    const [old, now] = [before[key], after[key]];
    if (old === undefined || now === undefined) yield `${key}: ${old === undefined ? 'new' : 'gone'}`;
    else
      for (const kernel of new Set([...Object.keys(old.kernels), ...Object.keys(now.kernels)])) {
        const [from, to] = [old.kernels[kernel], now.kernels[kernel]];
        if (from !== to) yield `${key} ${kernel}: ${short(from)} -> ${short(to)}`;
      }
  }
}

const short = (hash) => hash?.slice(0, 16) ?? 'none';

async function main({ out, compare }) {
  const compiler = findCompiler()?.name;
  if (compiler === undefined) throw new Error('Neither NVRTC nor nvcc is installed; install a CUDA toolkit.');
  const before = compare === undefined ? undefined : JSON.parse(readFileSync(compare, 'utf8'));
  if (before !== undefined && before.compiler !== compiler)
    throw new Error(`${compare} was made with ${before.compiler}, and this machine has ${compiler}.`);
  const units = await hashUnits();
  if (out !== undefined) writeFileSync(out, `${JSON.stringify({ compiler, units }, null, 2)}\n`);
  if (before === undefined) {
    for (const [key, { hash }] of Object.entries(units)) console.log(`${key} ${short(hash)}`);
    return;
  }
  const lines = [...differences(before.units, units)];
  for (const line of lines) console.log(line);
  if (lines.length > 0) process.exitCode = 1;
}

const text = { type: 'string' };
const { values } = parseArgs({ options: { out: text, compare: text, share: text } });
try {
  if (values.share === undefined) await main(values);
  else compileShare(Number(values.share));
} catch (fault) {
  console.error(fault.message);
  process.exit(2);
}
